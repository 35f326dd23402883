"""Score frames, signals and colours, from literal pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from curation.media import FramePlan, read_strip
from curation.media.colours import full_scale_luma, square_rgb
from curation.media.strips import uniform_indices, write_strip

# BT.601 limited-range codes of colour bars (ITU-R BT.601) and their 8-bit RGB
BARS = {
    "black": ((16, 128, 128), (0, 0, 0)),
    "white": ((235, 128, 128), (255, 255, 255)),
    "red": ((81, 90, 240), (255, 0, 0)),
    "green": ((145, 54, 34), (0, 255, 0)),
    "blue": ((41, 240, 110), (0, 0, 255)),
}


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [(8, 8, [0, 1, 2, 3, 4, 5, 6, 7]), (80, 8, [5, 15, 25, 35, 45, 55, 65, 75]), (1, 4, [0, 0, 0, 0]), (3, 2, [0, 2])],
)
def test_uniform_indices(frames: int, count: int, expected: list[int]) -> None:
    assert uniform_indices(frames, count) == expected


def test_strip_is_one_jpeg_of_stacked_squares() -> None:
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)]
    data = write_strip([np.full((16, 16, 3), colour, dtype=np.uint8) for colour in colours])
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (16, 48))
    frames = read_strip(data, FramePlan(count=3, size_px=16))
    assert (frames.shape, frames.dtype) == ((3, 16, 16, 3), np.uint8)
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame.astype(int) - colour).max() <= 3


def test_strip_of_another_plan_is_refused() -> None:
    data = write_strip([np.zeros((16, 16, 3), dtype=np.uint8)] * 3)
    with pytest.raises(ValueError, match="u8-16 wants"):
        read_strip(data, FramePlan(count=8, size_px=16))
    with pytest.raises(ValueError, match="no JPEG"):
        read_strip(b"nothing", FramePlan(count=8, size_px=16))


@pytest.mark.parametrize("name", BARS)
def test_colour_bars(name: str) -> None:
    (luma, blue, red), expected = BARS[name]
    codes = (
        np.full((48, 64), luma, dtype=np.uint8),
        np.full((24, 32), blue, dtype=np.uint8),
        np.full((24, 32), red, dtype=np.uint8),
    )
    square = square_rgb(codes, 6, 8)
    assert square.shape == (8, 8, 3)
    assert np.abs(square.astype(int) - expected).max() <= 2


def test_luma_is_stretched_to_full_scale() -> None:
    codes = np.array([[0, 16, 17, 126, 235, 255]], dtype=np.uint8)
    assert full_scale_luma(codes).tolist() == [[0, 0, 1, 128, 255, 255]]
