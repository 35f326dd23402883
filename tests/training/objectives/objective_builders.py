"""Both stages at their smallest, and made-up batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from training.data import ClipBatch
from training.data.tokens import learn_tokenizer
from training.model import EncoderConfig, TextConfig, VideoTextModel
from training.objectives import (
    ContrastiveObjective,
    ContrastiveOptions,
    ContrastiveParts,
    DecoderConfig,
    DistillationObjective,
    DistillationOptions,
    DistillationParts,
    Execution,
    FrozenTeacher,
    Objective,
)

ENCODER = EncoderConfig(
    frames=2, image_px=8, patch_px=4, width=8, heads=2, mlp_width=16, spatial_layers=1, temporal_layers=1
)
TEXT = TextConfig(vocabulary=300, max_tokens=8, width=8, heads=2, mlp_width=16, layers=1)
DECODER = DecoderConfig(width=8, heads=2, mlp_width=16, layers=1)
TOKENIZER = learn_tokenizer(["a red circle", "a blue square"], 300, 8)
TEXTS = ("a red circle", "a blue square", "circle", "red", "a square", "blue a circle")


def batch(texts: tuple[str | None, ...] = TEXTS[:3], frames: int = 2) -> ClipBatch:
    """Return a batch of noise, a clip a text."""
    clips = len(texts)
    return ClipBatch(
        step=7,
        source="stock",
        epoch=0,
        keys=tuple("abcdefgh"[:clips]),
        texts=texts,
        shards=("x.tar",) * clips,
        frames=np.random.default_rng(0).integers(0, 256, (clips, frames, 8, 8, 3)).astype(np.uint8),
    )


def rows_of(whole: ClipBatch, rows: slice) -> ClipBatch:
    """Return some of a batch's clips."""
    cut = {name: getattr(whole, name)[rows] for name in ("keys", "texts", "shards")}
    return dataclasses.replace(whole, **cut, frames=whole.frames[rows].copy())


def generator(seed: int = 0) -> torch.Generator:
    """Return a source of what is random in a step."""
    return torch.Generator().manual_seed(seed)


def video_text(seed: int = 0) -> VideoTextModel:
    """Return a model of fresh weights."""
    torch.manual_seed(seed)
    return VideoTextModel(ENCODER, TEXT)


def stage_one(execution: Execution | None = None, **options: Any) -> ContrastiveObjective:
    """Return stage 1 with fresh weights."""
    found = ContrastiveOptions(**options)
    parts = ContrastiveParts(video_text(), found.loss, DECODER if found.rebuild else None)
    return ContrastiveObjective(parts, TOKENIZER, found, execution)


def stage_two(execution: Execution | None = None, **options: Any) -> tuple[DistillationObjective, VideoTextModel]:
    """Return stage 2 with a fresh teacher, and the teacher; half of the patches are masked unless it is said."""
    model = video_text()
    torch.manual_seed(1)
    parts = DistillationParts(model.video_model.vision_model, DECODER)
    found = DistillationOptions(**{"masked_share": 0.5, **options})
    return DistillationObjective(parts, FrozenTeacher(model.video_model), found, execution), model


# Every arm whose gradient is put together in another way, or of other parts.
STAGES: dict[str, Callable[[Execution | None], Objective]] = {
    "softmax": lambda execution: stage_one(execution),
    "sigmoid": lambda execution: stage_one(execution, loss="sigmoid"),
    "one stage": lambda execution: stage_one(execution, rebuild=True),
    "blocks": lambda execution: stage_two(execution)[0],
    "tubes, not shuffled": lambda execution: stage_two(execution, mask="tubes", shuffled=False)[0],
    "without the whole clip": lambda execution: stage_two(execution, whole_clip=False)[0],
}


def gradients(objective: Objective) -> dict[str, torch.Tensor]:
    """Return the gradient of every trained parameter that has one."""
    named = objective.trained.named_parameters()
    return {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


def furthest(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """Return how far apart two sets of tensors of the same names are, at most."""
    assert found.keys() == wanted.keys() and found
    return max(float((found[name] - wanted[name]).abs().max()) for name in wanted)
