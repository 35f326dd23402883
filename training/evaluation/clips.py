"""Held-out clips of the built-in world, drawn in memory: what they show, their frames, their labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curation.world.draw import draw_frames
from curation.world.factors import FACTORS, Factors, draw_factors, seeded
from curation.world.plan import MAX_FRAMES, MIN_FRAMES
from training.data.frames import centre_square, frame_indices

# First part of every seed here; `plan_world` and the scorer's training begin theirs with other words or numbers.
SEED_SPACE = "shapes"


@dataclass(frozen=True)
class HeldOutClip:
    """factors: what the clip shows. look_seed: all else about it. length: frames at the world's rate."""

    factors: Factors
    look_seed: int
    length: int


@dataclass(frozen=True, order=True)
class FrameSize:
    """What a subject takes: so many frames of a clip, each a square of so many pixels."""

    frames: int
    image_px: int


def draw_clips(split: str, seed: int, count: int) -> list[HeldOutClip]:
    """Return `count` clips; clip n of a split is the same whatever the count, and no split shares a generator."""
    clips = []
    for number in range(count):
        rng = seeded(SEED_SPACE, split, seed, number)
        length = rng.randint(MIN_FRAMES, MAX_FRAMES)  # as `plan_world` draws it
        clips.append(HeldOutClip(draw_factors(rng), rng.getrandbits(48), length))
    return clips


def moments_of(length: int, count: int) -> list[float]:
    """Return when the frames are taken, 0 the clip's first frame and 1 its last, by the training reader's rule."""
    return [index / (length - 1) for index in frame_indices(length, count)]


def clip_frames(
    clips: Sequence[HeldOutClip], sizes: Collection[FrameSize], on_clip: Callable[[int], None] | None = None
) -> dict[FrameSize, NDArray[np.uint8]]:
    """Draw each clip once for each frame count, and keep only the sizes asked for.

    Args:
        on_clip: told how many clips are done, after each.

    Returns:
        For each size uint8 [len(clips), frames, image_px, image_px, 3], RGB.
    """
    kept = {size: np.empty((len(clips), size.frames, *[size.image_px] * 2, 3), np.uint8) for size in sizes}
    for number, clip in enumerate(clips):
        for count in sorted({size.frames for size in kept}):
            drawn = draw_frames(clip.factors, clip.look_seed, moments_of(clip.length, count))
            for size in (size for size in kept if size.frames == count):
                kept[size][number] = [centre_square(frame, size.image_px) for frame in drawn]
        if on_clip is not None:
            on_clip(number + 1)
    return kept


def labels_of(clips: Sequence[HeldOutClip]) -> Tensor:
    """Return the factors as positions among their values: int64 [len(clips), factors], in the order of `FACTORS`."""
    rows = [[FACTORS[name].index(value) for name, value in clip.factors.as_dict().items()] for clip in clips]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(clips), len(FACTORS))
