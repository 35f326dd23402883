"""Means of chunks that differ in size."""

from __future__ import annotations

import torch

from training.objectives.ranks import SingleProcess
from training.objectives.tally import Tally


class ThreeAlike(SingleProcess):
    """Three ranks that all have the same."""

    world = 3

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        return values * 3


def test_a_mean_is_over_things_and_not_over_chunks() -> None:
    tally = Tally()
    tally.add("distance", torch.tensor(6.0), 3)
    tally.add("distance", torch.tensor(0.0), 1)
    tally.add("other", torch.tensor(5.0), 1)
    for ranks in (SingleProcess(), ThreeAlike()):
        assert {name: value.item() for name, value in tally.means(ranks).items()} == {"distance": 1.5, "other": 5.0}


def test_of_nothing_there_is_no_mean() -> None:
    tally = Tally()
    tally.add("masked", torch.tensor(0.0), 0)
    assert tally.means(SingleProcess()) == {}
