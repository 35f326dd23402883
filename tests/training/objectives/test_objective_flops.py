"""Counted operations of real steps at the base size, forward and backward, against what they were planned to cost.

The plan counts matrix products of the layers: 3 forward passes for what learns, 1 for the teacher; half of the patches
in stage 1, 90 of 256 in stage 2, 8 frames. It leaves out pooling heads, projections around decoders, auxiliary layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from training.data import ClipBatch
from training.model import EncoderConfig, TextConfig, VideoTextModel
from training.objectives import (
    ContrastiveObjective,
    ContrastiveParts,
    DecoderConfig,
    DistillationObjective,
    DistillationParts,
    FrozenTeacher,
    Objective,
)

CLIP = ClipBatch(
    step=0,
    source="stock",
    epoch=0,
    keys=("a",),
    texts=("a text",),
    shards=("x.tar",),
    frames=np.zeros((1, 8, 288, 288, 3), np.uint8),
)


class LongTexts:
    """Says of every text that it is as long as the tower allows, as the plan does."""

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        return torch.ones(len(texts), 64, dtype=torch.int64), torch.zeros(len(texts), 64, dtype=torch.bool)


def base(stage: int, auxiliary_layers: int) -> Objective:
    """Return a stage at the base size, without memory for its weights."""
    with torch.device("meta"):
        encoder = dataclasses.replace(EncoderConfig.base(), frames=8)
        model = VideoTextModel(encoder, TextConfig.base(), auxiliary_layers)
        if stage == 1:
            return ContrastiveObjective(ContrastiveParts(model), LongTexts())  # type: ignore[arg-type]
        parts = DistillationParts(model.video_model.vision_model, DecoderConfig())
        return DistillationObjective(parts, FrozenTeacher(model.video_model))


def counted_gflops(objective: Objective) -> float:
    with FlopCounterMode(display=False) as counter:
        objective.backward(CLIP, torch.Generator())
    return counter.get_total_flops() / 1e9


# The published video-text model has two layers between encoder and pooling, over all tokens at once, that the paper
# does not mention: forward 2 * M * (2 * (4 * D * D + 2 * D * 4 * D) + 4 * M * D) for M tokens, thrice where they learn.
def auxiliary_gflops(tokens: int, width: int = 768) -> float:
    return 2 * tokens * (24 * width**2 + 4 * tokens * width) / 1e9


STEPS = {
    "stage 1, as the paper describes it": (1, 0, 748.0),
    "stage 1, as published": (1, 2, 748.0 + 3 * auxiliary_gflops(1024)),
    "stage 2, as the paper describes it": (2, 0, 1308.0),
    "stage 2, as published": (2, 2, 1308.0 + auxiliary_gflops(2048)),
}


@pytest.mark.parametrize("case", STEPS)
def test_a_step_costs_what_was_planned(case: str) -> None:
    stage, auxiliary_layers, planned = STEPS[case]
    assert counted_gflops(base(stage, auxiliary_layers)) == pytest.approx(planned, rel=0.05)
