"""Statistics of several runs as one: every count is added, nothing is estimated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import reduce
from typing import Any

import polars as pl

from curation.drift import require_same_scores
from curation.judging import tables
from curation.judging.sums import SumTable
from curation.statistics import counts_of, with_edges
from curation.store import Store
from schemas import arrow, run
from schemas.config_file import ConfigError
from schemas.statistics import (
    BenchmarkCount,
    DuplicatePair,
    DuplicateStatistics,
    LedgerCounts,
    ReasonCount,
    RuleCount,
    ScoreHistogram,
    SourceStatistics,
    Statistics,
    TierCounts,
)

LARGEST_GROUPS = 10
_HISTOGRAMS = SumTable(name="histograms", keys=tables.HISTOGRAMS.keys, sums=("count",))
# Tables that add up, and where they lie; examples do not: they are of one run.
MERGED_TABLES: dict[str, tuple[SumTable, Any]] = {
    run.HISTOGRAMS_PARQUET: (_HISTOGRAMS, arrow.HISTOGRAMS),
    run.YIELDS_PARQUET: (tables.YIELDS, arrow.YIELDS),
    run.DISTRIBUTIONS_PARQUET: (tables.DISTRIBUTIONS, arrow.DISTRIBUTIONS),
    run.JOINT_PARQUET: (tables.JOINT, arrow.JOINT),
}


def merge_statistics(found: Sequence[Statistics]) -> Statistics:
    """Return the sum of runs; a source that several have is added up.

    A video that two runs hold counts twice, and copies across runs are not looked for: neither can be told from counts.
    Where a source's cuts differ between runs, as cuts from its own quantiles nearly always do, equal tiers would mean
    different things: the source has neither cuts nor tiers then, and everything else is added up.

    Raises:
        ConfigError: their scores do not compare, or a source of several has another origin or licence.
    """
    for other in found[1:]:
        require_same_scores(found[0], other)
    by_name: dict[str, list[SourceStatistics]] = {}
    for one in found:
        for source in one.sources:
            by_name.setdefault(source.name, []).append(source)
    corpora = list(dict.fromkeys(one.corpus for one in found))
    return Statistics(
        corpus="_".join(corpora),
        scorer=found[0].scorer,
        sources=tuple(reduce(_add_sources, group) for group in by_name.values()),
        duplicates=reduce(_add_duplicates, (one.duplicates for one in found)),
    )


def _add_sources(one: SourceStatistics, other: SourceStatistics) -> SourceStatistics:
    for name in ("origin", "licence"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            raise ConfigError(
                f"source {one.name}: {name} is {mine} in one run and {theirs} in another; allowed: equal ones; "
                "rename one source"
            )
    sums = ("samples", "samples_merged", "videos", "duration_us", "media_bytes", "duplicates")
    left_out = ("left_out_by_rule", "left_out_as_duplicate")
    tiers = _added(TierCounts, ("tier",), (*one.tiers, *other.tiers)) if one.cuts == other.cuts else ()
    return one.model_copy(
        update={
            **{name: getattr(one, name) + getattr(other, name) for name in (*sums, *left_out)},
            "ledger": _add(LedgerCounts, one.ledger, other.ledger),
            "histograms": _add_histograms((*one.histograms, *other.histograms)),
            "cuts": one.cuts if one.cuts == other.cuts else None,
            "tiers": tiers,
            "rejects": _added(ReasonCount, ("stage", "scope", "reason"), (*one.rejects, *other.rejects)),
            "rules": _added(RuleCount, ("rule",), (*one.rules, *other.rules)),
            "lengths": tuple(map(sum, zip(one.lengths, other.lengths, strict=True))),
        }
    )


def _add(model: type[Any], one: Any, other: Any, keys: tuple[str, ...] = ()) -> Any:
    """Return a record of the sums of two, whose keys are equal."""
    numbers = [name for name in model.model_fields if name not in keys]
    return one.model_copy(update={name: getattr(one, name) + getattr(other, name) for name in numbers})


def _added(model: type[Any], keys: tuple[str, ...], rows: Sequence[Any]) -> tuple[Any, ...]:
    """Return rows added up by their keys, in the order in which they first stand."""
    found: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in keys)
        found[key] = _add(model, found[key], row, keys) if key in found else row
    return tuple(found.values())


def _add_histograms(histograms: Sequence[ScoreHistogram]) -> tuple[ScoreHistogram, ...]:
    groups: dict[tuple[str, str], list[ScoreHistogram]] = {}
    for histogram in histograms:
        groups.setdefault((histogram.text_kind, histogram.aggregation), []).append(histogram)
    merged = []
    for key in sorted(groups):
        counts = counts_of(groups[key][0])
        for other in groups[key][1:]:
            counts.merge(counts_of(other))
        merged.append(counts.summary(*key))
    return tuple(merged)


def _add_duplicates(one: DuplicateStatistics, other: DuplicateStatistics) -> DuplicateStatistics:
    return DuplicateStatistics(
        scope=one.scope if one.scope == other.scope else "mixed",
        action=one.action if one.action == other.action else "mixed",
        groups=one.groups + other.groups,
        samples_in_groups=one.samples_in_groups + other.samples_in_groups,
        samples_removed=one.samples_removed + other.samples_removed,
        pairs=_added(DuplicatePair, ("source", "other"), (*one.pairs, *other.pairs)),
        largest=tuple(sorted((*one.largest, *other.largest), reverse=True)[:LARGEST_GROUPS]),
        removed=dict(Counter(one.removed) + Counter(other.removed)),
        near=one.near + other.near,
        sizes=tuple(sorted((Counter(dict(one.sizes)) + Counter(dict(other.sizes))).items())),
        benchmarks=_added(BenchmarkCount, ("benchmark", "source"), (*one.benchmarks, *other.benchmarks)),
    )


def merge_tables(stores: Sequence[Store], without_tiers: Collection[str] = ()) -> dict[str, bytes]:
    """Return path -> Parquet bytes of the runs' tables added up.

    Args:
        without_tiers: sources whose tiers mean different things in the runs; their rows have none.
    """
    found = {}
    for path, (table, schema) in MERGED_TABLES.items():
        frames = (_read(store, path) for store in stores)
        if "tier" in table.keys:
            of_one_cut = ~pl.col("source").is_in(list(without_tiers))
            frames = (frame.with_columns(pl.when(of_one_cut).then("tier").alias("tier")) for frame in frames)
        added = table.add_up(frames)
        if "bin" in table.keys:
            added = with_edges(added)
        found[path] = arrow.table_bytes(added.to_arrow(), schema)
    return found


def _read(store: Store, path: str) -> pl.DataFrame:
    with store.open(path) as file:
        return pl.read_parquet(file)
