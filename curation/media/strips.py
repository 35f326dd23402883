"""The score frames of a clip in one JPEG: squares one under the other, which any viewer opens."""

from __future__ import annotations

import io

import numpy as np

from curation.media.tasks import FramePlan

JPEG_QUALITY = 95
# Of a picture for people: about 3 kB.
SHOWN_SQUARES = 3
SHOWN_PX = 72
SHOWN_QUALITY = 70


def uniform_indices(frames: int, count: int) -> list[int]:
    """Return `count` frame indices: the frames at the centres of `count` equal parts of `frames` frames.

    Indices repeat when there are fewer frames than parts. `frames` and `count` are at least 1.
    """
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]


def write_strip(squares: list[np.ndarray]) -> bytes:
    """Return the JPEG of some uint8 [S, S, 3] RGB squares, stacked from top to bottom; no metadata."""
    from PIL import Image  # only who writes or reads strips loads it

    buffer = io.BytesIO()
    image = Image.fromarray(np.concatenate(squares, axis=0))
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=False)
    return buffer.getvalue()


def read_strip(data: bytes, plan: FramePlan) -> np.ndarray:
    """Return the score frames of a strip.

    Args:
        data: the JPEG file's bytes.
        plan: the plan that the strip was made with.

    Returns:
        uint8 [count, size_px, size_px, 3], RGB.

    Raises:
        ValueError: the bytes are no image, or not of the plan's size.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            size = image.size
            if size != (plan.size_px, plan.count * plan.size_px):
                raise ValueError(f"the strip is {size[0]}x{size[1]} px; {plan.name} wants {plan.size_px} px squares")
            pixels = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise ValueError(f"{len(data)} bytes are no JPEG: {error}") from error
    return pixels.reshape(plan.count, plan.size_px, plan.size_px, 3).copy()


def strip_picture(data: bytes) -> bytes:
    """Return a small JPEG of three of a strip's squares (early, middle, late), side by side, for people to look at.

    Raises:
        ValueError: the bytes are no strip.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            side, rest = image.width, image.height % image.width
            if rest:
                raise ValueError(
                    f"the picture is {image.width}x{image.height} px; a strip is squares, one on the other"
                )
            pixels = image.convert("RGB")
    except OSError as error:
        raise ValueError(f"{len(data)} bytes are no JPEG: {error}") from error
    picture = Image.new("RGB", (SHOWN_SQUARES * SHOWN_PX, SHOWN_PX))
    for place, index in enumerate(uniform_indices(pixels.height // side, SHOWN_SQUARES)):
        square = pixels.crop((0, index * side, side, (index + 1) * side))
        picture.paste(square.resize((SHOWN_PX, SHOWN_PX)), (place * SHOWN_PX, 0))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=SHOWN_QUALITY)
    return buffer.getvalue()
