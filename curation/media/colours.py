"""From the planes of a yuv420p frame to a small RGB square and to full-scale luma, in integers and plain C resampling.

The same input gives the same bytes on every CPU: neither swscale's assembler nor floating-point order is involved.
"""

from __future__ import annotations

import av
import numpy as np
from PIL import Image

# ITU-T H.273: matrix number -> (Kr, Kb) of BT.709; everything else that we encode is BT.601
BT709_MATRIX = 1
BT709_KR_KB = (0.2126, 0.0722)
BT601_KR_KB = (0.299, 0.114)
# limited range: black at 16, white 219 steps above, chroma 224 steps wide around 128
LUMA_BLACK, LUMA_STEPS, CHROMA_ZERO, CHROMA_STEPS = 16, 219, 128, 224
FIXED_POINT_BITS = 16


def planes(frame: av.VideoFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return copies of a yuv420p frame's planes: uint8 [H, W] luma and two [H/2, W/2] chroma planes."""
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(bytes(plane), dtype=np.uint8).reshape(plane.height, plane.line_size)
        found.append(rows[:, : plane.width])
    luma, blue, red = found
    return luma, blue, red


def luma_view(frame: av.VideoFrame) -> np.ndarray:
    """Return a frame's luma, uint8 [H, W], without copying: valid as long as the frame is."""
    plane = frame.planes[0]
    return np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def full_scale_luma(luma: np.ndarray) -> np.ndarray:
    """Return limited-range luma (16 to 235) stretched to uint8 0 to 255."""
    steps = np.arange(256, dtype=np.int64)
    table = np.clip(((steps - LUMA_BLACK) * 255 * 2 + LUMA_STEPS) // (2 * LUMA_STEPS), 0, 255).astype(np.uint8)
    return table[luma]


def square_rgb(frame_planes: tuple[np.ndarray, np.ndarray, np.ndarray], matrix: int, size_px: int) -> np.ndarray:
    """Return the centre square of a frame, its shorter side resized to `size_px`: uint8 [size_px, size_px, 3] RGB.

    The planes are resized (bicubic) before they are mixed, which is the same picture for less work.
    """
    height, width = frame_planes[0].shape
    luma, blue, red = (_square(plane, width, height, size_px) for plane in frame_planes)
    return _mixed(luma, blue, red, matrix)


def picture_rgb(
    frame_planes: tuple[np.ndarray, np.ndarray, np.ndarray], matrix: int, size_px: tuple[int, int]
) -> np.ndarray:
    """Return a whole frame resized to (width, height): uint8 [height, width, 3] RGB."""
    luma, blue, red = (
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size_px, Image.Resampling.BICUBIC))
        for plane in frame_planes
    )
    return _mixed(luma, blue, red, matrix)


def _mixed(luma: np.ndarray, blue: np.ndarray, red: np.ndarray, matrix: int) -> np.ndarray:
    """Return uint8 [H, W, 3] RGB of planes of limited range that have one size."""
    luma, blue, red = (plane.astype(np.int64) for plane in (luma, blue, red))
    kr, kb = BT709_KR_KB if matrix == BT709_MATRIX else BT601_KR_KB
    one = 1 << FIXED_POINT_BITS
    grey = (luma - LUMA_BLACK) * round(one * 255 / LUMA_STEPS)
    blue, red = blue - CHROMA_ZERO, red - CHROMA_ZERO
    chroma = one * 255 / CHROMA_STEPS
    to_red = grey + red * round(2 * (1 - kr) * chroma)
    to_blue = grey + blue * round(2 * (1 - kb) * chroma)
    kg = 1 - kr - kb
    to_green = grey - blue * round(2 * (1 - kb) * kb / kg * chroma) - red * round(2 * (1 - kr) * kr / kg * chroma)
    mixed = np.stack([to_red, to_green, to_blue], axis=-1)
    return np.clip((mixed + one // 2) >> FIXED_POINT_BITS, 0, 255).astype(np.uint8)


def _square(plane: np.ndarray, width_px: int, height_px: int, size_px: int) -> np.ndarray:
    """Resize one plane of a frame of the given size so that the frame's centre square fills the result."""
    side = min(width_px, height_px)
    across, down = plane.shape[1] / width_px, plane.shape[0] / height_px
    left, top = (width_px - side) / 2, (height_px - side) / 2
    box = (left * across, top * down, (left + side) * across, (top + side) * down)
    image = Image.fromarray(plane)
    return np.asarray(image.resize((size_px, size_px), Image.Resampling.BICUBIC, box=box, reducing_gap=None))
