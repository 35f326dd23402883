"""The pictures of a clip that a text finder sees: raw RGB beside the clip, from the limited child to who started it.

Nothing of the original is in the file but the colours of so many pixels, so whoever reads it needs no sandbox.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curation.media.strips import uniform_indices

TEXT_FRAMES = 4
# The shorter side, as clips have it by default. Subtitles are 10 to 15 px high in such a picture, and are found.
TEXT_SIDE_PX = 288


def text_indices(frames: int) -> list[int]:
    """Return which frames of a clip are looked at: those at the centres of 4 equal parts, each once."""
    return uniform_indices(frames, min(TEXT_FRAMES, frames))


def text_size_px(width_px: int, height_px: int) -> tuple[int, int]:
    """Return (width, height) of the pictures of a clip; a small one is not enlarged."""
    scale = min(1.0, TEXT_SIDE_PX / min(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def text_frames_path(media_path: str) -> Path:
    """Return where the pictures of a clip lie."""
    return Path(media_path).with_suffix(".rgb")


def write_text_frames(media_path: str, pictures: list[np.ndarray]) -> None:
    """Write pictures uint8 [height, width, 3] RGB of `text_size_px`, one after the other."""
    text_frames_path(media_path).write_bytes(b"".join(picture.tobytes() for picture in pictures))


def read_text_frames(media_path: str, width_px: int, height_px: int) -> np.ndarray:
    """Return the pictures of a clip of the given size: uint8 [count, height, width, 3] RGB, at least one.

    Raises:
        ValueError: the file does not hold 1 to 4 whole pictures.
        OSError: it cannot be read.
    """
    path = text_frames_path(media_path)
    if min(width_px, height_px) < 1:
        raise ValueError(f"the clip is {width_px}x{height_px} px")
    width, height = text_size_px(width_px, height_px)
    # looked at before it is read: the child may be under a hostile file's rule
    found_bytes, picture_bytes = path.stat().st_size, width * height * 3
    count, rest = divmod(found_bytes, picture_bytes)
    if rest or not 1 <= count <= TEXT_FRAMES:
        raise ValueError(f"{path.name} is {found_bytes} bytes; 1 to {TEXT_FRAMES} pictures are {picture_bytes} each")
    return np.fromfile(path, dtype=np.uint8).reshape(count, height, width, 3)
