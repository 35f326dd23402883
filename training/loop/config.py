"""`CONFIG.yaml` of `clipstrata train` as a model: one file per stage. Paths in it are relative to the file.

docs/training.md lists every key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.config_file import ConfigError, Strict, load_yaml, resolve_path
from schemas.records import Tier
from schemas.run import RunAddress, address_of, stage_folder
from training.model.config import PRESETS
from training.objectives.decoders import DecoderConfig

GUIDE = "docs/training.md"
Count = Annotated[int, Field(ge=1)]
Part = Annotated[float, Field(ge=1e-6, le=1e6)]
Share = Annotated[float, Field(ge=0, lt=1)]
Preset = Literal["tiny", "small", "base", "large", "giant"]
DecoderPreset = Literal["tiny", "base"]

ENCODERS = {name: encoder for name, (encoder, _) in PRESETS.items()}
TEXTS = {name: text for name, (_, text) in PRESETS.items()}
# Half of the paper's for tiny (Table 11: 512 wide, 4 layers, for encoders 768 to 1408 wide).
DECODERS = {
    "tiny": DecoderConfig(width=64, heads=4, mlp_width=256, layers=2),
    "base": DecoderConfig(),
}


class OptimiserConfig(Strict):
    """AdamW with a warm-up and a fall of the learning rate.

    Attributes:
        peak_lr: reached after `warmup_steps`, linearly.
        final_lr: reached at the last step.
        fall: the curve from peak to final; the paper falls linearly in stage 1, along a cosine in stage 2.
        weight_decay: of matrices; norms, biases, tables of positions and the temperature have none.
        clip_norm: gradients are scaled down to this norm.
    """

    peak_lr: Annotated[float, Field(gt=0)]
    final_lr: Annotated[float, Field(ge=0)] = 0.0
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    fall: Literal["linear", "cosine"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.98
    clip_norm: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> OptimiserConfig:
        if self.final_lr > self.peak_lr:
            raise ValueError(f"final_lr is {self.final_lr} and peak_lr {self.peak_lr}; allowed: final_lr <= peak_lr")
        return self


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
        precision: what matrices are multiplied in; `auto` is bfloat16 where the processor has instructions for it.
            Weights, norms, softmax and losses are float32 in any case.
        checkpoint_every: steps between checkpoints; one is written after the last step too.
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
    steps: Count
    checkpoint_every: Count = 100
    threads: Count | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    optimiser: OptimiserConfig

    @property
    def parts(self) -> dict[str, int] | None:
        """The mixture in whole numbers, of a millionth."""
        return None if self.mixture is None else {name: round(part * 1_000_000) for name, part in self.mixture.items()}

    @property
    def run_address(self) -> RunAddress:
        """The run whose shards are trained on: a folder, or an address of a bucket."""
        return address_of(self.run)


class StageOneConfig(_StageConfig):
    """Video-text contrastive training.

    Attributes:
        model: the size of the encoder and of the text tower.
        dropped_share: the share of patch positions that tubes leave out; the paper drops 0.5.
    """

    stage: Literal[1]
    model: Preset = "tiny"
    dropped_share: Share = 0.5

    @property
    def folder(self) -> Path:
        """Where this stage keeps everything."""
        return Path(self.out) if self.out is not None else Path(self.run) / stage_folder(1)


class StageTwoConfig(_StageConfig):
    """Masked distillation of stage 1.

    Attributes:
        teacher: folder of the finished stage 1; None is models/stage1 of the run.
        masked_share: the share of patch positions that the student does not see; the paper masks 0.65.
        decoder: the size of both decoders.
    """

    stage: Literal[2]
    teacher: str | None = None
    masked_share: Share = 0.65
    decoder: DecoderPreset = "tiny"

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
        run: a run folder that stands in for the file's own.

    Raises:
        ConfigError: the file cannot be read, or holds a key or value that is not allowed.
    """
    what = "training config"
    stage = load_yaml(path, _Stage, what=what, guide=GUIDE).stage
    model: type[StageOneConfig] | type[StageTwoConfig] = StageOneConfig if stage == 1 else StageTwoConfig
    config = load_yaml(path, model, what=what, guide=GUIDE)
    folder = path.resolve().parent
    texts = {name: getattr(config, name, None) for name in ("run", "out", "teacher")}
    found = {name: _resolved(folder, text) for name, text in texts.items() if text is not None}
    if run is not None:
        found["run"] = str(run.resolve())
    resolved: TrainConfig = config.model_copy(update=found)
    if isinstance(resolved.run_address, Path):
        if not resolved.run_address.is_dir():
            raise ConfigError(f"{what} {path}: run is {resolved.run}: no such folder; allowed: a run with shards")
    else:
        _need_local_folders(resolved, f"{what} {path}")
    return resolved


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
