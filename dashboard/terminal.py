"""The report of a run as text for a person: ledgers, scores, tiers, duplicates and rejects in tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.published import VIDEOPRISM_BUCKETS, VIDEOPRISM_SOURCES
from schemas.statistics import BEST_TEXT, ScoreHistogram, SourceStatistics, Statistics

HOUR_US = 3_600_000_000


def render_report(statistics: Statistics, planted: tuple[int, int] | None = None) -> RenderableType:
    """Return the whole report.

    Args:
        planted: for the built-in world, (copied files planted, found).
    """
    return Group(
        _ledgers(statistics),
        _scores(statistics),
        _shares(statistics),
        _published(),
        _tiers(statistics),
        _duplicates(statistics, planted),
        _rejects(statistics),
    )


def print_report(console: Console, statistics: Statistics, planted: tuple[int, int] | None = None) -> None:
    """Print the report; texts of the corpus are never read as markup."""
    console.print(render_report(statistics, planted))


def _table(title: str, *columns: str, numbers_from: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position >= numbers_from else "left", no_wrap=position == 0)
    return table


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(Text(str(cell)) for cell in cells))


def _ledgers(statistics: Statistics) -> Table:
    columns = ("source", "records = expanded + merged + rejected", "samples = kept + rejected", "texts dropped", "ok")
    table = _table("Ledgers: every row read and every sample planned", *columns)
    for source in statistics.sources:
        ledger = source.ledger
        records = ledger.records_expanded + ledger.records_merged + ledger.records_rejected
        samples = ledger.samples_kept + ledger.samples_rejected
        right = records == ledger.records_read and samples == ledger.samples_planned
        _row(
            table,
            source.name,
            f"{ledger.records_read} = {ledger.records_expanded} + {ledger.records_merged} + {ledger.records_rejected}",
            f"{ledger.samples_planned} = {ledger.samples_kept} + {ledger.samples_rejected}",
            ledger.texts_dropped,
            "yes" if right else "NO",
        )
    return table


def _best(source: SourceStatistics, aggregation: str) -> ScoreHistogram | None:
    wanted = (BEST_TEXT, aggregation)
    return next((found for found in source.histograms if (found.text_kind, found.aggregation) == wanted), None)


def score_text(value_1e4: int | None) -> str:
    """Return a score for people, or a dash where there is none."""
    return "-" if value_1e4 is None else f"{value_1e4 / 10_000:.3f}"


def _scores(statistics: Statistics) -> Table:
    scorer = statistics.scorer
    title = f"Best text per clip: {scorer.name} {scorer.digest[:8]}, {scorer.frame_plan}, {scorer.aggregation}"
    table = _table(title, "source", "origin", "clips", "mean", "p5", "p50", "p95", numbers_from=2)
    for source in statistics.sources:
        best = _best(source, scorer.aggregation)
        if best is None:
            _row(table, source.name, source.origin, 0, *("-",) * 4)
            continue
        quantiles = dict(best.quantiles_1e4)
        shown = [score_text(quantiles.get(quantile)) for quantile in (0.05, 0.5, 0.95)]
        _row(table, source.name, source.origin, best.count, score_text(best.mean_1e4), *shown)
    return table


def _shares(statistics: Statistics) -> Table:
    edges = [f"{low:.2f} to {high:.2f}" for low, high, _ in VIDEOPRISM_BUCKETS[1:-1]]
    columns = (f"under {VIDEOPRISM_BUCKETS[0][1]:.2f}", *edges, f"from {VIDEOPRISM_BUCKETS[-1][0]:.2f}")
    table = _table("Shares of these scores in VideoPrism's buckets", "source", *columns)
    for source in statistics.sources:
        best = _best(source, statistics.scorer.aggregation)
        if best is not None:
            _row(table, source.name, *(f"{share:.0%}" for _, _, share in best.bucket_shares))
    _row(table, "VideoPrism, published", *(f"{share:.0%}" for _, _, share in VIDEOPRISM_BUCKETS))
    return table


def _published() -> Table:
    table = _table(
        "VideoPrism's published means (another model: compare the order, not the digits)", "corpus", "captions", "mean"
    )
    for source in VIDEOPRISM_SOURCES:
        _row(table, source.name, source.captions, f"{source.mean_score:.2f}")
    return table


def _tiers(statistics: Statistics) -> Table:
    table = _table(
        "Tiers: what the cuts yield", "source", "tier", "samples", "in shards", "hours", "MB", numbers_from=2
    )
    for source in statistics.sources:
        for tier in source.tiers:
            if tier.samples:
                _row(
                    table,
                    source.name,
                    tier.tier,
                    tier.samples,
                    tier.samples_sharded,
                    f"{tier.duration_us / HOUR_US:.3f}",
                    f"{tier.media_bytes / 1e6:.1f}",
                )
    return table


def _duplicates(statistics: Statistics, planted: tuple[int, int] | None) -> Table:
    found = statistics.duplicates
    table = _table(f"Duplicates (exact, scope {found.scope}, {found.action})", "what", "count")
    _row(table, "groups across locators or sources", found.groups)
    _row(table, "samples in them", found.samples_in_groups)
    _row(table, "samples left out of the shards", found.samples_removed)
    _row(table, "tellings merged inside a source", sum(source.samples_merged for source in statistics.sources))
    for pair in found.pairs:
        _row(table, f"groups of {pair.source} and {pair.other}", pair.groups)
    if planted is not None:
        _row(table, "copied files planted", planted[0])
        _row(table, "copied files found", planted[1])
    return table


def _rejects(statistics: Statistics) -> Table:
    table = _table(
        "Rejects and dropped texts (each listed in rejects/ with its input)",
        "source",
        "stage",
        "scope",
        "reason",
        "count",
        numbers_from=4,
    )
    for cells in _reject_rows(statistics):
        _row(table, *cells)
    return table


def _reject_rows(statistics: Statistics) -> Iterator[tuple[str, str, str, str, int]]:
    for source in statistics.sources:
        for reject in source.rejects:
            yield source.name, reject.stage, reject.scope, reject.reason, reject.count
