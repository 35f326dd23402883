"""The training half of a run as plain rows: what the stages did, and what the frozen encoders can do.

Pure, like `dashboard.tables`: the same facts give the same rows. Shares and losses leave here as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.tables import Cell, Column, Notice, Table
from schemas.evaluation import EncoderRow, Evaluation, Measure
from schemas.training import TrainingSummary

CHANCE_ROW = "chance"
LOSSES = {1: "symmetric contrastive loss", 2: "sum of cosine distances to the teacher"}
HEADLINE_GROUPS = ("motion", "appearance", "retrieval")
HEADLINE_MEASURES = 2


@dataclass(frozen=True, kw_only=True)
class LossCurve:
    """One chart: what the loss of a stage is, and its points as a table of steps and mean losses."""

    title: str
    table: Table


def stage_name(summary: TrainingSummary) -> str:
    """Return the name of a stage for people, as `Evaluation` rows have it too."""
    return f"stage {summary.stage}"


def summary_measures(evaluation: Evaluation) -> tuple[Measure, ...]:
    """Return the measures that stand for their groups; all of them if none claims to."""
    return tuple(measure for measure in evaluation.measures if measure.summary) or evaluation.measures


def best_values(evaluation: Evaluation) -> dict[str, float]:
    """Return the highest value of each measure that at least two encoders have; chance takes no part."""
    best = {}
    for measure in evaluation.measures:
        values = [value for row in evaluation.rows if (value := row.values.get(measure.name)) is not None]
        if len(values) > 1:
            best[measure.name] = max(values)
    return best


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return chance and then one row per encoder; measures that are not a summary are details."""
    short = {measure.name for measure in summary_measures(evaluation)}
    measures = tuple(
        Column(
            key=measure.name, label=measure.title, kind="share", group=measure.group, detail=measure.name not in short
        )
        for measure in evaluation.measures
    )
    columns = (
        Column(key="encoder", label="Encoder", kind="text"),
        *measures,
        Column(key="weights_sha256", label="Weights", kind="digest", hint="digest of the weights"),
    )
    rows: list[tuple[Cell, ...]] = [(CHANCE_ROW, *(measure.chance for measure in evaluation.measures), None)]
    for row in evaluation.rows:
        rows.append((row.name, *(row.values.get(measure.name) for measure in evaluation.measures), row.digest))
    return Table(name="evaluation", title="What the frozen encoders can do", columns=columns, rows=tuple(rows))


def training_table(training: Sequence[TrainingSummary]) -> Table:
    """Return one row per finished stage."""
    columns = (
        Column(key="stage", label="Stage", kind="text"),
        Column(key="steps", label="Steps", kind="count"),
        Column(key="batch_size", label="Batch", kind="count", hint="clips in a step"),
        Column(key="samples", label="Samples", kind="count", hint="clips that went through it, repeats counted"),
        Column(key="samples_per_s", label="Samples/s", kind="decimal"),
        Column(
            key="wait_share", label="Waiting", kind="share", hint="part of the time spent waiting for the next batch"
        ),
        Column(key="seconds", label="Time", kind="seconds", hint="in steps; checkpoints and restarts left out"),
        Column(key="parameters", label="Parameters", kind="count", hint="trained ones; in stage 2 with both decoders"),
        Column(key="final_loss", label="Final loss", kind="loss", hint="the curve's last point"),
        Column(key="seed", label="Seed", kind="text"),
        Column(key="manifest_version", label="Manifest", kind="text", hint="version of the manifest it read"),
        Column(key="weights_sha256", label="Weights", kind="digest", hint="digest of the last checkpoint's weights"),
        Column(key="teacher_sha256", label="Teacher", kind="digest", hint="digest of the teacher's weights"),
    )
    keys = [column.key for column in columns[1:]]
    rows = tuple((stage_name(summary), *(getattr(summary, key) for key in keys)) for summary in training)
    return Table(name="training", title="How the stages were trained", columns=columns, rows=rows)


def loss_curves(training: Sequence[TrainingSummary]) -> tuple[LossCurve, ...]:
    """Return one curve per stage."""
    columns = (Column(key="step", label="Step", kind="count"), Column(key="loss", label="Mean loss", kind="loss"))
    curves = []
    for summary in training:
        title = f"Stage {summary.stage}: {LOSSES[summary.stage]}"
        rows = tuple((point.step, point.loss) for point in summary.curve)
        table = Table(name=f"loss_stage_{summary.stage}", title=title, columns=columns, rows=rows)
        curves.append(LossCurve(title=title, table=table))
    return tuple(curves)


def _per_stage(
    training: Sequence[TrainingSummary], counts: Sequence[Mapping[str, int]]
) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...]]:
    columns = tuple(
        Column(key=f"stage_{summary.stage}", label=stage_name(summary), kind="count") for summary in training
    )
    names = dict.fromkeys(name for counted in counts for name in counted)
    return columns, tuple((name, *(counted.get(name) for counted in counts)) for name in names)


def samples_table(training: Sequence[TrainingSummary]) -> Table:
    """Return the samples of every source, a column per stage; None where a stage does not name the source."""
    columns, rows = _per_stage(training, [summary.samples_by_source for summary in training])
    first = Column(key="source", label="Source", kind="text")
    return Table(name="training_samples", title="Samples by source", columns=(first, *columns), rows=rows)


def left_out_table(training: Sequence[TrainingSummary]) -> Table:
    """Return what the stages never drew, a column per stage; None where a stage does not name it."""
    columns, rows = _per_stage(training, [summary.left_out for summary in training])
    first = Column(key="source_or_reason", label="Source or reason", kind="text")
    return Table(name="training_left_out", title="Left out of training", columns=(first, *columns), rows=rows)


def _last_stage(training: Iterable[TrainingSummary], evaluation: Evaluation) -> EncoderRow | None:
    """Return the row that the run is about: the last stage's, known by its weights, else by its name."""
    if not evaluation.rows:
        return None
    by_digest = {row.digest: row for row in evaluation.rows}
    for summary in sorted(training, key=lambda summary: -summary.stage):
        if summary.weights_sha256 in by_digest:
            return by_digest[summary.weights_sha256]
    numbered = [
        (int(match[1]), row) for row in evaluation.rows if (match := re.fullmatch(r"stage (\d{1,3})", row.name))
    ]
    return max(numbered, key=lambda item: item[0])[1] if numbered else evaluation.rows[-1]


def encoder_headline(training: Iterable[TrainingSummary], evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the last stage's two most telling values, motion first, each with chance; None without one."""
    row = _last_stage(training, evaluation)
    if row is None:
        return None
    values = []
    for group in HEADLINE_GROUPS:
        measure = next((found for found in summary_measures(evaluation) if found.group == group), None)
        value = None if measure is None else row.values.get(measure.name)
        if measure is not None and value is not None:
            values.append({"group": group, "value": value, "chance": measure.chance})
    return {"encoder": row.name, "values": values[:HEADLINE_MEASURES]} if values else None


def encoder_notices(training: Sequence[TrainingSummary], manifest_version: int | None) -> tuple[Notice, ...]:
    """Return what deserves a look: sums that do not hold, and stages that read another manifest than the page's."""
    found = []
    for summary in training:
        name = stage_name(summary)
        for told, what in (
            (summary.steps * summary.batch_size, "steps x batch"),
            (sum(summary.samples_by_source.values()), "samples by source"),
        ):
            if told != summary.samples:
                text = f"samples off by {summary.samples - told:+d} from {what}"
                found.append(Notice(level="error", source=name, text=text))
        if manifest_version is not None and summary.manifest_version != manifest_version:
            text = (
                f"trained on manifest v{summary.manifest_version}, not on v{manifest_version} that this page describes"
            )
            found.append(Notice(level="warning", source=name, text=text))
    return tuple(found)


def _evaluation_data(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "table": asdict(evaluation_table(evaluation)),
        "best": best_values(evaluation),
        "suite": evaluation.suite,
        "seed": evaluation.seed,
        "settings": list(evaluation.settings.items()),
        "notes": evaluation.notes,
    }


def _training_data(training: Sequence[TrainingSummary]) -> dict[str, Any]:
    return {
        "table": asdict(training_table(training)),
        "losses": [asdict(curve) for curve in loss_curves(training)],
        "samples": asdict(samples_table(training)),
        "left_out": asdict(left_out_table(training)),
    }


def encoder_data(training: Sequence[TrainingSummary], evaluation: Evaluation | None) -> dict[str, Any] | None:
    """Return everything that the encoder's section embeds; None when there is nothing to show."""
    if not training and evaluation is None:
        return None
    return {
        "headline": None if evaluation is None else encoder_headline(training, evaluation),
        "evaluation": None if evaluation is None else _evaluation_data(evaluation),
        "training": _training_data(training) if training else None,
    }
