"""What is random in a step hangs on seed, stage and step, and on nothing else."""

from __future__ import annotations

import pytest
import torch

from training.loop.fit import step_generator


def drawn(seed: int, stage: int, step: int) -> list[float]:
    return torch.rand(4, generator=step_generator(seed, stage, step)).tolist()


def test_equal_places_draw_alike() -> None:
    assert drawn(1, 2, 3) == drawn(1, 2, 3)


@pytest.mark.parametrize("other", [(2, 2, 3), (1, 1, 3), (1, 2, 4)], ids=["seed", "stage", "step"])
def test_another_seed_stage_or_step_draws_anew(other: tuple[int, int, int]) -> None:
    assert drawn(1, 2, 3) != drawn(*other)
