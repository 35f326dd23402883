"""`CONFIG.yaml` of `clipstrata train` as a model: one file per stage. Paths in it are relative to the file.

docs/training.md lists every key. A training keeps its config in its folder, which is then enough to go on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.config_file import ConfigError, Strict, load_yaml, resolve_path
from schemas.records import TextKind, Tier
from schemas.run import RunAddress, address_of, stage_folder
from training.loop.options import (
    AugmentConfig,
    Count,
    FinalPhaseConfig,
    InitConfig,
    LoaderConfig,
    OptimiserConfig,
    Share,
    TokenizerConfig,
)
from training.model.config import PRESETS, EncoderConfig, TextConfig
from training.objectives.contrastive import ContrastiveOptions, LossName
from training.objectives.decoders import DecoderConfig
from training.objectives.distillation import DistillationOptions, StudentStart
from training.objectives.masks import MaskKind

GUIDE = "docs/training.md"
CONFIG_YAML = "config.yaml"
DURATIONS = ("steps", "samples", "epochs")
Part = Annotated[float, Field(ge=1e-6, le=1e6)]
Preset = Literal["tiny", "small", "base", "large", "giant"]
DecoderPreset = Literal["tiny", "base"]

ENCODERS = {name: encoder for name, (encoder, _) in PRESETS.items()}
TEXTS = {name: text for name, (_, text) in PRESETS.items()}
# Half of the paper's for tiny (Table 11: 512 wide, 4 layers, for encoders 768 to 1408 wide).
DECODERS: dict[str, DecoderConfig] = {
    "tiny": DecoderConfig(width=64, heads=4, mlp_width=256, layers=2),
    "base": DecoderConfig(),
}


class _StageConfig(Strict):
    """What both stages say.

    Attributes:
        run: the run whose shards are trained on: a folder, or an address (s3, gs).
        manifest: which version of its manifest; None is the latest.
        out: where checkpoints, metrics and the summary go; None is models/stage1 or models/stage2 of the run.
        tiers: which tiers are trained on; None is all of them.
        small_sources: what becomes of a source with fewer samples than a batch.
        mixture: source -> its part of the steps; sources that it does not name are left out. None takes the sums of the
            samples' weights.
        steps, samples, epochs: how long; exactly one of them. Samples and epochs are rounded up to whole steps. An
            epoch is as many draws as there are samples to draw, whatever their weights.
        ema_decay: a running mean of the weights is kept beside them and is what is exported, evaluated and taught from;
            its decay is at most this, and (1 + step) / (10 + step) in the beginning. None keeps none.
        precision: what matrices are multiplied in; `auto` is bfloat16 where the processor has instructions for it.
            Weights, norms, softmax and losses are float32 in any case.
        checkpoint_every: steps between checkpoints; one is written after the last step too.
        chunk_clips: clips of each process whose activations are in memory at a time; None is all of them. The batch is
            as large whatever it is; stage 1 then goes forward twice.
        recompute: whether blocks keep only their inputs for the backward pass, and are computed once more in it.
        final_phase: the last steps draw from some tiers alone; None draws from all to the end.
        augment: how clips are changed; None changes nothing.
        synthetic: noise in place of clips and texts: how fast the model is by itself. It needs `out`.
        device: `auto` is a GPU where there is one.
        peak_tflops: what all devices together could do, in 1e12 operations a second; metrics then state the share of it
            that the model used (`mfu`). None looks the device up, and leaves the share out where it is not known.
        threads: of the processor; None is as many as this process may use. The order in which products are summed
            hangs on it, so equal bits need an equal number.
    """

    run: str
    manifest: Count | None = None
    out: str | None = None
    tiers: tuple[Tier, ...] | None = None
    small_sources: Literal["refuse", "leave_out"] = "refuse"
    mixture: dict[str, Part] | None = Field(default=None, min_length=1)
    seed: int = 0
    batch_size: Count
    steps: Count | None = None
    samples: Count | None = None
    epochs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    checkpoint_every: Count = 100
    threads: Count | None = None
    peak_tflops: Annotated[float, Field(gt=0)] | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    chunk_clips: Count | None = None
    recompute: bool = False
    final_phase: FinalPhaseConfig | None = None
    augment: AugmentConfig | None = None
    synthetic: bool = False
    loader: LoaderConfig = LoaderConfig()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    optimiser: OptimiserConfig

    @model_validator(mode="after")
    def _one_duration(self) -> Self:
        given = [name for name in DURATIONS if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "nothing"
            raise ValueError(f"{said} says how long; allowed: exactly one of {', '.join(DURATIONS)}; give one")
        return self

    @model_validator(mode="after")
    def _noise_lies_apart(self) -> Self:
        if self.synthetic and self.out is None:
            raise ValueError(
                "synthetic is on and out is missing; allowed: a folder that no real training uses; give out"
            )
        return self

    @property
    def step_count(self) -> int:
        """How many steps there are.

        Raises:
            ValueError: the duration is in epochs, and nobody said yet how many samples one has (`in_steps`).
        """
        if self.steps is not None:
            return self.steps
        if self.samples is None:
            raise ValueError(f"epochs is {self.epochs}; its steps hang on the shards; ask for `in_steps` first")
        return -(-self.samples // self.batch_size)

    def in_steps(self, epoch_samples: Callable[[], int]) -> Self:
        """Return the same config with its duration in steps alone.

        Args:
            epoch_samples: tells how many samples there are to draw; asked only where the duration is in epochs.
        """
        if self.epochs is None:
            steps = self.step_count
        else:
            steps = max(1, math.ceil(self.epochs * epoch_samples() / self.batch_size))
        return self.model_copy(update={"steps": steps, "samples": None, "epochs": None})

    @property
    def parts(self) -> dict[str, int] | None:
        """The mixture in whole numbers, of a millionth."""
        return None if self.mixture is None else {name: round(part * 1_000_000) for name, part in self.mixture.items()}

    @property
    def run_address(self) -> RunAddress:
        """The run whose shards are trained on: a folder, or an address of a bucket."""
        return address_of(self.run)


class TextsConfig(Strict):
    """A text of a clip is drawn at each step, a better one more often; see `ScoredChoice`.

    Attributes:
        spread: a text whose cosine with its clip is lower by this much is drawn 1 / e as often.
        kinds: further kinds that take part beside that of the text which judging chose.
    """

    spread: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.02
    kinds: tuple[TextKind, ...] = ()


class StageOneConfig(_StageConfig):
    """Video-text contrastive training.

    Attributes:
        model: the size of the encoder and of the text tower.
        frames: of each clip and of the table of times; None is what the model's published table has.
        soft_cap: whether attention logits are capped softly, as the published weights need; without it attention is
            faster, and the encoder another one.
        dropped_share: the share of patch positions that tubes leave out; the paper drops 0.5.
        loss: `softmax` as in the paper, or SigLIP's `sigmoid`.
        texts: draws one of a clip's texts at each step; None takes the one that judging chose.
        rebuild: whether pixels of what was left out are predicted too: one stage in place of two, an ablation.
        tokenizer: None learns a vocabulary from the run's own texts.
        init: None starts at random. What it names is read once, before the first step.
    """

    stage: Literal[1]
    model: Preset = "tiny"
    frames: Count | None = None
    soft_cap: bool = True
    dropped_share: Share = 0.5
    loss: LossName = "softmax"
    texts: TextsConfig | None = None
    rebuild: bool = False
    tokenizer: TokenizerConfig | None = None
    init: InitConfig | None = None

    @model_validator(mode="after")
    def _has_something_to_rebuild(self) -> StageOneConfig:
        if self.rebuild and not self.dropped_share:
            raise ValueError("rebuild is on and dropped_share 0; allowed: a share above 0; nothing else is rebuilt")
        return self

    @property
    def encoder(self) -> EncoderConfig:
        """The encoder's sizes."""
        found = ENCODERS[self.model]()
        return replace(found, frames=self.frames or found.frames, logit_cap=found.logit_cap if self.soft_cap else None)

    @property
    def text(self) -> TextConfig:
        """The text tower's sizes; a given tokenizer has a vocabulary of its own (`training.loop.given`)."""
        found = TEXTS[self.model]()
        return replace(found, logit_cap=found.logit_cap if self.soft_cap else None)

    @property
    def pixel_decoder(self) -> DecoderConfig | None:
        """The sizes of what predicts pixels, or None where nothing does."""
        size = "tiny" if self.model in ("tiny", "small") else "base"
        return DECODERS[size] if self.rebuild else None

    @property
    def options(self) -> ContrastiveOptions:
        """What is minimised."""
        return ContrastiveOptions(loss=self.loss, dropped_share=self.dropped_share, rebuild=self.rebuild)

    @property
    def folder(self) -> Path:
        """Where this stage keeps everything."""
        return Path(self.out) if self.out is not None else Path(self.run) / stage_folder(1)


class StageTwoConfig(_StageConfig):
    """Masked distillation of stage 1.

    Attributes:
        teacher: folder of the finished stage 1; None is models/stage1 of the run.
        mask, masked_share, shuffled, whole_clip: see `DistillationOptions`; all but `mask` are as in the paper.
        start: the student's first weights: its teacher's, or random ones, an ablation.
        decoder: the size of both decoders.
        teacher_memory_mb: megabytes of what the teacher said that are remembered; 0 asks it anew at each step.
    """

    stage: Literal[2]
    teacher: str | None = None
    mask: MaskKind = "blocks"
    masked_share: Share = 0.65
    shuffled: bool = True
    whole_clip: bool = True
    start: StudentStart = "teacher"
    decoder: DecoderPreset = "tiny"
    teacher_memory_mb: Annotated[int, Field(ge=0)] = 0

    @property
    def options(self) -> DistillationOptions:
        """What is minimised."""
        return DistillationOptions(
            mask=self.mask,
            masked_share=self.masked_share,
            shuffled=self.shuffled,
            whole_clip=self.whole_clip,
        )

    @property
    def folder(self) -> Path:
        """Where this stage keeps everything."""
        return Path(self.out) if self.out is not None else Path(self.run) / stage_folder(2)

    @property
    def teacher_folder(self) -> Path:
        """The finished stage 1."""
        return Path(self.teacher) if self.teacher is not None else Path(self.run) / stage_folder(1)


TrainConfig = StageOneConfig | StageTwoConfig


class _Stage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    stage: Literal[1, 2]


def load_train_config(path: Path, run: Path | None = None) -> TrainConfig:
    """Read a training config and resolve its paths against its folder.

    Args:
        path: the file, or the folder of a training, which keeps its config.
        run: a run folder that stands in for the file's own.

    Raises:
        ConfigError: the file cannot be read, or holds a key or value that is not allowed.
    """
    what = "training config"
    if path.is_dir():
        path = _kept_config(path)
    stage = load_yaml(path, _Stage, what=what, guide=GUIDE).stage
    model: type[StageOneConfig] | type[StageTwoConfig] = StageOneConfig if stage == 1 else StageTwoConfig
    config = load_yaml(path, model, what=what, guide=GUIDE)
    folder = path.resolve().parent
    texts = {name: getattr(config, name, None) for name in ("run", "out", "teacher")}
    found: dict[str, Any] = {name: _resolved(folder, text) for name, text in texts.items() if text is not None}
    parts = {name: getattr(config, name, None) for name in ("tokenizer", "init")}
    found |= {name: part.resolved(folder) for name, part in parts.items() if part is not None}
    if run is not None:
        found["run"] = str(run.resolve())
    resolved: TrainConfig = config.model_copy(update=found)
    if isinstance(resolved.run_address, Path):
        if not resolved.run_address.is_dir():
            raise ConfigError(f"{what} {path}: run is {resolved.run}: no such folder; allowed: a run with shards")
    else:
        _need_local_folders(resolved, f"{what} {path}")
    return resolved


def _kept_config(folder: Path) -> Path:
    path = folder / CONFIG_YAML
    if not path.is_file():
        raise ConfigError(
            f"{folder}: holds no {CONFIG_YAML}; allowed: a config's file, or the folder of a training that was begun; "
            "give the file"
        )
    return path


def config_to_keep(config: TrainConfig) -> bytes:
    """Return a config as its training's folder keeps it: read from there, it is the same config.

    Where the folder lies in the run, what lies in the run too is written relative to it: a run can be moved.
    """
    folder = config.folder.resolve()
    keys = config.model_dump(mode="json", exclude_unset=True)
    for name in ("run", "teacher"):
        if keys.get(name) is not None and "://" not in keys[name]:
            keys[name] = _seen_from(folder, Path(keys[name]).resolve(), Path(config.run).resolve())
    if keys.get("out") is not None:
        keys["out"] = "."
    return yaml.safe_dump(keys, sort_keys=True).encode()


def _seen_from(folder: Path, path: Path, run: Path) -> str:
    inside = folder.is_relative_to(run) and path.is_relative_to(run)
    return os.path.relpath(path, folder) if inside else str(path)


def _resolved(folder: Path, text: str) -> str:
    return text if "://" in text else str(resolve_path(folder, text))


def _need_local_folders(config: TrainConfig, what: str) -> None:
    """Refuse a training on a run in a bucket that does not say where on this machine checkpoints lie.

    Raises:
        ConfigError: it does not.
    """
    for name in ("out", "teacher") if config.stage == 2 else ("out",):
        text = getattr(config, name)
        if text is None or "://" in text:
            raise ConfigError(
                f"{what}: {name} is {text}, and run lies in a bucket; allowed: a folder of this machine, since "
                f"checkpoints are written often; give {name}"
            )
