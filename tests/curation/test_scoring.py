from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scoring import (
    AGGREGATIONS,
    ScoreNotFinite,
    aggregate_cosines,
    distinct,
    offset_us,
    pair_cosines,
    score_pairs,
)


def test_aggregations_are_integers_of_1e_4() -> None:
    cosines = np.array([[0.25, -1.0], [0.75, -0.99996], [0.5, -0.5], [0.0, -0.75]], np.float32)
    scores = aggregate_cosines(cosines, top_k=2)
    assert {name: values.tolist() for name, values in scores.items()} == {
        "max": [7_500, -5_000],
        "mean": [3_750, -8_125],
        "top_k": [6_250, -6_250],
    }
    assert tuple(scores) == AGGREGATIONS


def test_fewer_frames_than_k_are_all_of_them() -> None:
    cosines = np.array([[0.25], [0.75]], np.float32)
    assert aggregate_cosines(cosines, top_k=3)["top_k"].tolist() == [5_000]
    assert aggregate_cosines(cosines, top_k=1)["top_k"].tolist() == [7_500]
    with pytest.raises(ValueError, match=r"top_k is 0; allowed: 1 or more"):
        aggregate_cosines(cosines, top_k=0)


def test_scores_are_cosines_of_each_pair() -> None:
    frames, texts = np.eye(2, dtype=np.float32), np.array([[1, 0], [0.6, 0.8]], np.float32)
    assert score_pairs(frames, texts)["mean"].tolist() == [5_000, 7_000]
    assert score_pairs(frames, texts)["max"].tolist() == [10_000, 8_000]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_a_number(value: float) -> None:
    with pytest.raises(ScoreNotFinite, match="1 of 2 cosines are not finite"):
        aggregate_cosines(np.array([[0.5], [value]], np.float32))


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 7), st.integers(1, 5))
def test_a_pair_scores_the_same_in_any_company(seed: int, frames: int, texts: int, top_k: int) -> None:
    rng = np.random.default_rng(seed)
    seen, said = rng.normal(size=(frames, 33)).astype("f4") / 9, rng.normal(size=(texts, 33)).astype("f4") / 9
    together = pair_cosines(seen, said)
    for place in range(texts):
        assert np.array_equal(pair_cosines(seen, said[place : place + 1])[:, 0], together[:, place])
    scores = aggregate_cosines(together, top_k)
    assert (scores["mean"] <= scores["top_k"] + 1).all()
    assert (scores["top_k"] <= scores["max"]).all()


def test_texts_are_embedded_once_each_in_one_order() -> None:
    assert distinct(["b", "a", "b"]) == ["a", "b"]


# name -> (start of the text, start of the clip, offset)
OFFSETS = {
    "said after the clip begins": (5_000_000, 3_000_000, 2_000_000),
    "said before": (1_000_000, 3_000_000, -2_000_000),
    "a clip from the video's own start": (5_000_000, None, 5_000_000),
    "a text without a span": (None, 3_000_000, 0),
}


@pytest.mark.parametrize("case", OFFSETS)
def test_an_offset_is_the_text_against_the_clip(case: str) -> None:
    text_start_us, clip_start_us, expected = OFFSETS[case]
    assert offset_us(text_start_us, clip_start_us) == expected
