"""The report of a run as text for a person: ledgers, scores, tiers, duplicates and rejects, and the encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dashboard.encoder_tables import CHANCE_ROW, best_values, stage_name, summary_measures
from schemas.evaluation import Evaluation
from schemas.published import VIDEOPRISM_BUCKETS, VIDEOPRISM_LENGTHS, VIDEOPRISM_SOURCES
from schemas.statistics import BEST_TEXT, ScoreHistogram, SourceStatistics, Statistics
from schemas.training import TrainingSummary

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
        _lengths(statistics),
        _published(),
        _tiers(statistics),
        _duplicates(statistics, planted),
        _rejects(statistics),
    )


def print_report(console: Console, statistics: Statistics, planted: tuple[int, int] | None = None) -> None:
    """Print the report; texts of the corpus are never read as markup."""
    console.print(render_report(statistics, planted))


def render_training(training: Sequence[TrainingSummary], evaluation: Evaluation | None) -> RenderableType:
    """Return what the stages did and what the frozen encoders can do; nothing where there is neither."""
    parts: list[RenderableType] = []
    if training:
        parts += [_training(training), *(_left_out(summary) for summary in training if summary.left_out)]
    if evaluation is not None:
        parts += [_evaluation(evaluation), *(Text(f"- {note}") for note in evaluation.notes)]
    return Group(*parts)


def print_training(console: Console, training: Sequence[TrainingSummary], evaluation: Evaluation | None) -> None:
    """Print the training half of the report; names and notes are never read as markup."""
    console.print(render_training(training, evaluation))


def print_replay(
    console: Console,
    replayed: Mapping[tuple[str, str], int],
    before: Mapping[tuple[str, str, str], int],
    after: Mapping[tuple[str, str, str], int],
) -> None:
    """Print what a replay worked on, and the rejects before and after it.

    Args:
        replayed: (source, reason) -> spans or samples.
        before, after: (source, stage, reason) -> rejects.
    """
    if not replayed:
        console.print(Text("replay: no reject of that reason; nothing was done"))
        return
    table = _table("Replay", "source", "stage", "reason", "replayed", "rejects before", "after", numbers_from=3)
    for source, stage, reason in sorted({*before, *after}):
        key = (source, stage, reason)
        _row(table, *key, replayed.get((source, reason), 0), before.get(key, 0), after.get(key, 0))
    console.print(table)


def print_takedown(console: Console, title: str, told: Mapping[str, object]) -> None:
    """Print what a takedown did, or would do, by name."""
    table = _table(title, "what", "how many or which")
    for name, value in told.items():
        _row(table, name.replace("_", " "), str(value))
    console.print(table)


def _table(title: str, *columns: str, numbers_from: int = 1) -> Table:
    # As Text, because a plain str here would be read as markup.
    table = Table(title=Text(title, style="bold"), title_justify="left", title_style="bold", expand=False)
    for position, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if position >= numbers_from else "left", no_wrap=position == 0)
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


def _lengths(statistics: Statistics) -> Table:
    bounds = [start for start, _ in VIDEOPRISM_LENGTHS]
    columns = (*(f"{low} to {high} s" for low, high in pairwise(bounds)), f"from {bounds[-1]} s")
    table = _table("Lengths of clips, beside VideoPrism's", "source", *columns)
    for source in statistics.sources:
        if source.samples:
            _row(table, source.name, *(f"{count / source.samples:.0%}" for count in source.lengths))
    _row(table, "VideoPrism, published", *(f"{share:.0%}" for _, share in VIDEOPRISM_LENGTHS))
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
    table = _table(f"Duplicates (scope {found.scope})", "what", "count")
    _row(table, "groups across locators or sources", found.groups)
    _row(table, "samples in them", found.samples_in_groups)
    _row(table, "samples left out of the shards", found.samples_removed)
    _row(table, "tellings merged inside a source", sum(source.samples_merged for source in statistics.sources))
    for kind, samples in sorted(found.removed.items()):
        _row(table, f"of them {kind}", samples)
    _row(table, "samples in near groups, which weigh less", found.near)
    for own in found.benchmarks:
        _row(table, f"samples of {own.source} left out for {own.benchmark}", own.samples)
    for pair in found.pairs:
        _row(table, f"groups of {pair.source} and {pair.other}", pair.groups)
    if planted is not None:
        _row(table, "copied files planted", planted[0])
        _row(table, "copied files found", planted[1])
    return table


def _rejects(statistics: Statistics) -> Table:
    return _reject_table(
        (source.name, reject.stage, reject.scope, reject.reason, reject.count)
        for source in statistics.sources
        for reject in source.rejects
    )


def _reject_table(rows: Iterable[tuple[str, str, str, str, int]]) -> Table:
    title = "Rejects and dropped texts (each listed in rejects/ with its input)"
    table = _table(title, "source", "stage", "scope", "reason", "count", numbers_from=4)
    for cells in rows:
        _row(table, *cells)
    return table


def print_rejects(console: Console, rejects: Mapping[tuple[str, str, str, str], int]) -> None:
    """Print what was rejected: (source, stage, scope, reason) -> how many."""
    console.print(_reject_table((*key, count) for key, count in sorted(rejects.items())))


def _training(training: Sequence[TrainingSummary]) -> Table:
    # A stage is a column: the facts of two stages then fit a narrow terminal.
    table = _table("Training", "what", *(stage_name(summary) for summary in training))
    told = [_training_facts(summary) for summary in training]
    for name in told[0]:
        _row(table, name, *(facts[name] for facts in told))
    return table


def _training_facts(summary: TrainingSummary) -> dict[str, str]:
    return {
        "steps x batch": f"{summary.steps} x {summary.batch_size}",
        "samples": str(summary.samples),
        "samples/s": f"{summary.samples_per_s:.1f}",
        "waiting for data": f"{summary.wait_share:.1%}",
        "seconds": f"{summary.seconds:.1f}",
        "parameters": f"{summary.parameters:,}",
        "final loss": f"{summary.final_loss:.4g}",
        "seed": str(summary.seed),
        "manifest": f"v{summary.manifest_version}",
        "weights": summary.weights_sha256[:8],
    }


def _left_out(summary: TrainingSummary) -> Text:
    told = ", ".join(f"{name} {count}" for name, count in summary.left_out.items())
    return Text(f"- {stage_name(summary)} left out: {told}")


def _evaluation(evaluation: Evaluation) -> Table:
    measures = summary_measures(evaluation)
    title = f"What frozen encoders can do ({evaluation.suite}, seed {evaluation.seed}; * is the best encoder)"
    table = _table(title, "encoder", *(measure.title for measure in measures))
    best = best_values(evaluation)
    _row(table, CHANCE_ROW, *(f"{measure.chance:.1%}" for measure in measures))
    for row in evaluation.rows:
        values = ((row.values.get(measure.name), best.get(measure.name)) for measure in measures)
        _row(table, row.name, *(_share_text(value, highest) for value, highest in values))
    return table


def _share_text(value: float | None, highest: float | None) -> str:
    if value is None:
        return "-"
    return f"* {value:.1%}" if value == highest else f"{value:.1%}"
