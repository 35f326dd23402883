"""Pictures that copies carry over them: a station's logo, and subtitles that change halfway."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_LOGO_SHARE = 0.16
_LINES = (
    "I told you that they would\ncome back before the rain",
    "Then close the window, please,\nand give me that map",
)


def write_logo(path: Path, width_px: int, height_px: int) -> None:
    """Write a transparent picture of the frame's size with a logo in its upper right corner, and its letters."""
    picture = Image.new("RGBA", (width_px, height_px), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    across, edge = round(width_px * _LOGO_SHARE), max(2, round(height_px * 0.04))
    down = across // 2
    box = (width_px - across - edge, edge, width_px - edge, edge + down)
    pen.rounded_rectangle(box, radius=down // 3, fill=(230, 40, 40, 235))
    font = ImageFont.load_default(max(6, round(down * 0.6)))
    pen.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), "TV 7", fill=(255, 255, 255, 255), font=font, anchor="mm")
    picture.save(path)


def write_subtitles(path: Path, width_px: int, height_px: int, number: int) -> None:
    """Write a transparent picture of the frame's size with two lines of text at its foot; number 0 or 1."""
    picture = Image.new("RGBA", (width_px, height_px), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    size = max(6, round(min(height_px * 0.075, width_px * 0.055)))
    place = (width_px / 2, height_px * 0.96)
    outline = max(1, size // 10)
    pen.text(
        place,
        _LINES[number],
        fill=(255, 255, 255, 255),
        font=ImageFont.load_default(size),
        anchor="md",
        align="center",
        stroke_width=outline,
        stroke_fill=(0, 0, 0, 255),
    )
    picture.save(path)
