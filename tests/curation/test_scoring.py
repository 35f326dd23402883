from __future__ import annotations

import numpy as np
import pytest

from curation.scoring import ScoreNotFinite, aggregate_cosines, distinct, score_pairs


def test_aggregations_are_integers_of_1e_4() -> None:
    cosines = np.array([[0.25, -1.0], [0.75, -0.99996]], np.float32)
    scores = aggregate_cosines(cosines)
    assert {name: values.tolist() for name, values in scores.items()} == {
        "mean": [5_000, -10_000],
        "max": [7_500, -10_000],
    }


def test_scores_are_cosines_of_each_pair() -> None:
    frames, texts = np.eye(2, dtype=np.float32), np.array([[1, 0], [0.6, 0.8]], np.float32)
    assert score_pairs(frames, texts)["mean"].tolist() == [5_000, 7_000]
    assert score_pairs(frames, texts)["max"].tolist() == [10_000, 8_000]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_a_number(value: float) -> None:
    with pytest.raises(ScoreNotFinite, match="1 of 2 cosines are not finite"):
        aggregate_cosines(np.array([[0.5], [value]], np.float32))


def test_texts_are_embedded_once_each_in_one_order() -> None:
    assert distinct(["b", "a", "b"]) == ["a", "b"]
