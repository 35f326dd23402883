"""Finished and unfinished stages, opened from their checkpoints: models ready to be used, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from schemas.config_file import ConfigError
from training.data.tokens import TextTokenizer, load_tokenizer
from training.loop.checkpoints import TOKENIZER, Checkpoint, open_checkpoint
from training.model import EncoderConfig, TextConfig, VideoEncoder, VideoTextModel
from training.objectives import ContrastiveParts, DecoderConfig, DistillationParts, GlobalDecoder


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """What both stages say of themselves.

    Attributes:
        identity: what its training was a function of.
        step: steps done.
    """

    weights_sha256: str
    identity: dict[str, Any]
    step: int

    @property
    def steps(self) -> int:
        """How many steps its training has in all."""
        return int(self.identity["config"]["steps"])

    @property
    def name(self) -> str:
        """For people: `stage 1`, or `stage 1 (step 100 of 600)` where it is not finished."""
        stage = f"stage {self.identity['config']['stage']}"
        return stage if self.step == self.steps else f"{stage} (step {self.step} of {self.steps})"


@dataclass(frozen=True, kw_only=True)
class StageOneModel(_Stage):
    """The video-text model of stage 1, frozen."""

    model: VideoTextModel
    tokenizer: TextTokenizer

    @property
    def encoder(self) -> VideoEncoder:
        """Its video encoder."""
        return self.model.video_model.vision_model


@dataclass(frozen=True, kw_only=True)
class StageTwoModel(_Stage):
    """The student of stage 2 with its global decoder, frozen.

    Attributes:
        teacher_sha256: digest of the stage-1 weights that it learnt from.
    """

    encoder: VideoEncoder
    global_decoder: GlobalDecoder
    teacher_sha256: str


def open_stage_one(path: Path) -> StageOneModel:
    """Open a stage-1 checkpoint, or the newest one of its stage's folder.

    Raises:
        ConfigError: it is not one, or is damaged.
    """
    checkpoint = _open(path, stage=1)
    identity = checkpoint.facts.identity
    encoder, text = EncoderConfig(**identity["encoder"]), TextConfig(**identity["text"])
    with torch.random.fork_rng(devices=[]):
        pixels = DecoderConfig(**identity["pixel_decoder"]) if "pixel_decoder" in identity else None
        parts = ContrastiveParts(VideoTextModel(encoder, text), identity["config"]["loss"], pixels)
    parts.load_state_dict(checkpoint.handed_on())
    return StageOneModel(
        model=parts.model.eval().requires_grad_(False),
        tokenizer=load_tokenizer(checkpoint.folder / TOKENIZER, text.max_tokens),
        weights_sha256=checkpoint.facts.weights_sha256,
        identity=identity,
        step=checkpoint.facts.step,
    )


def open_stage_two(path: Path) -> StageTwoModel:
    """Open a stage-2 checkpoint, or the newest one of its stage's folder.

    Raises:
        ConfigError: it is not one, or is damaged.
    """
    checkpoint = _open(path, stage=2)
    identity = checkpoint.facts.identity
    encoder, decoder = EncoderConfig(**identity["encoder"]), DecoderConfig(**identity["decoder"])
    with torch.random.fork_rng(devices=[]):
        parts = DistillationParts(VideoEncoder(encoder), decoder)
    parts.load_state_dict(checkpoint.handed_on())
    parts.eval().requires_grad_(False)
    return StageTwoModel(
        encoder=parts.student,
        global_decoder=parts.global_decoder,
        weights_sha256=checkpoint.facts.weights_sha256,
        teacher_sha256=identity["teacher_sha256"],
        identity=identity,
        step=checkpoint.facts.step,
    )


def open_encoder(path: Path) -> StageOneModel | StageTwoModel:
    """Open a checkpoint of either stage.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    checkpoint = open_checkpoint(path)
    return open_stage_one(checkpoint.folder) if checkpoint.facts.stage == 1 else open_stage_two(checkpoint.folder)


def _open(path: Path, stage: int) -> Checkpoint:
    checkpoint = open_checkpoint(path)
    if checkpoint.facts.stage != stage:
        raise ConfigError(f"{path}: is of stage {checkpoint.facts.stage}; allowed here: stage {stage}; give its folder")
    return checkpoint
