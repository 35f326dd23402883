"""How far two histograms lie apart, and two runs: pure functions of integer counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from curation.histogram import HistogramCounts
from curation.statistics import counts_of
from schemas.config_file import ConfigError
from schemas.drift import DRIFT_QUANTILES, BrokenLimit, Drift, DriftLimits, RejectDrift, SourceDrift, SourceLimits
from schemas.records import Tier
from schemas.statistics import BEST_TEXT, HistogramEdges, SourceStatistics, Statistics

Counts = Mapping[int, int]

PSI_PARTS = 10
# A share of nothing counts as this much in the index, so that its logarithm is a number.
PSI_LEAST_SHARE = 1e-4
DIGITS = 6


def js_divergence(one: Counts, other: Counts) -> float:
    """Return the Jensen-Shannon divergence (Lin 1991) of two histograms on the same bins, to base 2: 0 to 1.

    Raises:
        ValueError: one of them counts nothing.
    """
    first, second = _shares(one), _shares(other)
    divergence = 0.0
    for index in sorted(first.keys() | second.keys()):
        p, q = first.get(index, 0.0), second.get(index, 0.0)
        middle = (p + q) / 2
        divergence += sum(share / 2 * math.log2(share / middle) for share in (p, q) if share > 0)
    return min(1.0, max(0.0, divergence))


def ks_distance(one: Counts, other: Counts) -> float:
    """Return the largest difference of cumulative shares (Kolmogorov-Smirnov), at the edges of the bins.

    Raises:
        ValueError: one of them counts nothing.
    """
    first, second = _shares(one), _shares(other)
    largest, p, q = 0.0, 0.0, 0.0
    for index in sorted(first.keys() | second.keys()):
        p, q = p + first.get(index, 0.0), q + second.get(index, 0.0)
        largest = max(largest, abs(p - q))
    return min(1.0, largest)


def stability_index(now: Counts, before: Counts) -> float:
    """Return the population stability index: sum of (p - q) ln(p / q) over about ten equal parts of `before`.

    A part ends with the bin in which it is full, so that one bin may fill several.

    Raises:
        ValueError: one of them counts nothing.
    """
    first, second = _shares(now), _shares(before)
    index, p, q, reached = 0.0, 0.0, 0.0, 0.0
    edges = iter(range(1, PSI_PARTS + 1))
    wanted = next(edges) / PSI_PARTS
    for place in sorted(first.keys() | second.keys()):
        p, q = p + first.get(place, 0.0), q + second.get(place, 0.0)
        reached += second.get(place, 0.0)
        if reached < wanted - 1e-12 or wanted >= 1.0:
            continue
        index, p, q = index + _psi_part(p, q), 0.0, 0.0
        while wanted < 1.0 and reached >= wanted - 1e-12:
            wanted = next(edges) / PSI_PARTS
    return index + _psi_part(p, q)


def _psi_part(p: float, q: float) -> float:
    if p == 0.0 and q == 0.0:
        return 0.0
    p, q = max(p, PSI_LEAST_SHARE), max(q, PSI_LEAST_SHARE)
    return (p - q) * math.log(p / q)


def _shares(counts: Counts) -> dict[int, float]:
    total = sum(counts.values())
    if total == 0:
        raise ValueError("a histogram without scores has no shares; compare sources that have scores in both runs")
    return {index: count / total for index, count in counts.items() if count}


def require_same_scores(one: Statistics, other: Statistics) -> None:
    """Refuse two runs whose scores do not compare.

    Raises:
        ConfigError: they were scored by another model, frames, prompt or aggregation, or counted in other bins than
            this version's.
    """
    for edges in (one.edges, other.edges):
        if edges != HistogramEdges():
            raise ConfigError(
                f"a run's histograms have {_edges_text(edges)}; allowed: {_edges_text(HistogramEdges())} in both runs; "
                "judge that run again with this version"
            )
    for name in ("digest", "frame_plan", "prompt", "top_k", "aggregation"):
        mine, theirs = getattr(one.scorer, name), getattr(other.scorer, name)
        if mine != theirs:
            raise ConfigError(
                f"scorer.{name} is {mine!r} in one run and {theirs!r} in the other; allowed: runs that were scored "
                "alike; score one of them again with the other's scorer"
            )


def _edges_text(edges: HistogramEdges) -> str:
    return f"{edges.bins} bins of {edges.step_1e4} from {edges.low_1e4} (1e-4 of a cosine)"


def compare_runs(now: Statistics, before: Statistics) -> Drift:
    """Return how a run differs from an earlier one.

    Raises:
        ConfigError: their scores do not compare.
    """
    require_same_scores(now, before)
    here, there = _scored(now), _scored(before)
    return Drift(
        corpus=now.corpus,
        corpus_before=before.corpus,
        sources=tuple(_source_drift(name, here[name], there[name]) for name in here if name in there),
        rejects=tuple(_reject_drifts(now, before)),
        only_here=tuple(name for name in here if name not in there),
        only_before=tuple(name for name in there if name not in here),
    )


def _scored(statistics: Statistics) -> dict[str, tuple[SourceStatistics, HistogramCounts]]:
    found = {}
    for source in statistics.sources:
        for histogram in source.histograms:
            mine = histogram.text_kind == BEST_TEXT and histogram.aggregation == statistics.scorer.aggregation
            if mine and histogram.count:
                found[source.name] = (source, counts_of(histogram))
    return found


def _source_drift(
    name: str, now: tuple[SourceStatistics, HistogramCounts], before: tuple[SourceStatistics, HistogramCounts]
) -> SourceDrift:
    (source, mine), (earlier, theirs) = now, before
    quantiles = [(level, mine.quantile_1e4(level), theirs.quantile_1e4(level)) for level in DRIFT_QUANTILES]
    shares = zip(mine.summary("", "").bucket_shares, theirs.summary("", "").bucket_shares, strict=True)
    return SourceDrift(
        source=name,
        samples=mine.count,
        samples_before=theirs.count,
        js=round(js_divergence(mine.bins, theirs.bins), DIGITS),
        psi=round(stability_index(mine.bins, theirs.bins), DIGITS),
        ks=round(ks_distance(mine.bins, theirs.bins), DIGITS),
        quantiles_1e4=tuple((level, (a or 0) - (b or 0)) for level, a, b in quantiles),
        shares=tuple((low, high, round(share - was, DIGITS)) for (low, high, share), (_, _, was) in shares),
        trusted=_trusted_shift(source, earlier),
    )


def _trusted_shift(now: SourceStatistics, before: SourceStatistics) -> float | None:
    if now.cuts is None or before.cuts is None:
        return None
    return round(_trusted_share(now) - _trusted_share(before), DIGITS)


def _trusted_share(source: SourceStatistics) -> float:
    trusted = sum(tier.samples for tier in source.tiers if tier.tier != Tier.VIDEO_ONLY.value)
    return trusted / source.samples if source.samples else 0.0


def _reject_drifts(now: Statistics, before: Statistics) -> Iterator[RejectDrift]:
    earlier = {source.name: source.ledger for source in before.sources}
    for source in now.sources:
        if source.name not in earlier:
            continue
        mine, theirs = source.ledger, earlier[source.name]
        records = _share(mine.records_rejected, mine.records_read)
        samples = _share(mine.samples_rejected, mine.samples_planned)
        yield RejectDrift(
            source=source.name,
            records=mine.records_read,
            records_before=theirs.records_read,
            records_rejected=round(records - _share(theirs.records_rejected, theirs.records_read), DIGITS),
            samples=mine.samples_planned,
            samples_before=theirs.samples_planned,
            samples_rejected=round(samples - _share(theirs.samples_rejected, theirs.samples_planned), DIGITS),
        )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def broken_limits(drift: Drift, limits: DriftLimits) -> list[BrokenLimit]:
    """Return the limits that a drift passes.

    Raises:
        ConfigError: `max_trusted_drop` is asked for a source that has no tiers in one of the runs.
    """
    broken: list[BrokenLimit] = []
    for source in drift.sources:
        own = limits.sources.get(source.source, limits.all_sources)
        if source.samples < limits.min_samples <= source.samples_before:
            broken.append(_broken(source.source, "min_samples", source.samples, limits.min_samples))
        elif source.samples_before >= limits.min_samples:
            broken += _broken_by(source, own)
    for rejects in drift.rejects:
        allowed = limits.sources.get(rejects.source, limits.all_sources).max_reject_rise
        rise = _reject_rise(rejects, limits.min_samples)
        if allowed is not None and rise > allowed:
            broken.append(_broken(rejects.source, "max_reject_rise", rise, allowed))
    if not limits.new_sources:
        broken += [_presence(name, "new_sources") for name in drift.only_here]
    if not limits.lost_sources:
        broken += [_presence(name, "lost_sources") for name in drift.only_before]
    return broken


def _presence(name: str, limit: str) -> BrokenLimit:
    return _broken(name, limit, 1.0, 0.0)


def _broken(source: str, limit: str, measured: float, allowed: float) -> BrokenLimit:
    return BrokenLimit(source=source, limit=limit, measured=round(measured, DIGITS), allowed=allowed)


def _reject_rise(rejects: RejectDrift, least: int) -> float:
    """Return the larger rise of both shares; one of fewer than `least` records or samples in a run counts as none."""
    shares = (
        (rejects.records, rejects.records_before, rejects.records_rejected),
        (rejects.samples, rejects.samples_before, rejects.samples_rejected),
    )
    return max((rise for now, before, rise in shares if min(now, before) >= least), default=0.0)


def _broken_by(source: SourceDrift, limits: SourceLimits) -> Iterator[BrokenLimit]:
    if source.trusted is None and limits.max_trusted_drop is not None:
        raise ConfigError(
            f"limits of source {source.source}: max_trusted_drop is {limits.max_trusted_drop}, and one side is a "
            "sum of runs with different cuts, which has no tiers; allowed: no such limit for it; remove it"
        )
    measured = {
        "max_js": source.js,
        "max_psi": source.psi,
        "max_ks": source.ks,
        "max_quantile_shift": max(abs(shift) for _, shift in source.quantiles_1e4) / 10_000,
        "max_share_shift": max(abs(shift) for _, _, shift in source.shares),
        "max_trusted_drop": -(source.trusted or 0.0),
    }
    for limit, value in measured.items():
        allowed = getattr(limits, limit)
        if allowed is not None and value > allowed:
            yield _broken(source.source, limit, value, allowed)
