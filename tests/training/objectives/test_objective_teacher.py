"""A teacher says the same whether it is asked or remembered, and never learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.training.objectives.objective_builders import ENCODER, TEXTS, batch, rows_of, video_text
from training.data import ClipBatch
from training.objectives import FrozenTeacher, RememberingTeacher, Targets
from training.objectives.base import unit_frames

SIX = batch(TEXTS)
CLIP_BYTES = 4 * (2 * 4 * 8 + 8)  # float32: tokens of 2 frames of 4 patches, 8 wide, and the pooled vector


class Counted(FrozenTeacher):
    """Counts the clips that it is asked for, call by call."""

    def __init__(self) -> None:
        super().__init__(video_text().video_model)
        self.asked: list[int] = []

    def targets(self, frames: Tensor, pixels: NDArray[np.uint8]) -> Targets:
        self.asked.append(len(frames))
        return super().targets(frames, pixels)


def said(teacher: FrozenTeacher | RememberingTeacher, clips: ClipBatch) -> Targets:
    return teacher.targets(unit_frames(clips), clips.frames)


def test_what_it_says_can_be_compared_with_and_has_no_gradient() -> None:
    found = said(FrozenTeacher(video_text().video_model), SIX)
    assert found.tokens.shape == (6, 8, 8) and found.pooled.shape == (6, 8)
    assert not found.tokens.requires_grad and not found.tokens.is_inference()
    weight = torch.ones(8, requires_grad=True)
    (found.tokens * weight).sum().backward()
    assert weight.grad is not None


def test_a_clip_is_asked_for_once() -> None:
    counted = Counted()
    teacher = RememberingTeacher(counted, limit_bytes=100 * CLIP_BYTES)
    first, again = said(teacher, SIX), said(teacher, rows_of(SIX, slice(None, None, -1)))
    assert counted.asked == [1] * 6
    assert torch.equal(again.tokens.flip(0), first.tokens) and torch.equal(again.pooled.flip(0), first.pooled)
    assert teacher.config == ENCODER


def test_it_says_the_same_bits_in_any_company() -> None:
    teacher, other = (RememberingTeacher(Counted(), limit_bytes=CLIP_BYTES) for _ in range(2))
    whole, pair = said(teacher, SIX), said(other, rows_of(SIX, slice(4, 6)))
    assert torch.equal(whole.tokens[4:], pair.tokens) and torch.equal(whole.pooled[4:], pair.pooled)
    near = said(FrozenTeacher(video_text().video_model), SIX)
    assert torch.allclose(near.tokens, whole.tokens, atol=1e-6)


def test_other_pixels_are_another_clip() -> None:
    counted = Counted()
    teacher = RememberingTeacher(counted, limit_bytes=100 * CLIP_BYTES)
    flipped = ClipBatch(**{**vars(SIX), "frames": SIX.frames[:, :, :, ::-1].copy()})
    assert not torch.allclose(said(teacher, SIX).pooled, said(teacher, flipped).pooled)
    assert len(counted.asked) == 12


def test_beyond_its_limit_it_asks_again() -> None:
    counted = Counted()
    teacher = RememberingTeacher(counted, limit_bytes=4 * CLIP_BYTES)
    said(teacher, SIX)
    said(teacher, SIX)
    assert len(counted.asked) == 6 + 2


def test_no_memory_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="limit_bytes is 0; allowed: from 1"):
        RememberingTeacher(Counted(), limit_bytes=0)
