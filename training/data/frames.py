"""Clip bytes to frames: uniform in the clip, the centre square, one size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.media import FramePlan, decode_clip
from curation.media.strips import uniform_indices

# Part of what a decoded cache remembers; to be changed with the pixels that this module makes.
FRAME_RULE = "middles, centre square, bilinear/1"


class ClipRefused(ValueError):
    """A clip does not give the frames that it promises."""


def frame_indices(available: int, count: int) -> list[int]:
    """Return which of `available` frames are taken: the middle one of each of `count` equal parts, ascending.

    A clip with fewer frames than parts gives some of them more than once.

    Raises:
        ValueError: there is no frame, or none is asked for.
    """
    if available < 1 or count < 1:
        raise ValueError(f"{count} frames of {available} cannot be taken")
    return uniform_indices(available, count)


def centre_square(frame: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Return the centre square of a frame, resized: uint8 [H, W, 3] -> uint8 [size_px, size_px, 3]."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = frame[top : top + side, left : left + side]
    if side == size_px:
        return np.ascontiguousarray(square)
    return np.asarray(Image.fromarray(square).resize((size_px, size_px), Image.Resampling.BILINEAR), np.uint8)


def read_frames(media: bytes, plan: FramePlan, available: int | None = None) -> NDArray[np.uint8]:
    """Return a clip's frames for training: uint8 [plan.count, plan.size_px, plan.size_px, 3] RGB, in order.

    Only the frames that are taken are held, so memory does not grow with the clip.

    Args:
        media: an mp4 that this package's ffmpeg made, never an original.
        available: how many frames the clip's facts promise; None counts them by decoding twice.

    Raises:
        ClipRefused: the clip does not decode, or not to `available` frames.
    """
    total = sum(1 for _ in _decoded(media)) if available is None else available
    if total < 1:
        raise ClipRefused("the clip has no frame")
    taken = frame_indices(total, plan.count)
    frames = np.empty((plan.count, plan.size_px, plan.size_px, 3), np.uint8)
    found = 0
    for found, frame in enumerate(_decoded(media), start=1):
        places = [place for place, index in enumerate(taken) if index == found - 1]
        if places:
            frames[places] = centre_square(frame, plan.size_px)
    if found != total:
        raise ClipRefused(f"the clip decodes to {found} frames; its facts say {total}")
    return frames


def _decoded(media: bytes) -> Iterator[NDArray[np.uint8]]:
    try:
        yield from decode_clip(media)
    except ValueError as error:
        raise ClipRefused(str(error)) from error
