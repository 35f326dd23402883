"""`clipstrata train`: one stage from its config to its summary, in one process or as one of several."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from curation.displays import Display, NewDisplay, NoDisplay, new_display, shown
from curation.media import FramePlan
from schemas.canonical import canonical_json
from schemas.config_file import ConfigError, parse_document
from schemas.manifest import Manifest
from schemas.run import CODE_VERSION, summary_path
from schemas.training import TrainingSummary
from training.data import manifest_digest, read_run_manifest
from training.data.batches import DRAWING_RULE
from training.loop.checkpoints import newest_checkpoint
from training.loop.config import CONFIG_YAML, DECODERS, StageOneConfig, TrainConfig, config_to_keep
from training.loop.feeding import Data, drawable, opened
from training.loop.files import write_whole
from training.loop.fit import Fit, fit
from training.loop.given import given_tokenizer, text_sizes
from training.loop.launch import Team, launched
from training.loop.metrics import loss_curve, read_metrics, samples_by_source
from training.loop.precision import Precision, repeatable, resolve_precision
from training.loop.speed import TERA, Speed, known_peak
from training.loop.stages import Stage, first_stage, second_stage
from training.loop.trained import StageOneModel, open_stage_one
from training.model import EncoderConfig
from training.objectives import Execution

SUMMARY_JSON = Path(summary_path(1)).name
# Keys of a config that say where things lie, how a step is computed, or what another key says too: the result does not
# hang on them, but for rounding.
_PLACES = {"run", "out", "teacher", "manifest", "checkpoint_every", "samples", "epochs", "tokenizer"}
_MEANS = {"threads", "device", "chunk_clips", "loader", "peak_tflops", "teacher_memory_mb", "recompute"}


@dataclass(frozen=True, kw_only=True)
class _Start:
    """What a stage stands on before its data is opened; only stage 2 has a teacher."""

    config: TrainConfig  # its duration in steps
    team: Team
    manifest: Manifest
    encoder: EncoderConfig
    precision: Precision
    identity: dict[str, Any]
    teacher: StageOneModel | None


def train(config: TrainConfig, new_display: NewDisplay = new_display) -> TrainingSummary:
    """Train one stage; goes on from the newest checkpoint, and does nothing when the stage is finished.

    Under torchrun all its processes call this and share each batch; the first one writes.

    Raises:
        ConfigError: the folder holds another training, the teacher is not there, or processes cannot share the work.
        ManifestRefused: the run has no finished shards.
        TrainingStopped: a number of a step is not finite.
    """
    team = launched(config.device)
    return _train(config, team, new_display if team.is_first else _silent)


def _silent(title: str) -> Display:
    return NoDisplay()


def _train(config: TrainConfig, team: Team, new_display: NewDisplay) -> TrainingSummary:
    start = _start(config, team)
    _refuse_other(start)
    _refuse_unlike(start)
    finished = read_summary(config.folder)
    if finished is not None and _is_finished(start):
        return finished
    if team.is_first:
        config.folder.mkdir(parents=True, exist_ok=True)
        write_whole(config.folder / CONFIG_YAML, config_to_keep(config))
    frames = FramePlan(count=start.encoder.frames, size_px=start.encoder.image_px)
    with opened(start.config, start.manifest, frames, team, new_display) as data:
        job = _job(start, data)
        title = f"stage {config.stage}: training"
        with shown(title, new_display) as display, repeatable(config.threads, team.local_world):
            fit(job, display)
        if team.is_first:
            _write_summary(start, job, data)
        team.wait()
    found = read_summary(config.folder)
    assert found is not None
    return found


def _start(config: TrainConfig, team: Team) -> _Start:
    if config.batch_size % team.world:
        raise ConfigError(
            f"batch_size is {config.batch_size} and {team.world} processes share it; allowed: a multiple; change one"
        )
    manifest = read_run_manifest(config.run_address, config.manifest)
    config = config.in_steps(lambda: drawable(config, manifest))
    precision = resolve_precision(config.precision, team.device.type)
    stated = config.model_dump(mode="json", exclude=_PLACES | _MEANS)
    identity: dict[str, Any] = {
        "config": stated | {"precision": precision.name},
        "manifest_sha256": manifest_digest(manifest),
        "manifest_version": manifest.version,
        "code_version": CODE_VERSION,
        "drawing": DRAWING_RULE,
    }
    teacher = None
    if isinstance(config, StageOneConfig):
        encoder, pixels, words = config.encoder, config.pixel_decoder, given_tokenizer(config)
        identity |= {"encoder": asdict(encoder), "text": asdict(text_sizes(config, words))}
        identity |= {"tokenizer_sha256": hashlib.sha256(words.to_bytes()).hexdigest()} if words is not None else {}
        identity |= {"pixel_decoder": asdict(pixels)} if pixels is not None else {}
    else:
        teacher = _finished_teacher(config.teacher_folder, synthetic=config.synthetic)
        encoder = teacher.encoder.config
        identity |= {"encoder": asdict(encoder), "decoder": asdict(DECODERS[config.decoder])}
        identity |= {"teacher_sha256": teacher.weights_sha256}
    return _Start(
        config=config,
        team=team,
        manifest=manifest,
        encoder=encoder,
        precision=precision,
        identity=identity,
        teacher=teacher,
    )


def _finished_teacher(folder: Path, *, synthetic: bool) -> StageOneModel:
    teacher = open_stage_one(folder)
    if teacher.step != teacher.steps:
        raise ConfigError(
            f"teacher {folder}: is at step {teacher.step} of {teacher.steps}; train stage 1 to its end first"
        )
    if teacher.identity["config"].get("synthetic") and not synthetic:
        raise ConfigError(f"teacher {folder}: was trained on noise; allowed: one that was trained on clips; give it")
    return teacher


def _refuse_other(start: _Start) -> None:
    found = newest_checkpoint(start.config.folder)
    if found is None or found.facts.identity == start.identity:
        return
    other = sorted(
        name
        for name in start.identity.keys() | found.facts.identity.keys()
        if start.identity.get(name) != found.facts.identity.get(name)
    )
    raise OtherTraining(
        f"{start.config.folder}: holds the checkpoints of another training (other {', '.join(other)}); "
        "allowed: an empty folder, or the same training; remove it, or give another `out`"
    )


def _refuse_unlike(start: _Start) -> None:
    """Refuse to begin where processes would train different things, or from different steps.

    Raises:
        ConfigError: they see different configs, shards or checkpoints.
    """
    found = newest_checkpoint(start.config.folder)
    identity = hashlib.sha256(canonical_json(start.identity)).hexdigest()
    said = start.team.every((identity, found.facts.step if found is not None else 0))
    if len(set(said)) > 1:
        steps = ", ".join(str(step) for _, step in said)
        raise ConfigError(
            f"{start.config.folder}: the processes do not see the same training (at steps {steps}); allowed: one "
            "config, and an `out` that all machines share"
        )


class OtherTraining(ConfigError):
    """A stage's folder holds checkpoints of another training."""


def _is_finished(start: _Start) -> bool:
    found = newest_checkpoint(start.config.folder)
    return found is not None and found.facts.step == start.config.step_count


def read_summary(folder: Path) -> TrainingSummary | None:
    """Return a stage's summary, or None where it has none.

    Raises:
        ConfigError: it cannot be read.
    """
    path = folder / SUMMARY_JSON
    if not path.is_file():
        return None
    mend = "remove it; `clipstrata train` writes it again from the metrics"
    return parse_document(path.read_bytes(), TrainingSummary, what=str(path), mend=mend)


def _job(start: _Start, data: Data) -> Fit:
    stage = _stage(start, data)
    config = start.config
    return Fit(
        config=config,
        objective=stage.objective,
        batch_at=data.batch_at,
        identity=start.identity,
        extra=stage.files,
        speed=Speed(clips=config.batch_size, clip_flops=stage.clip_flops, peak_flops=_peak(start)),
        team=start.team,
    )


def _peak(start: _Start) -> float | None:
    """Return what all devices could do together, where it is said or known."""
    device = start.team.device
    if start.config.peak_tflops is not None:
        return start.config.peak_tflops * TERA
    if device.type != "cuda":
        return None
    peak = known_peak(torch.cuda.get_device_name(device), start.precision)
    return None if peak is None else peak * start.team.world


def _stage(start: _Start, data: Data) -> Stage:
    config, team = start.config, start.team
    execution = Execution(chunk_clips=config.chunk_clips, ranks=team.ranks, autocast=start.precision.autocast)
    if isinstance(config, StageOneConfig):
        return first_stage(config, data.texts, execution, team)
    assert start.teacher is not None
    return second_stage(config, start.teacher.model.video_model, execution, team)


def _write_summary(start: _Start, job: Fit, data: Data) -> None:
    config = start.config
    lines = read_metrics(config.folder)
    seconds = sum(line["step_s"] for line in lines)
    curve = loss_curve(lines)
    checkpoint = newest_checkpoint(config.folder)
    assert checkpoint is not None
    samples = config.step_count * config.batch_size
    summary = TrainingSummary(
        stage=config.stage,
        seed=config.seed,
        steps=config.step_count,
        batch_size=config.batch_size,
        samples=samples,
        samples_by_source=samples_by_source(lines, config.batch_size),
        left_out=dict(data.plan.left_out),
        parameters=sum(parameter.numel() for parameter in job.objective.trained.parameters()),
        seconds=round(seconds, 3),
        samples_per_s=round(samples / seconds, 1),
        wait_share=round(sum(line["wait_s"] for line in lines) / seconds, 4),
        final_loss=curve[-1].loss,
        trained_on=start.identity["manifest_sha256"],
        manifest_version=start.identity["manifest_version"],
        weights_sha256=checkpoint.facts.weights_sha256,
        teacher_sha256=start.identity.get("teacher_sha256"),
        curve=curve,
    )
    write_whole(config.folder / SUMMARY_JSON, summary.to_bytes())
