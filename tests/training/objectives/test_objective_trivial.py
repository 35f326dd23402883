"""The distance that a student reaches which says the mean of the batch."""

from __future__ import annotations

import pytest
import torch

from training.objectives.losses import cosine_distances
from training.objectives.ranks import SingleProcess
from training.objectives.trivial import TrivialDistance


def test_it_is_the_distance_from_the_mean_however_the_batch_comes() -> None:
    targets = torch.randn(6, 5, 8, generator=torch.Generator().manual_seed(0)) + 1
    expected = cosine_distances(targets.mean(dim=0).expand_as(targets), targets).mean().item()
    for sizes in ([6], [4, 2], [1] * 6):
        trivial = TrivialDistance()
        for chunk in targets.split(sizes):
            trivial.add(chunk)
        assert trivial.distance(SingleProcess()).item() == pytest.approx(expected, abs=1e-6)


def test_opposite_clips_leave_nothing_to_say() -> None:
    trivial = TrivialDistance()
    trivial.add(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    assert trivial.distance(SingleProcess()).item() == 1.0


def test_of_no_clip_there_is_none() -> None:
    with pytest.raises(ValueError, match="allowed: those of at least one clip"):
        TrivialDistance().distance(SingleProcess())
