"""A run's statistics from what judging counted: sums of tallies, histograms and cuts, in one stable document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.histogram import HistogramCounts, bin_low_1e4
from curation.tiers import resolve_cuts
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.ledger import Ledger
from schemas.published import VIDEOPRISM_LENGTHS
from schemas.records import Tier
from schemas.statistics import (
    BEST_TEXT,
    HISTOGRAM_BINS,
    HISTOGRAM_STEP_1E4,
    DuplicatePair,
    DuplicateStatistics,
    LedgerCounts,
    ReasonCount,
    ScoreHistogram,
    ScorerFacts,
    SourceStatistics,
    Statistics,
    TierCounts,
)
from schemas.units import UnitCommit

LARGEST_GROUPS = 10


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a judge job left for its last step.

    Attributes:
        tallies: key -> sum.
        histograms: (source, text kind, aggregation) -> histogram.
        ledgers: source -> both ledgers.
    """

    tallies: Mapping[tuple[str, ...], int]
    histograms: Mapping[tuple[str, str, str], ScoreHistogram]
    ledgers: Mapping[str, Ledger]


def sum_ledgers(commits: Iterable[UnitCommit], config: CorpusConfig) -> dict[str, Ledger]:
    """Return the ledgers of each source, all units summed; a source without units has empty ones."""
    ledgers = {source.name: Ledger() for source in config.sources}
    for commit in commits:
        ledgers[commit.source] = ledgers.get(commit.source, Ledger()) + commit.totals()
    return ledgers


def build_statistics(config: CorpusConfig, counted: Counted, scorer: ScorerFacts) -> Statistics:
    """Return the document.

    Raises:
        LedgerError: a source's ledger does not add up.
    """
    for name, ledger in counted.ledgers.items():
        ledger.check(f"source {name}")
    return Statistics(
        corpus=config.corpus,
        scorer=scorer,
        sources=tuple(_source(source, config, counted) for source in config.sources),
        duplicates=_duplicates(config, counted.tallies),
    )


def _source(source: SourceConfig, config: CorpusConfig, counted: Counted) -> SourceStatistics:
    name, tallies = source.name, counted.tallies
    histograms = tuple(counted.histograms[key] for key in sorted(counted.histograms) if key[0] == name)
    best = counted.histograms.get((name, BEST_TEXT, config.scorer.aggregation))
    return SourceStatistics(
        name=name,
        origin=source.origin.value,
        licence=source.licence.name,
        ledger=LedgerCounts(**vars(counted.ledgers[name])),
        samples=tallies.get(("samples", name), 0),
        samples_merged=tallies.get(("samples_merged", name), 0),
        videos=tallies.get(("videos", name), 0),
        duration_us=tallies.get(("duration_us", name), 0),
        media_bytes=tallies.get(("media_bytes", name), 0),
        cuts=resolve_cuts(config.cuts_of(source), source.origin, counts_of(best)),
        histograms=histograms,
        tiers=tuple(_tier(name, tier.value, tallies) for tier in Tier),
        rejects=tuple(_rejects(name, tallies)),
        duplicates=tallies.get(("duplicates", name), 0),
        lengths=tuple(tallies.get(("length", name, str(place)), 0) for place in range(len(VIDEOPRISM_LENGTHS))),
    )


def counts_of(histogram: ScoreHistogram | None) -> HistogramCounts:
    """Return the accumulator of a stable histogram: quantiles of both are the same."""
    if histogram is None:
        return HistogramCounts()
    bins = dict(histogram.counts)
    outer = {-1: histogram.underflow, HISTOGRAM_BINS: histogram.overflow}
    bins.update({index: count for index, count in outer.items() if count})
    return HistogramCounts(
        bins=bins,
        count=histogram.count,
        sum_1e4=histogram.sum_1e4,
        minimum_1e4=histogram.minimum_1e4,
        maximum_1e4=histogram.maximum_1e4,
        truncated=histogram.truncated_texts,
    )


def _tier(source: str, tier: str, tallies: Mapping[tuple[str, ...], int]) -> TierCounts:
    names = ("samples", "samples_sharded", "duration_us", "media_bytes")
    return TierCounts(tier=tier, **{name: tallies.get(("tier", source, tier, name), 0) for name in names})


def _rejects(source: str, tallies: Mapping[tuple[str, ...], int]) -> Iterator[ReasonCount]:
    for key in sorted(tallies):
        if key[0] == "reject" and key[1] == source:
            yield ReasonCount(stage=key[2], scope=key[3], reason=key[4], count=tallies[key])


def _duplicates(config: CorpusConfig, tallies: Mapping[tuple[str, ...], int]) -> DuplicateStatistics:
    sizes = {int(key[1]): count for key, count in tallies.items() if key[0] == "group_size"}
    largest = [size for size in sorted(sizes, reverse=True) for _ in range(min(sizes[size], LARGEST_GROUPS))]
    pairs = sorted((key[1], key[2], count) for key, count in tallies.items() if key[0] == "pair")
    return DuplicateStatistics(
        scope=config.duplicates.scope,
        action=config.duplicates.action,
        groups=sum(sizes.values()),
        samples_in_groups=sum(size * count for size, count in sizes.items()),
        samples_removed=tallies.get(("removed",), 0),
        pairs=tuple(DuplicatePair(source=first, other=second, groups=count) for first, second, count in pairs),
        largest=tuple(largest[:LARGEST_GROUPS]),
    )


def histogram_rows(histograms: Mapping[tuple[str, str, str], ScoreHistogram]) -> list[dict[str, Any]]:
    """Return the rows of `stats/histograms.parquet`: one per bin that is not empty, outer bins with open edges."""
    rows: list[dict[str, Any]] = []
    for source, kind, aggregation in sorted(histograms):
        counts = counts_of(histograms[source, kind, aggregation])
        for index in sorted(counts.bins):
            low = None if index < 0 else bin_low_1e4(index)
            high = None if index >= HISTOGRAM_BINS else bin_low_1e4(index) + HISTOGRAM_STEP_1E4
            rows.append(
                {
                    "source": source,
                    "text_kind": kind,
                    "aggregation": aggregation,
                    "bin": index,
                    "low_1e4": low,
                    "high_1e4": high,
                    "count": counts.bins[index],
                }
            )
    return rows


def over_reject_limit(config: CorpusConfig, ledgers: Mapping[str, Ledger]) -> Sequence[str]:
    """Return a line for each source whose share of rejected records is above its limit."""
    lines = []
    for source in config.sources:
        ledger = ledgers[source.name]
        if ledger.records_rejected > source.max_reject_share * ledger.records_read:
            lines.append(
                f"source {source.name}: {ledger.records_rejected} of {ledger.records_read} records were rejected; "
                f"allowed is a share of {source.max_reject_share}: see the table of rejects, mend the source, or "
                "raise max_reject_share"
            )
    return lines
