"""What the page shows of duplicates: groups by pair of sources and by size, why samples were left out, thresholds."""

from __future__ import annotations

from dashboard.tables import WIDE_LIMIT, Cell, Table, count_column, text_column
from schemas.statistics import Statistics


def duplicate_tables(statistics: Statistics) -> list[Table]:
    """Return all tables of the view."""
    return [
        duplicate_table(statistics),
        size_table(statistics),
        kind_table(statistics),
        threshold_table(statistics),
        benchmark_table(statistics),
    ]


def duplicate_table(statistics: Statistics) -> Table:
    """Return duplicate groups by pair of sources: a matrix for few sources, a list of pairs for many."""
    groups: dict[tuple[str, str], int] = {}
    for pair in statistics.duplicates.pairs:
        groups[(pair.source, pair.other)] = pair.groups
        groups[(pair.other, pair.source)] = pair.groups
    touched = {name for key in groups for name in key}
    own = [source.name for source in statistics.sources if source.name in touched]
    # sources of the base of an incremental build are none of the run's own
    names = [*own, *sorted(touched.difference(own))]
    title = "Groups that two sources share"
    if len(names) <= WIDE_LIMIT:
        columns = (text_column("source", "Source"), *(count_column(name, name) for name in names))
        rows: list[tuple[Cell, ...]] = [(name, *(groups.get((name, other), 0) for other in names)) for name in names]
        return Table(name="duplicates", title=title, columns=columns, rows=tuple(rows))
    columns = (text_column("source", "Source"), text_column("other", "Other"), count_column("groups", "Groups"))
    listed = sorted(statistics.duplicates.pairs, key=lambda pair: (-pair.groups, pair.source, pair.other))
    return Table(
        name="duplicates",
        title=title,
        columns=columns,
        rows=tuple((pair.source, pair.other, pair.groups) for pair in listed),
    )


def size_table(statistics: Statistics) -> Table:
    """Return how many duplicate groups there are of each size."""
    columns = (count_column("size", "Samples in a group"), count_column("groups", "Groups"))
    return Table(
        name="duplicate_sizes", title="Groups by size", columns=columns, rows=tuple(statistics.duplicates.sizes)
    )


def kind_table(statistics: Statistics) -> Table:
    """Return why samples were left out: by the edge to the sample that stands for them."""
    columns = (text_column("kind", "Because of"), count_column("samples", "Samples left out"))
    rows = tuple(sorted(statistics.duplicates.removed.items()))
    return Table(name="duplicate_kinds", title="Why samples were left out", columns=columns, rows=rows)


def threshold_table(statistics: Statistics) -> Table:
    """Return what higher thresholds than the corpus's own would join; kinds that join nothing are left out."""
    columns = (
        text_column("kind", "Kind"),
        text_column("threshold", "Threshold"),
        count_column("pairs", "Pairs", hint="of different contents at or above it"),
        count_column("contents", "Contents", hint="in at least one such pair"),
    )
    found = statistics.duplicates.found
    told = () if found is None else found.thresholds
    kinds = {own.kind for own in told if own.pairs}
    rows = tuple(
        (own.kind, f"{own.threshold_1e4 / 10_000:.4f}", own.pairs, own.contents) for own in told if own.kind in kinds
    )
    return Table(name="duplicate_thresholds", title="What a threshold joins", columns=columns, rows=rows)


def benchmark_table(statistics: Statistics) -> Table:
    """Return the samples of each source that are left out because a benchmark shows them."""
    columns = (
        text_column("benchmark", "Benchmark"),
        text_column("source", "Source"),
        count_column("samples", "Samples left out"),
    )
    rows = tuple((own.benchmark, own.source, own.samples) for own in statistics.duplicates.benchmarks)
    return Table(name="benchmarks", title="Left out for a benchmark's sake", columns=columns, rows=rows)
