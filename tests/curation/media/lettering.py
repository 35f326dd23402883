"""Pictures with text and without, drawn with the font that comes with Pillow."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX = 512, 288
SUBTITLE = "He said that he would come back"


def scene(shift: int = 0, size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> np.ndarray:
    """A landscape without a letter, which a `shift` moves: uint8 [H, W, 3] RGB."""
    width, height = size_px
    x, y = np.meshgrid(np.arange(width) + shift, np.arange(height))
    sky = np.stack([90 + 60 * y / height, 130 + 50 * y / height, 220 - 30 * y / height], axis=-1)
    ridge = height * (0.55 + 0.12 * np.sin(x / 90) + 0.05 * np.sin(x / 31))
    hills = np.stack([60 + 20 * y / height, 90 + 40 * y / height, 50 + 10 * y / height], axis=-1)
    picture = np.where((y > ridge)[..., None], hills, sky)
    sun = (x % width - width * 0.75) ** 2 + (y - height * 0.25) ** 2 < (height * 0.09) ** 2
    return np.where(sun[..., None], (250, 230, 150), picture).astype(np.uint8)


def with_text(picture: np.ndarray, text: str, *, top: int, px: int) -> np.ndarray:
    """The picture with a line of white text, outlined in black, in the middle at a height."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(px)
    left = (image.width - draw.textlength(text, font=font)) / 2
    draw.text((left, top), text, fill="white", font=font, stroke_width=1, stroke_fill="black")
    return np.asarray(image)
