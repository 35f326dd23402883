"""What a frozen stage 1 says of whole clips: the targets of stage 2."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from training.model import EncoderConfig, VideoTower


class Targets(NamedTuple):
    """Of B clips: tokens [B, T*N, D], time-major, and the pooled vector [B, D]. Neither has a gradient."""

    tokens: Tensor
    pooled: Tensor


class Teacher(Protocol):
    """Something that says what the student must say."""

    @property
    def config(self) -> EncoderConfig:
        """The encoder's sizes."""
        ...

    def targets(self, frames: Tensor) -> Targets:
        """Return the targets of clips [B, T, S, S, 3], seen whole."""
        ...


class FrozenTeacher:
    """Stage 1's video side; it is frozen here and never changed."""

    def __init__(self, tower: VideoTower) -> None:
        self._tower = tower.eval().requires_grad_(False)

    @property
    def config(self) -> EncoderConfig:
        """The encoder's sizes."""
        return self._tower.vision_model.config

    def targets(self, frames: Tensor) -> Targets:
        """See `Teacher`."""
        with torch.inference_mode():
            tokens = self._tower.vision_model(frames).tokens
            pooled = self._tower.pool(tokens)
        # Copies: a gradient may not be computed with what inference mode made.
        return Targets(tokens=tokens.clone(), pooled=pooled.clone())
