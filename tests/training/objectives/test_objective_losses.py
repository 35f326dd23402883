"""The losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.objectives.losses import Pairs, cosine_distances, pair_accuracy, sigmoid_loss, softmax_loss

EYE = torch.eye(2)


def test_right_pairs_lose_what_the_softmax_leaves() -> None:
    # Logits are [[s, 0], [0, s]]: each row's loss is log(1 + e^-s).
    assert softmax_loss(Pairs.of(EYE, EYE), torch.tensor(3.0)).item() == pytest.approx(math.log(1 + math.exp(-3)))


def test_swapped_pairs_lose_the_scale_more() -> None:
    found = softmax_loss(Pairs.of(EYE, EYE.flip(0)), torch.tensor(3.0)).item()
    assert found == pytest.approx(3 + math.log(1 + math.exp(-3)))


def test_both_directions_count() -> None:
    video = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    text = torch.eye(2)
    # clip -> text: rows [1, 0] and [1, 0]; text -> clip: rows [1, 1] and [0, 0], that is log 2 each.
    first = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    assert softmax_loss(Pairs.of(video, text), torch.tensor(1.0)).item() == pytest.approx((first + math.log(2)) / 2)


def test_the_sigmoid_loss_takes_each_pair_by_itself() -> None:
    # Logits are [[3, 1], [1, 3]]: a clip's own text loses log(1 + e^-3), the other one log(1 + e^1).
    found = sigmoid_loss(Pairs.of(EYE, EYE), torch.tensor(2.0), torch.tensor(1.0)).item()
    assert found == pytest.approx(math.log(1 + math.exp(-3)) + math.log(1 + math.e))


def test_a_rank_compares_its_own_rows_with_everybodys() -> None:
    rows = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(2)), dim=1)
    texts = rows.roll(1, 0)
    own = [
        Pairs(
            video=rows[start : start + 3],
            text=texts[start : start + 3],
            every_video=rows,
            every_text=texts,
            first=start,
        )
        for start in (0, 3)
    ]
    scale, bias = torch.tensor(5.0), torch.tensor(-1.0)
    for loss in (lambda pairs: softmax_loss(pairs, scale), lambda pairs: sigmoid_loss(pairs, scale, bias)):
        assert (sum(loss(pairs) for pairs in own) / 2).item() == pytest.approx(loss(Pairs.of(rows, texts)).item())


def test_logits_are_not_rounded_under_autocast() -> None:
    rows = torch.nn.functional.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(1)), dim=1)
    plain = softmax_loss(Pairs.of(rows, rows.flip(0)), torch.tensor(100.0))
    with torch.autocast("cpu", torch.bfloat16):
        assert softmax_loss(Pairs.of(rows, rows.flip(0)), torch.tensor(100.0)).item() == plain.item()


def test_the_share_of_clips_that_find_their_text() -> None:
    assert pair_accuracy(Pairs.of(torch.eye(4), torch.eye(4)[[0, 1, 3, 2]])).item() == 0.5


DISTANCES = {
    "same direction": ([[2.0, 0.0]], [[5.0, 0.0]], [0.0]),
    "right angle": ([[1.0, 0.0]], [[0.0, 1.0]], [1.0]),
    "opposite": ([[1.0, 0.0]], [[-1.0, 0.0]], [2.0]),
    "each vector by itself": ([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [0.0, 1.0]),
}


@pytest.mark.parametrize("case", DISTANCES)
def test_cosine_distance(case: str) -> None:
    predicted, target, expected = DISTANCES[case]
    found = cosine_distances(torch.tensor(predicted), torch.tensor(target))
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: equal shapes"):
        cosine_distances(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="give pairs row by row"):
        Pairs.of(torch.zeros(2, 3), torch.zeros(3, 3))
