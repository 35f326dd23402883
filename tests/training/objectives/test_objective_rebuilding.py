"""Pixels of what was left out: which count, and what they are compared with."""

from __future__ import annotations

import pytest
import torch

from tests.training.objectives.objective_builders import batch, generator, gradients, stage_one
from training.objectives import ContrastiveOptions
from training.objectives.rebuilding import hidden_error, patch_targets


def test_targets_are_patches_row_by_row_of_mean_0_and_spread_1() -> None:
    frames = torch.zeros(1, 2, 2, 4, 3)
    frames[0, 1, :, 2:, 0] = 1  # frame 1, right patch: the first channel is on
    found = patch_targets(frames, 2)
    assert found.shape == (1, 4, 12)
    assert found[0, :3].abs().max() == 0
    # 4 of 12 values are 1: mean 1/3, variance (4 * 4/9 + 8 * 1/9) / 11 = 8/33.
    high, low = (2 / 3) / (8 / 33) ** 0.5, (-1 / 3) / (8 / 33) ** 0.5
    assert found[0, 3].tolist() == pytest.approx([high, low, low] * 4, abs=1e-4)


def test_only_hidden_places_count() -> None:
    predicted = torch.tensor([[[1.0, 1.0], [9.0, 9.0], [2.0, 0.0]]])
    assert hidden_error(predicted, torch.zeros(1, 3, 2), torch.tensor([[1]])).tolist() == [1.5]


def test_one_stage_adds_what_is_rebuilt_and_trains_all_of_it() -> None:
    objective = stage_one(rebuild=True)
    found = objective.backward(batch(), generator())
    assert found.total.item() == pytest.approx(found.terms["contrastive"].item() + found.terms["rebuilt"].item())
    assert gradients(objective).keys() == dict(objective.trained.named_parameters()).keys()
    alone = stage_one().backward(batch(), generator()).total
    assert found.terms["contrastive"].item() == pytest.approx(alone.item())


def test_nothing_to_rebuild_is_refused() -> None:
    with pytest.raises(ValueError, match="rebuild is on and dropped_share 0"):
        ContrastiveOptions(rebuild=True, dropped_share=0.0)
    with pytest.raises(ValueError, match="leaves all 4 patches and rebuild is on"):
        stage_one(rebuild=True, dropped_share=0.01)
