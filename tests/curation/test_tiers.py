from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.histogram import HistogramCounts
from curation.tiers import ScoredText, assign_tier, choose_text, resolve_cuts
from schemas.corpus import Cuts, Quantile
from schemas.records import Origin, Tier
from schemas.statistics import ResolvedCuts

CLEAN = ResolvedCuts(clean_1e4=2_500, high_1e4=3_000, low_1e4=2_000)
NOISY = ResolvedCuts(clean_1e4=None, high_1e4=3_000, low_1e4=2_000)


@pytest.mark.parametrize(
    ("score", "cuts", "tier"),
    [
        (None, CLEAN, "video_only"),
        (2_500, CLEAN, "clean"),
        (2_499, CLEAN, "noisy_low"),
        (1_999, CLEAN, "video_only"),
        (3_000, NOISY, "noisy_high"),
        (2_999, NOISY, "noisy_low"),
        (2_000, NOISY, "noisy_low"),
        (1_999, NOISY, "video_only"),
    ],
)
def test_tier_at_each_edge(score: int | None, cuts: ResolvedCuts, tier: str) -> None:
    assert assign_tier(score, cuts) == tier


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000), st.sampled_from([CLEAN, NOISY]))
def test_a_higher_score_never_gives_a_worse_tier(one: int, other: int, cuts: ResolvedCuts) -> None:
    order = [Tier.VIDEO_ONLY, Tier.NOISY_LOW, Tier.NOISY_HIGH, Tier.CLEAN]
    low, high = sorted((one, other))
    assert order.index(assign_tier(low, cuts)) <= order.index(assign_tier(high, cuts))


def test_quantile_cuts_come_from_the_source_itself() -> None:
    best = HistogramCounts()
    for score in range(0, 1_000, 10):
        best.add(score)
    cuts = Cuts(clean=0.05, high=Quantile(quantile=0.5), low=Quantile(quantile=0.1))
    assert resolve_cuts(cuts, Origin.CLEAN, best) == ResolvedCuts(clean_1e4=500, high_1e4=490, low_1e4=90)
    assert resolve_cuts(cuts, Origin.NOISY, best).clean_1e4 is None


def test_a_source_without_scores_trusts_no_text() -> None:
    cuts = resolve_cuts(Cuts(), Origin.NOISY, HistogramCounts())
    assert (cuts.high_1e4, cuts.low_1e4) == (10_000, 10_000)


def test_the_chosen_text_is_the_best_and_ties_go_to_the_smaller_id() -> None:
    texts = [
        ScoredText(text_id=name, kind="alt", score_1e4=score, truncated=False)
        for name, score in [("c", 10), ("b", 30), ("a", 30)]
    ]
    chosen = choose_text(texts)
    assert chosen is not None and chosen.text_id == "a"
    assert choose_text([]) is None
