"""Tiers: a pure, total function of a sample's best score, its source's origin and the cuts. A label drops nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from curation.histogram import HistogramCounts
from schemas.corpus import Cut, Cuts, Quantile
from schemas.records import Origin, Tier
from schemas.statistics import ResolvedCuts


@dataclass(frozen=True, kw_only=True)
class ScoredText:
    """One text of a sample with its score under the aggregation that judging reads."""

    text_id: str
    kind: str
    score_1e4: int
    truncated: bool


def choose_text(texts: Iterable[ScoredText]) -> ScoredText | None:
    """Return the text that stands for the sample: the best score, ties by the smaller id; None without texts."""
    return min(texts, key=lambda text: (-text.score_1e4, text.text_id), default=None)


def resolve_cuts(cuts: Cuts, origin: Origin, best: HistogramCounts) -> ResolvedCuts:
    """Return the cuts as integers of 1e-4, with quantiles read from the source's best-text histogram.

    A quantile of a source without any score resolves to 1 (10,000): its samples have no text to trust.
    """
    high = _resolve(cuts.high, best)
    low = min(_resolve(cuts.low, best), high)
    clean = None if origin is Origin.NOISY else max(_resolve(cuts.clean, best), low)
    return ResolvedCuts(clean_1e4=clean, high_1e4=high, low_1e4=low)


def _resolve(cut: Cut, best: HistogramCounts) -> int:
    if isinstance(cut, Quantile):
        value = best.quantile_1e4(cut.quantile)
        return 10_000 if value is None else value
    return round(cut * 10_000)


def assign_tier(score_1e4: int | None, cuts: ResolvedCuts) -> Tier:
    """Return the tier of a sample whose best text has this score; None means that it has no scored text.

    Monotone: a higher score never gives a worse tier. A clean source has a clean cut; below it a sample gets a noisy
    label like any other.
    """
    if score_1e4 is None:
        return Tier.VIDEO_ONLY
    if cuts.clean_1e4 is not None and score_1e4 >= cuts.clean_1e4:
        return Tier.CLEAN
    if score_1e4 >= cuts.high_1e4:
        return Tier.NOISY_HIGH
    return Tier.NOISY_LOW if score_1e4 >= cuts.low_1e4 else Tier.VIDEO_ONLY
