"""What is border and what is picture, on made-up luma."""

from __future__ import annotations

import numpy as np
import pytest

from curation.media.borders import Box, picture_box

HEIGHT, WIDTH = 96, 160
BLACK, WHITE = 16, 235
Luma = np.ndarray


def picture(height: int = HEIGHT, width: int = WIDTH, low: int = 90) -> Luma:
    """Return a picture of soft stripes that reach every side, uint8."""
    y, x = np.mgrid[0:height, 0:width]
    return (low + 50 + 50 * np.sin(x / 5 + y / 9)).astype(np.uint8)


def padded(inner: Luma, level: int, above: int, aside: int) -> Luma:
    return np.pad(inner, ((above, above), (aside, aside)), constant_values=level)


def softened(luma: Luma) -> Luma:
    """Return half as many lines and columns, each the mean of two: an odd border ends in the middle of a line."""
    wide = luma.astype(np.uint16)
    rows = wide[::2] + wide[1::2]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)


def rung(luma: Luma, above: int) -> Luma:
    """Return the same with the dark and the light waves that a sharp edge leaves in a narrow black border."""
    found = luma.copy()
    found[:above, ::2], found[:above, 1::2] = 8, 23
    return found


def slide() -> Luma:
    """Return a white page with a heading near its top, and text below it."""
    page = np.full((HEIGHT, WIDTH), WHITE, np.uint8)
    page[10:20, 10:150] = page[50:70, 20:140:2] = 40
    return page


def dark_corner() -> Luma:
    """Return a picture that grows out of black from the left."""
    rise = np.clip((np.arange(WIDTH) - 20) / 60, 0, 1)
    return (BLACK + (picture() - BLACK) * rise).astype(np.uint8)


CASES: dict[str, tuple[Luma, Box]] = {
    "a picture alone": (picture(), Box(0, 0, 160, 96)),
    "bars above and below": (padded(picture(), BLACK, 20, 0), Box(0, 20, 160, 116)),
    "a frame all around": (padded(picture(), BLACK, 6, 8), Box(8, 6, 168, 102)),
    "a white frame": (padded(picture(low=60), WHITE, 6, 8), Box(8, 6, 168, 102)),
    "bars that end in the middle of a line": (softened(padded(picture(), BLACK, 21, 15)), Box(7.5, 10.5, 87.5, 58.5)),
    "a narrow border that rings": (rung(padded(picture(), BLACK, 4, 0), 4), Box(0, 4, 160, 100)),
    "white bars in black ones": (padded(padded(picture(low=60), WHITE, 8, 8), BLACK, 9, 9), Box(17, 17, 177, 113)),
    "a margin of a page": (slide(), Box(0, 0, 160, 96)),
    "a margin of a page in bars": (padded(slide(), BLACK, 12, 0), Box(0, 12, 160, 108)),
    "a corner that darkens": (dark_corner(), Box(0, 0, 160, 96)),
    "nothing but black": (np.full((96, 160), BLACK, np.uint8), Box(0, 0, 160, 96)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_box_of(name: str) -> None:
    luma, expected = CASES[name]
    box = picture_box(luma, luma, luma)
    assert np.allclose(
        (box.left, box.top, box.right, box.bottom),
        (expected.left, expected.top, expected.right, expected.bottom),
        atol=0.25,
    ), box


def test_edges_are_whole_sixteenths() -> None:
    luma = CASES["bars that end in the middle of a line"][0]
    box = picture_box(luma, luma, luma)
    assert all((16 * edge).is_integer() for edge in (box.left, box.top, box.right, box.bottom))
