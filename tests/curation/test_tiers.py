from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.histogram import bin_low_1e4
from curation.tiers import YieldBins, highest_cut_1e4, resolve_cuts
from schemas.judging import Clips, Cut, Cuts, Quantile, Share
from schemas.records import Origin
from schemas.statistics import ResolvedCuts


def bins(scored: dict[int, int], free: dict[int, int] | None = None, free_total: int | None = None) -> YieldBins:
    free = scored if free is None else free
    return YieldBins(scored=scored, free=free, free_total=sum(free.values()) if free_total is None else free_total)


HUNDRED = bins({1_000 + place: 1 for place in range(100)})
# Bins 1200 (cosine 0.200), 1300 and 1400, with 10 clips that nothing holds back in each; 30 more have no text.
THIRTY = bins({1_200: 50, 1_300: 10, 1_400: 10}, {1_200: 10, 1_300: 10, 1_400: 10}, 60)


def test_quantile_cuts_come_from_the_source_itself() -> None:
    cuts = Cuts(clean=0.05, high=Quantile(quantile=0.5), low=Quantile(quantile=0.1))
    assert resolve_cuts(cuts, Origin.CLEAN, HUNDRED) == ResolvedCuts(clean_1e4=500, high_1e4=490, low_1e4=90)
    assert resolve_cuts(cuts, Origin.NOISY, HUNDRED).clean_1e4 is None


@pytest.mark.parametrize(
    ("cut", "edge"),
    [
        (Clips(clips=1), 4_000),
        (Clips(clips=10), 4_000),
        (Clips(clips=11), 3_000),
        (Clips(clips=30), 2_000),
        (Clips(clips=31), -10_000),
        (Share(share=0.0), 10_000),
        (Share(share=0.16), 4_000),
        (Share(share=0.17), 3_000),
        (Share(share=0.5), 2_000),
        (Share(share=1.0), -10_000),
        (Quantile(quantile=0.5), 2_000),
        (0.23456, 2_346),
    ],
)
def test_each_kind_of_cut(cut: Cut, edge: int) -> None:
    assert resolve_cuts(Cuts(high=cut, low=-1.0), Origin.NOISY, THIRTY).high_1e4 == edge


@given(st.dictionaries(st.integers(-1, 2_000), st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 200))
def test_the_highest_edge_that_enough_clips_reach(free: dict[int, int], wanted: int) -> None:
    edge = highest_cut_1e4(free, wanted)
    reached = sum(count for index, count in free.items() if max(bin_low_1e4(index), -10_000) >= edge)
    above = sum(count for index, count in free.items() if bin_low_1e4(index) > edge)
    if edge == 10_000:
        assert not any(free.values()) or free.get(2_000, 0) >= wanted
    else:
        assert reached >= min(wanted, sum(free.values()))
        assert above < wanted


def test_a_looser_cut_never_lies_above_a_stricter_one() -> None:
    cuts = resolve_cuts(Cuts(clean=-0.5, high=0.1, low=Quantile(quantile=1.0)), Origin.CLEAN, THIRTY)
    assert cuts == ResolvedCuts(clean_1e4=1_000, high_1e4=1_000, low_1e4=1_000)


@pytest.mark.parametrize("cut", [Quantile(quantile=0.1), Share(share=0.5), Clips(clips=5)])
def test_a_source_without_scores_trusts_no_text(cut: Cut) -> None:
    cuts = resolve_cuts(Cuts(high=cut, low=cut), Origin.NOISY, bins({}, {}, 40))
    assert (cuts.high_1e4, cuts.low_1e4) == (10_000, 10_000)
