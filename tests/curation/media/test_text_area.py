"""How much of a picture text covers: by boxes told by hand, and by the detector itself."""

from __future__ import annotations

import numpy as np
import pytest

from curation.media.text_area import RapidTextFinder, text_area_1e4
from tests.curation.media.lettering import HEIGHT_PX, SUBTITLE, WIDTH_PX, scene, with_text


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


# name -> (boxes of each picture of 20 x 10, the share); a box covers the pixels of its edges, too
SHARES = {
    "no text": ([[]], 0),
    "all of the picture": ([[box(0, 0, 19, 9)]], 10_000),
    "a tenth": ([[box(0, 0, 9, 1)]], 1_000),
    "two boxes": ([[box(0, 0, 9, 1), box(0, 4, 9, 5)]], 2_000),
    "the same twice counts once": ([[box(0, 0, 9, 1), box(0, 0, 9, 1)]], 1_000),
    "half over each other": ([[box(0, 0, 9, 1), box(5, 0, 14, 1)]], 1_500),
    "over the edge": ([[box(10, 0, 40, 9)]], 5_000),
    "mean over pictures": ([[], [box(0, 0, 19, 9)], [], [box(0, 0, 9, 1)]], 2_750),
}


@pytest.mark.parametrize("case", SHARES)
def test_the_share_that_boxes_cover(case: str) -> None:
    boxes, expected = SHARES[case]
    given = iter(boxes)
    pictures = np.zeros((len(boxes), 10, 20, 3), np.uint8)
    assert text_area_1e4(pictures, lambda picture: np.array(next(given), np.float32).reshape(-1, 4, 2)) == expected


@pytest.fixture(scope="module")
def finder() -> RapidTextFinder:
    return RapidTextFinder()


def area(finder: RapidTextFinder, picture: np.ndarray) -> int:
    return text_area_1e4(picture[None], finder)


GRADIENT = np.broadcast_to(np.arange(WIDTH_PX, dtype=np.uint16)[None, :, None] // 2, (HEIGHT_PX, WIDTH_PX, 3))
_X, _Y = np.meshgrid(np.arange(WIDTH_PX), np.arange(HEIGHT_PX))
_RISE = 60 * np.sin(_X / 37) + 40 * np.cos(_Y / 23) + 20 * np.sin((_X + 2 * _Y) / 11)
WAVES = np.clip(np.stack([120 + _RISE, 110 + 0.7 * _RISE, 90 - 0.5 * _RISE], axis=-1), 0, 255)
WITHOUT = {
    "black": np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8),
    "a landscape": scene(),
    "waves, which the detector alone takes for a letter": WAVES.astype(np.uint8),
    "a gradient": GRADIENT.astype(np.uint8),
    "noise": np.random.default_rng(5).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_pictures_without_text(finder: RapidTextFinder, name: str) -> None:
    assert area(finder, WITHOUT[name]) == 0


# name -> (pixels of the letters, top, text, the area of what is drawn in 1e-4 at least and with the detector's margin)
WITH = {
    "a subtitle": (18, 250, SUBTITLE, (250, 900)),
    "a small one": (12, 260, SUBTITLE, (120, 500)),
    "a title over the picture": (48, 110, "THE LONG WAY", (700, 2_200)),
    "digits": (24, 20, "1984 2001", (120, 600)),
}


@pytest.mark.parametrize("name", WITH)
def test_pictures_with_text(finder: RapidTextFinder, name: str) -> None:
    px, top, text, (least, most) = WITH[name]
    assert least <= area(finder, with_text(scene(), text, top=top, px=px)) <= most


def test_red_letters_on_a_blue_ground_of_equal_brightness_are_found(finder: RapidTextFinder) -> None:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (20, 60, 220))
    ImageDraw.Draw(image).text((60, 120), "RED ON BLUE", fill=(200, 10, 20), font=ImageFont.load_default(40))
    assert area(finder, np.asarray(image)) > 500


def test_the_same_pictures_give_the_same_number(finder: RapidTextFinder) -> None:
    pictures = np.stack([with_text(scene(9 * place), SUBTITLE, top=200, px=16 + place) for place in range(3)])
    other = RapidTextFinder()
    found = {text_area_1e4(pictures, one) for one in (finder, finder, other)}
    assert len(found) == 1 and found.pop() > 0


def test_a_very_wide_and_a_tiny_picture(finder: RapidTextFinder) -> None:
    wide = with_text(scene(size_px=(2_304, 144)), SUBTITLE, top=60, px=24)
    assert area(finder, wide) > 100
    assert area(finder, scene(size_px=(16, 16))) == 0
