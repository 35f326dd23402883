"""`clipstrata train`: one stage from its config to its summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from curation.displays import NewDisplay, new_display, shown
from curation.media import FramePlan
from curation.stores import open_store
from schemas.config_file import ConfigError, parse_document
from schemas.manifest import Manifest
from schemas.run import CODE_VERSION, decoded_name, summary_path
from schemas.training import TrainingSummary
from training.data import (
    BatchOptions,
    BatchPlan,
    DecodedCache,
    clip_batch,
    ensure_cache,
    manifest_digest,
    plan_batches,
    read_run_manifest,
)
from training.data.batches import DRAWING_RULE
from training.data.tokens import TextTokenizer, learn_tokenizer, load_tokenizer
from training.loop.checkpoints import TOKENIZER, newest_checkpoint
from training.loop.config import DECODERS, ENCODERS, TEXTS, StageOneConfig, StageTwoConfig, TrainConfig
from training.loop.files import write_whole
from training.loop.fit import Fit, fit
from training.loop.metrics import loss_curve, read_metrics, samples_by_source
from training.loop.precision import Precision, repeatable, resolve_precision
from training.loop.trained import StageOneModel, open_stage_one
from training.model import EncoderConfig, VideoTextModel, VideoTower
from training.objectives import (
    ContrastiveObjective,
    ContrastiveParts,
    DistillationObjective,
    DistillationParts,
    Execution,
    FrozenTeacher,
    Objective,
    RememberingTeacher,
    Teacher,
)

SUMMARY_JSON = Path(summary_path(1)).name
# Keys of a config that say where things lie or how often they are written; the result does not hang on them.
_PLACES = {"run", "out", "teacher", "manifest", "checkpoint_every", "threads", "chunk_clips", "teacher_memory_mb"}


@dataclass(frozen=True, kw_only=True)
class _Start:
    """What a stage stands on before its data is decoded; only stage 2 has a teacher."""

    config: TrainConfig
    manifest: Manifest
    encoder: EncoderConfig
    precision: Precision
    identity: dict[str, Any]
    teacher: StageOneModel | None


def train(config: TrainConfig, new_display: NewDisplay = new_display) -> TrainingSummary:
    """Train one stage; goes on from the newest checkpoint, and does nothing when the stage is finished.

    Raises:
        ConfigError: the folder holds another training, or the teacher is not there.
        ManifestRefused: the run has no finished shards.
        TrainingStopped: a loss or a gradient is not finite.
    """
    start = _start(config)
    _refuse_other(start)
    finished = read_summary(config.folder)
    if finished is not None and _is_finished(start):
        return finished
    cache = _decoded(start, new_display)
    plan = plan_batches(cache.samples, _batch_options(config))
    job = _job(start, cache, plan)
    with shown(f"stage {config.stage}: training", new_display) as display, repeatable(config.threads):
        fit(job, display)
    return _write_summary(start, job, plan)


def _start(config: TrainConfig) -> _Start:
    manifest = read_run_manifest(config.run_address, config.manifest)
    precision = resolve_precision(config.precision)
    identity: dict[str, Any] = {
        "config": config.model_dump(mode="json", exclude=_PLACES) | {"precision": precision.name},
        "manifest_sha256": manifest_digest(manifest),
        "manifest_version": manifest.version,
        "code_version": CODE_VERSION,
        "drawing": DRAWING_RULE,
    }
    teacher = None
    if isinstance(config, StageOneConfig):
        encoder = ENCODERS[config.model]()
        identity |= {"encoder": asdict(encoder), "text": asdict(TEXTS[config.model]())}
        identity |= {"pixel_decoder": asdict(DECODERS[config.model])} if config.rebuild else {}
    else:
        teacher = _finished_teacher(config.teacher_folder)
        encoder = teacher.encoder.config
        identity |= {"encoder": asdict(encoder), "decoder": asdict(DECODERS[config.decoder])}
        identity |= {"teacher_sha256": teacher.weights_sha256}
    return _Start(
        config=config, manifest=manifest, encoder=encoder, precision=precision, identity=identity, teacher=teacher
    )


def _finished_teacher(folder: Path) -> StageOneModel:
    teacher = open_stage_one(folder)
    if teacher.step != teacher.steps:
        raise ConfigError(
            f"teacher {folder}: is at step {teacher.step} of {teacher.steps}; train stage 1 to its end first"
        )
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


class OtherTraining(ConfigError):
    """A stage's folder holds checkpoints of another training."""


def _is_finished(start: _Start) -> bool:
    found = newest_checkpoint(start.config.folder)
    return found is not None and found.facts.step == start.config.steps


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


def _decoded(start: _Start, new_display: NewDisplay) -> DecodedCache:
    plan = FramePlan(count=start.encoder.frames, size_px=start.encoder.image_px)
    root, config = start.config.run_address, start.config
    name = decoded_name(start.identity["manifest_sha256"], plan.count, plan.size_px, config.tiers or ())
    folder = open_store(root).scratch("decoded") / name
    total = sum(shard.samples for shard in start.manifest.shards if not config.tiers or shard.tier in config.tiers)
    if folder.exists():
        return ensure_cache(folder, root, start.manifest, plan, config.tiers)
    with shown("decoding the shards once", new_display) as display:
        return ensure_cache(folder, root, start.manifest, plan, config.tiers, lambda done: display.show(done, total))


def _batch_options(config: TrainConfig) -> BatchOptions:
    return BatchOptions(
        size=config.batch_size,
        seed=config.seed,
        stage=config.stage,
        texts_only=config.stage == 1,
        small_sources=config.small_sources,
        mixture=config.parts,
    )


def _job(start: _Start, cache: DecodedCache, plan: BatchPlan) -> Fit:
    objective, extra = _objective(start, cache)
    return Fit(
        config=start.config,
        objective=objective,
        batch_at=lambda step: clip_batch(cache, plan, step),
        identity=start.identity,
        extra=extra,
    )


def _objective(start: _Start, cache: DecodedCache) -> tuple[Objective, dict[str, bytes]]:
    """Return a stage's objective with fresh weights, which hang on the seed alone, and its files for checkpoints."""
    config = start.config
    execution = Execution(autocast=start.precision.autocast, chunk_clips=config.chunk_clips)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if isinstance(config, StageOneConfig):
            text = TEXTS[config.model]()
            tokenizer = _tokenizer(config.folder, cache, text.vocabulary, text.max_tokens)
            pixels = DECODERS[config.model] if config.rebuild else None
            parts = ContrastiveParts(VideoTextModel(start.encoder, text), config.loss, pixels)
            files = {TOKENIZER: tokenizer.to_bytes()}
            return ContrastiveObjective(parts, tokenizer, config.options, execution), files
        assert start.teacher is not None
        return _distillation(config, start.teacher.model.video_model, execution), {}


def _distillation(config: StageTwoConfig, tower: VideoTower, execution: Execution) -> DistillationObjective:
    parts = DistillationParts(tower.vision_model, DECODERS[config.decoder], config.start)
    teacher: Teacher = FrozenTeacher(tower)
    if config.teacher_memory_mb:
        teacher = RememberingTeacher(teacher, config.teacher_memory_mb * 1_000_000)
    return DistillationObjective(parts, teacher, config.options, execution)


def _tokenizer(folder: Path, cache: DecodedCache, vocabulary: int, max_tokens: int) -> TextTokenizer:
    """Return the tokenizer of a training under way, or one that is learnt from its texts."""
    found = newest_checkpoint(folder)
    if found is not None:
        return load_tokenizer(found.folder / TOKENIZER, max_tokens)
    texts = (sample.text for sample in cache.samples if sample.text is not None)
    return learn_tokenizer(texts, vocabulary, max_tokens)


def _write_summary(start: _Start, job: Fit, plan: BatchPlan) -> TrainingSummary:
    config = start.config
    lines = read_metrics(config.folder)
    seconds = sum(line["step_s"] for line in lines)
    curve = loss_curve(lines)
    checkpoint = newest_checkpoint(config.folder)
    assert checkpoint is not None
    summary = TrainingSummary(
        stage=config.stage,
        seed=config.seed,
        steps=config.steps,
        batch_size=config.batch_size,
        samples=config.steps * config.batch_size,
        samples_by_source=samples_by_source(lines, config.batch_size),
        left_out=dict(plan.left_out),
        parameters=sum(parameter.numel() for parameter in job.objective.trained.parameters()),
        seconds=round(seconds, 3),
        samples_per_s=round(config.steps * config.batch_size / seconds, 1),
        wait_share=round(sum(line["wait_s"] for line in lines) / seconds, 4),
        final_loss=curve[-1].loss,
        trained_on=start.identity["manifest_sha256"],
        manifest_version=start.identity["manifest_version"],
        weights_sha256=checkpoint.facts.weights_sha256,
        teacher_sha256=start.identity.get("teacher_sha256"),
        curve=curve,
    )
    write_whole(config.folder / SUMMARY_JSON, summary.to_bytes())
    return summary
