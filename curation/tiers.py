"""From the cuts that a config asks for to numbers, by what they yield."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curation.histogram import HistogramCounts, bin_low_1e4
from schemas.judging import Clips, Cut, Cuts, Quantile, Share
from schemas.records import Origin
from schemas.statistics import HISTOGRAM_LOW_1E4, ResolvedCuts

# A cut that no text is trusted beyond: the cosine 1.
STRICTEST_1E4 = 10_000


@dataclass(frozen=True, kw_only=True)
class YieldBins:
    """A source's samples by the bin of their own text's score, as the feed `stats/yields.parquet` has them.

    Attributes:
        scored: bin -> samples with a score, whatever holds them back.
        free: bin -> samples with a score that neither a rule nor a duplicate's keeper holds back.
        free_total: the same with those without a score.
    """

    scored: Mapping[int, int]
    free: Mapping[int, int]
    free_total: int


def resolve_cuts(cuts: Cuts, origin: Origin, yields: YieldBins) -> ResolvedCuts:
    """Return the cuts as integers of 1e-4.

    Quantiles, shares and numbers of clips become lower edges of bins. In a source without any score they become 1
    (10,000): its samples have no text to trust. A cut is never looser than the one below it.
    """
    high = _resolve(cuts.high, yields)
    low = min(_resolve(cuts.low, yields), high)
    clean = None if origin is Origin.NOISY else max(_resolve(cuts.clean, yields), low)
    return ResolvedCuts(clean_1e4=clean, high_1e4=high, low_1e4=low)


def _resolve(cut: Cut, yields: YieldBins) -> int:
    if isinstance(cut, Quantile):
        value = HistogramCounts(bins=dict(yields.scored), count=sum(yields.scored.values())).quantile_1e4(cut.quantile)
        return STRICTEST_1E4 if value is None else value
    if isinstance(cut, Share):
        # Integer arithmetic: a share in units of 1e-6, so that no platform rounds the product differently.
        return highest_cut_1e4(yields.free, -(-round(cut.share * 1_000_000) * yields.free_total // 1_000_000))
    if isinstance(cut, Clips):
        return highest_cut_1e4(yields.free, cut.clips)
    return round(cut * 10_000)


def highest_cut_1e4(free: Mapping[int, int], wanted: int) -> int:
    """Return the highest edge of a bin that at least `wanted` samples reach; the lowest edge when there are fewer."""
    if wanted <= 0 or not any(free.values()):
        return STRICTEST_1E4
    reached = 0
    for index in sorted(free, reverse=True):
        reached += free[index]
        if reached >= wanted:
            return max(bin_low_1e4(index), HISTOGRAM_LOW_1E4)
    return HISTOGRAM_LOW_1E4
