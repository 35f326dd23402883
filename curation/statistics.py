"""A run's statistics from what judging added up: one stable document, and the tables beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl
import pyarrow as pa

from curation.histogram import HistogramCounts
from curation.judging.tables import TABLES
from curation.tiers import YieldBins, resolve_cuts
from schemas import arrow, run
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.ledger import Ledger
from schemas.published import VIDEOPRISM_LENGTHS
from schemas.records import Tier
from schemas.statistics import (
    HISTOGRAM_BINS,
    HISTOGRAM_LOW_1E4,
    HISTOGRAM_STEP_1E4,
    BenchmarkCount,
    DuplicatePair,
    DuplicateStatistics,
    DuplicateSummary,
    LedgerCounts,
    ReasonCount,
    RuleCount,
    ScoreHistogram,
    ScorerFacts,
    SourceStatistics,
    Statistics,
    TierCounts,
)
from schemas.units import UnitCommit

LARGEST_GROUPS = 10


@dataclass(frozen=True)
class Counted:
    """What a judge job left for its last step.

    Attributes:
        tables: name -> table of `curation.judging.tables`; one that nothing was added to is empty.
        ledgers: source -> both ledgers.
    """

    tables: Mapping[str, pl.DataFrame]
    ledgers: Mapping[str, Ledger]

    def table(self, name: str) -> pl.DataFrame:
        """Return a table by name."""
        return self.tables.get(name, TABLES[name].schema.to_frame())

    def of_source(self, name: str, source: str) -> pl.DataFrame:
        """Return a table's rows of one source."""
        return self.table(name).filter(pl.col("source") == source)

    @cached_property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """(source, name) -> count."""
        return {(source, name): count for source, name, count in self.table("counts").iter_rows()}


def sum_ledgers(commits: Iterable[UnitCommit], config: CorpusConfig) -> dict[str, Ledger]:
    """Return the ledgers of each source, all units summed; a source without units has empty ones."""
    ledgers = {source.name: Ledger() for source in config.sources}
    for commit in commits:
        ledgers[commit.source] = ledgers.get(commit.source, Ledger()) + commit.totals()
    return ledgers


def build_statistics(
    config: CorpusConfig, counted: Counted, scorer: ScorerFacts, found: DuplicateSummary
) -> Statistics:
    """Return the document.

    Args:
        found: what finding duplicates came to.

    Raises:
        LedgerError: a source's ledger does not add up.
    """
    for name, ledger in counted.ledgers.items():
        ledger.check(f"source {name}")
    return Statistics(
        corpus=config.corpus,
        scorer=scorer,
        sources=tuple(_source(source, config, counted) for source in config.sources),
        duplicates=_duplicates(config, counted, found),
    )


def _source(source: SourceConfig, config: CorpusConfig, counted: Counted) -> SourceStatistics:
    name = source.name
    totals = {name: count for (owner, name), count in counted.counts.items() if owner == source.name}
    yields = counted.of_source("yields", name)
    rules = {name.removeprefix("rule_"): count for name, count in totals.items() if name.startswith("rule_")}
    return SourceStatistics(
        name=name,
        origin=source.origin.value,
        licence=source.licence.name,
        ledger=LedgerCounts(**vars(counted.ledgers[name])),
        samples=totals.get("samples", 0),
        samples_merged=totals.get("samples_merged", 0),
        videos=totals.get("videos", 0),
        duration_us=totals.get("duration_us", 0),
        media_bytes=totals.get("media_bytes", 0),
        cuts=resolve_cuts(config.cuts_of(source), source.origin, yield_bins(yields)),
        histograms=tuple(_histograms(counted.of_source("histograms", name))),
        tiers=tuple(_tiers(counted.of_source("tiers", name))),
        rejects=tuple(_rejects(counted.of_source("rejects", name))),
        rules=tuple(RuleCount(rule=rule, samples=rules[rule]) for rule in sorted(rules)),
        left_out_by_rule=_total(yields, "held_rule_clips"),
        left_out_as_duplicate=_total(yields, "held_duplicate_clips"),
        duplicates=totals.get("duplicates", 0),
        lengths=tuple(totals.get(f"length_{place}", 0) for place in range(len(VIDEOPRISM_LENGTHS))),
    )


def yield_bins(yields: pl.DataFrame) -> YieldBins:
    """Return what cuts are resolved from: a source's rows of the table `yields`."""
    scored: dict[int, int] = {}
    free: dict[int, int] = {}
    columns = ("bin", "clips", "held_rule_clips", "held_duplicate_clips")
    for index, clips, by_rule, as_duplicate in yields.select(columns).iter_rows():
        if index is not None:
            scored[index] = clips + by_rule + as_duplicate
            free[index] = clips
    return YieldBins(scored=scored, free=free, free_total=_total(yields, "clips"))


def _histograms(rows: pl.DataFrame) -> Iterator[ScoreHistogram]:
    for (kind, aggregation), own in sorted(rows.partition_by("text_kind", "aggregation", as_dict=True).items()):
        yield counts_of_rows(own).summary(str(kind), str(aggregation))


def _total(rows: pl.DataFrame, column: str) -> int:
    return int(rows.select(pl.col(column).sum()).item())


def counts_of_rows(rows: pl.DataFrame) -> HistogramCounts:
    """Return the accumulator of one histogram's rows of the table `histograms`."""
    return HistogramCounts(
        bins=dict(rows.select("bin", "count").iter_rows()),
        count=_total(rows, "count"),
        sum_1e4=_total(rows, "sum_1e4"),
        minimum_1e4=rows.select(pl.col("minimum_1e4").min()).item(),
        maximum_1e4=rows.select(pl.col("maximum_1e4").max()).item(),
        truncated=_total(rows, "truncated"),
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


def _tiers(rows: pl.DataFrame) -> Iterator[TierCounts]:
    found = {row["tier"]: row for row in rows.drop("source").iter_rows(named=True)}
    nothing = {"samples": 0, "samples_sharded": 0, "duration_us": 0, "media_bytes": 0}
    for tier in Tier:
        yield TierCounts(**{**nothing, "tier": tier.value, **found.get(tier.value, {})})


def _rejects(rows: pl.DataFrame) -> Iterator[ReasonCount]:
    for row in rows.drop("source").iter_rows(named=True):
        yield ReasonCount(**row)


def _duplicates(config: CorpusConfig, counted: Counted, found: DuplicateSummary) -> DuplicateStatistics:
    sizes = dict(counted.table("group_sizes").iter_rows())
    largest = [size for size in sorted(sizes, reverse=True) for _ in range(min(sizes[size], LARGEST_GROUPS))]
    pairs = counted.table("pairs").sort("source", "other").iter_rows()
    return DuplicateStatistics(
        scope=config.duplicates.scope,
        action=config.duplicates.exact.action,
        groups=sum(sizes.values()),
        removed=_by_name(counted, "removed_"),
        near=sum(number for (_, name), number in counted.counts.items() if name == "near"),
        sizes=tuple(sorted(sizes.items())),
        benchmarks=tuple(
            BenchmarkCount(benchmark=name.removeprefix("benchmark_"), source=source, samples=number)
            for (source, name), number in sorted(counted.counts.items())
            if name.startswith("benchmark_")
        ),
        found=found,
        samples_in_groups=sum(size * count for size, count in sizes.items()),
        samples_removed=_total(counted.table("yields"), "held_duplicate_clips"),
        pairs=tuple(DuplicatePair(source=first, other=second, groups=count) for first, second, count in pairs),
        largest=tuple(largest[:LARGEST_GROUPS]),
    )


def _by_name(counted: Counted, prefix: str) -> dict[str, int]:
    """Return the counts whose names begin with a prefix, without it, over all sources."""
    found: dict[str, int] = {}
    for (_, name), number in sorted(counted.counts.items()):
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = found.get(name.removeprefix(prefix), 0) + number
    return found


def statistics_tables(counted: Counted) -> dict[str, bytes]:
    """Return path -> bytes of the Parquet tables beside the document."""
    histograms, yields = with_edges(counted.table("histograms")), with_edges(counted.table("yields"))
    feed: tuple[tuple[str, pl.DataFrame, pa.Schema], ...] = (
        (run.HISTOGRAMS_PARQUET, histograms, arrow.HISTOGRAMS),
        (run.YIELDS_PARQUET, yields, arrow.YIELDS),
        (run.DISTRIBUTIONS_PARQUET, counted.table("distributions"), arrow.DISTRIBUTIONS),
        (run.JOINT_PARQUET, counted.table("joint"), arrow.JOINT),
        (run.EXAMPLES_PARQUET, counted.table("examples"), arrow.EXAMPLES),
        (run.REJECT_EXAMPLES_PARQUET, counted.table("reject_examples"), arrow.REJECT_EXAMPLES),
    )
    return {path: arrow.table_bytes(frame.to_arrow(), schema) for path, frame, schema in feed}


def with_edges(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table with the lower and upper edge of each `bin`, in 1e-4; open where a bin is."""
    index = pl.col("bin")
    low = (HISTOGRAM_LOW_1E4 + index * HISTOGRAM_STEP_1E4).cast(pl.Int32)
    return table.with_columns(
        low_1e4=pl.when(index >= 0).then(low),
        high_1e4=pl.when(index < HISTOGRAM_BINS).then(low + HISTOGRAM_STEP_1E4),
    )


def over_reject_limit(
    config: CorpusConfig, ledgers: Mapping[str, Ledger], suppressed: Mapping[tuple[str, str], int]
) -> Sequence[str]:
    """Return a line for each source that rejects more of its records, or of its planned samples, than its limit.

    Args:
        suppressed: (source, scope) -> how many of the rejects were taken down; they are no fault of the source.
    """
    lines = []
    for source in config.sources:
        ledger, limit = ledgers[source.name], source.max_reject_share
        for what, scope, rejected, of in (
            ("records", "record", ledger.records_rejected, ledger.records_read),
            ("samples", "sample", ledger.samples_rejected, ledger.samples_planned),
        ):
            hidden = suppressed.get((source.name, scope), 0)
            rejected, of = rejected - hidden, of - hidden
            if rejected > limit * of:
                lines.append(
                    f"source {source.name}: {rejected} of {of} {what} were rejected; allowed is a share of {limit}: "
                    "see the table of rejects, mend the source, or raise max_reject_share"
                )
    return lines
