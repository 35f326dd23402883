"""What a frozen stage 1 says of whole clips: the targets of stage 2."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
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

    def targets(self, frames: Tensor, pixels: NDArray[np.uint8]) -> Targets:
        """Return the targets of clips, seen whole.

        Args:
            frames: [B, T, S, S, 3] in [0, 1], on the device.
            pixels: the same as bytes, by which a clip can be known again.
        """
        ...


class FrozenTeacher:
    """Stage 1's video side; it is frozen here and never changed."""

    def __init__(self, tower: VideoTower) -> None:
        self._tower = tower.eval().requires_grad_(False)

    @property
    def config(self) -> EncoderConfig:
        """The encoder's sizes."""
        return self._tower.vision_model.config

    def targets(self, frames: Tensor, pixels: NDArray[np.uint8]) -> Targets:
        """See `Teacher`."""
        with torch.inference_mode():
            tokens = self._tower.vision_model(frames).tokens
            pooled = self._tower.pool(tokens)
        # Copies: a gradient may not be computed with what inference mode made.
        return Targets(tokens=tokens.clone(), pooled=pooled.clone())


class RememberingTeacher:
    """A teacher that is asked once for each clip, as far as memory goes.

    A clip is known by the digest of its pixels, so one that was cut or flipped otherwise is another. The teacher is
    asked for one clip at a time: what it says does not hang on the batch in which a clip came first, and a training
    that goes on from a checkpoint, with nothing remembered, gets the same bits.

    Args:
        limit_bytes: what may be remembered; when it is full, other clips are asked for each time.
    """

    def __init__(self, teacher: Teacher, limit_bytes: int) -> None:
        if limit_bytes < 1:
            raise ValueError(f"limit_bytes is {limit_bytes}; allowed: from 1; without memory take the teacher itself")
        self._teacher = teacher
        self._left = limit_bytes
        self._said: dict[bytes, Targets] = {}

    @property
    def config(self) -> EncoderConfig:
        """The encoder's sizes."""
        return self._teacher.config

    def targets(self, frames: Tensor, pixels: NDArray[np.uint8]) -> Targets:
        """See `Teacher`."""
        said = [self._one(frames[place : place + 1], pixels[place : place + 1]) for place in range(len(frames))]
        device = frames.device
        return Targets(*(torch.cat(parts).to(device) for parts in zip(*said, strict=True)))

    def _one(self, frames: Tensor, pixels: NDArray[np.uint8]) -> Targets:
        name = hashlib.sha256(pixels.tobytes()).digest()
        if name in self._said:
            return self._said[name]
        fresh = Targets(*(part.cpu() for part in self._teacher.targets(frames, pixels)))
        size = sum(part.nbytes for part in fresh)
        if size <= self._left:
            self._said[name] = fresh
            self._left -= size
        return fresh
