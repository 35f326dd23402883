"""Operations of a step: the published sizes by hand, and what the built model really multiplies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from training.data import ClipBatch
from training.data.tokens import learn_tokenizer
from training.loop.config import DECODERS
from training.loop.flops import encoder_flops, layers_flops, stage_one_flops, stage_two_flops
from training.model import EncoderConfig, TextConfig, VideoTextModel, VideoTower
from training.objectives import (
    ContrastiveObjective,
    ContrastiveParts,
    DistillationObjective,
    DistillationParts,
    FrozenTeacher,
    Objective,
)

BASE = replace(EncoderConfig.base(), frames=8)
LARGE = replace(BASE, width=1024, heads=16, mlp_width=4096, spatial_layers=24)
GIANT = replace(BASE, width=1408, heads=16, mlp_width=6144, spatial_layers=40)


def test_a_layer_is_its_six_matrices_and_two_products_of_attention() -> None:
    # Two tokens of width 1 that see three: 4 + 2 weights each, twice; and 3 places, twice, for logits and for values.
    assert layers_flops(1, tokens=2, attended=3, width=1, mlp_width=1) == 2 * (12 + 12)


# 1e9 operations of a clip forward, worked out by hand from the sizes.
FORWARD = {
    "base, 8 frames": (BASE, 486.4),
    "base, 16 frames": (EncoderConfig.base(), 973.3),
    "large": (LARGE, 1_499.0),
    "giant": (GIANT, 4_671.4),
}


@pytest.mark.parametrize("case", FORWARD)
def test_encoders_are_literal(case: str) -> None:
    encoder, expected = FORWARD[case]
    assert encoder_flops(encoder, 256) / 1e9 == pytest.approx(expected, rel=1e-3)


def test_half_of_the_patches_are_less_than_half_of_the_work() -> None:
    assert encoder_flops(BASE, 128) < encoder_flops(BASE, 256) / 2


@pytest.fixture
def batch() -> ClipBatch:
    frames = np.zeros((4, 8, 32, 32, 3), np.uint8)
    texts = ("a red circle", "a blue square", "two", "a green line")
    return ClipBatch(step=0, source="s", epoch=0, keys=tuple("abcd"), texts=texts, shards=("x",) * 4, frames=frames)


def counted(objective: Objective, batch: ClipBatch) -> float:
    with FlopCounterMode(display=False) as counter:
        objective.loss(batch, torch.Generator().manual_seed(0)).total.backward()
    return counter.get_total_flops() / len(batch.keys)


def test_stage_one_is_what_its_model_multiplies(batch: ClipBatch) -> None:
    encoder, text = EncoderConfig.tiny(), TextConfig.tiny()
    texts = [text for text in batch.texts if text is not None]
    tokenizer = learn_tokenizer(texts, text.vocabulary, text.max_tokens)
    objective = ContrastiveObjective(ContrastiveParts(VideoTextModel(encoder, text)), tokenizer)
    expected = stage_one_flops(encoder, text, 0.5, tokenizer(texts)[0].shape[1])
    assert counted(objective, batch) == pytest.approx(expected, rel=0.05)


def test_stage_two_is_what_its_model_multiplies(batch: ClipBatch) -> None:
    encoder, decoder = EncoderConfig.tiny(), DECODERS["tiny"]
    teacher = VideoTower(encoder)
    objective = DistillationObjective(DistillationParts(teacher.vision_model, decoder), FrozenTeacher(teacher))
    assert counted(objective, batch) == pytest.approx(stage_two_flops(encoder, decoder, 0.65), rel=0.05)
