"""The losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.objectives.losses import contrastive_loss, cosine_distance, pair_accuracy

EYE = torch.eye(2)


def test_right_pairs_lose_what_the_softmax_leaves() -> None:
    # Logits are [[s, 0], [0, s]]: each row's loss is log(1 + e^-s).
    assert contrastive_loss(EYE, EYE, torch.tensor(3.0)).item() == pytest.approx(math.log(1 + math.exp(-3)))


def test_swapped_pairs_lose_the_scale_more() -> None:
    found = contrastive_loss(EYE, EYE.flip(0), torch.tensor(3.0)).item()
    assert found == pytest.approx(3 + math.log(1 + math.exp(-3)))


def test_both_directions_count() -> None:
    video = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    text = torch.eye(2)
    # clip -> text: rows [1, 0] and [1, 0]; text -> clip: rows [1, 1] and [0, 0], that is log 2 each.
    first = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    assert contrastive_loss(video, text, torch.tensor(1.0)).item() == pytest.approx((first + math.log(2)) / 2)


def test_logits_are_not_rounded_under_autocast() -> None:
    rows = torch.nn.functional.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(1)), dim=1)
    plain = contrastive_loss(rows, rows.flip(0), torch.tensor(100.0))
    with torch.autocast("cpu", torch.bfloat16):
        assert contrastive_loss(rows, rows.flip(0), torch.tensor(100.0)).item() == plain.item()


def test_the_share_of_clips_that_find_their_text() -> None:
    assert pair_accuracy(torch.eye(4), torch.eye(4)[[0, 1, 3, 2]]).item() == 0.5


DISTANCES = {
    "same direction": ([[2.0, 0.0]], [[5.0, 0.0]], 0.0),
    "right angle": ([[1.0, 0.0]], [[0.0, 1.0]], 1.0),
    "opposite": ([[1.0, 0.0]], [[-1.0, 0.0]], 2.0),
    "mean over vectors": ([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], 0.5),
}


@pytest.mark.parametrize("case", DISTANCES)
def test_cosine_distance(case: str) -> None:
    predicted, target, expected = DISTANCES[case]
    assert cosine_distance(torch.tensor(predicted), torch.tensor(target)).item() == pytest.approx(expected, abs=1e-6)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: equal shapes"):
        cosine_distance(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="give pairs row by row"):
        contrastive_loss(torch.zeros(2, 3), torch.zeros(3, 3), torch.tensor(1.0))
