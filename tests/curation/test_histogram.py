from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.histogram import HistogramCounts, bin_of
from curation.statistics import counts_of

SCORES = st.lists(st.integers(-10_500, 10_500), max_size=60)


@pytest.mark.parametrize(
    ("score_1e4", "index"),
    [
        (-10_001, -1),
        (-10_000, 0),
        (-9_991, 0),
        (-9_990, 1),
        (0, 1000),
        (9, 1000),
        (10, 1001),
        (9_999, 1999),
        (10_000, 2000),
    ],
)
def test_bins_are_half_open(score_1e4: int, index: int) -> None:
    assert bin_of(score_1e4) == index


def counted(scores: list[int]) -> HistogramCounts:
    counts = HistogramCounts()
    for score in scores:
        counts.add(score)
    return counts


@given(SCORES, st.integers(0, 60), st.randoms(use_true_random=False))
def test_any_split_in_any_order_gives_the_same_counts(scores: list[int], cut: int, order: random.Random) -> None:
    shuffled = order.sample(scores, len(scores))
    merged = HistogramCounts()
    for part in (shuffled[:cut], [], shuffled[cut:]):
        merged.merge(counted(part))
    assert merged == counted(scores)
    assert merged.summary("caption", "mean") == counted(scores).summary("caption", "mean")


@given(SCORES)
def test_the_stable_form_loses_nothing(scores: list[int]) -> None:
    assert counts_of(counted(scores).summary("caption", "mean")) == counted(scores)


@given(
    st.lists(st.integers(-10_000, 9_999), min_size=1, max_size=60), st.sampled_from([0.0, 0.05, 0.25, 0.5, 0.99, 1.0])
)
def test_a_quantile_is_the_bin_of_the_sorted_value(scores: list[int], quantile: float) -> None:
    rank = max(1, -(-round(quantile * 1_000_000) * len(scores) // 1_000_000))
    value = sorted(scores)[rank - 1]
    low = counted(scores).quantile_1e4(quantile)
    assert low is not None and low <= value < low + 10


def test_literal_summary() -> None:
    counts = counted([1_999, 2_000, 2_400, 3_600])
    counts.add(-10_400, truncated=True)
    summary = counts.summary("alt", "max")
    assert (summary.count, summary.underflow, summary.overflow, summary.truncated_texts) == (5, 1, 0, 1)
    assert summary.counts == ((1199, 1), (1200, 1), (1240, 1), (1360, 1))
    assert (summary.mean_1e4, summary.minimum_1e4, summary.maximum_1e4) == (-80, -10_400, 3_600)
    assert [share for _, _, share in summary.bucket_shares] == [0.4, 0.4, 0.0, 0.0, 0.2]


def test_nothing_counted_has_no_numbers() -> None:
    summary = HistogramCounts().summary("alt", "mean")
    assert (summary.mean_1e4, summary.quantiles_1e4, summary.bucket_shares) == (None, (), ())


@pytest.mark.parametrize(("scores", "mean"), [([1, 2], 2), ([2, 3], 2), ([-1, -2], -2), ([1, 1, 2], 1)])
def test_means_are_rounded_half_to_even(scores: list[int], mean: int) -> None:
    assert counted(scores).summary("alt", "mean").mean_1e4 == mean
