"""A running mean of weights: literal values, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.loop.average import RunningMean


class Parts(nn.Module):
    """A weight, and a count that is no float."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0]))
        self.register_buffer("seen", torch.tensor(0))

    def go_to(self, weight: float, seen: int) -> None:
        with torch.no_grad():
            self.weight.fill_(weight)
        self.get_buffer("seen").fill_(seen)


MEANS = {
    "the first step keeps a tenth": (0, 2.0 * 0.9 + 1.0 * 0.1),
    "a later one what the decay says": (1_000, 2.0 * 0.25 + 1.0 * 0.75),
}


@pytest.mark.parametrize("case", MEANS)
def test_means_are_literal(case: str) -> None:
    step, expected = MEANS[case]
    parts = Parts()
    mean = RunningMean(parts, decay=0.75)
    parts.go_to(2.0, seen=7)
    mean.update(parts, step)
    assert mean.state()["weight"].item() == pytest.approx(expected)
    assert mean.state()["seen"].item() == 7
    assert parts.weight.item() == 2.0


def test_a_mean_of_something_else_is_refused() -> None:
    mean = RunningMean(Parts(), decay=0.5)
    with pytest.raises(ValueError, match="a running mean of other weights"):
        mean.load({"weight": torch.zeros(1)})
