"""Drawn videos: places, people who act, things that move, title cards and flat pictures; every frame from numbers.

A place looks like a photograph to a hash: coarse structure carries most of the contrast, fine structure little. People
and things cover a good part of the picture, so that another one in the same place is another picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from curation.world.draw import draw_frames
from curation.world.factors import Factors

WIDTH_PX, HEIGHT_PX, FPS = 512, 288, 25
Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
_MARGIN = 1.5
"""A place is so many times larger than the frame, for a camera that turns."""
_OCTAVES = (2, 4, 8, 16, 32, 64, 128)
_NOISE_LEVELS = 2.0
"""Standard deviation of a camera's noise, of 255."""


class Shot(Protocol):
    """Something that can be drawn at any time."""

    def frame(self, time_s: float) -> Picture:
        """Return uint8 [HEIGHT_PX, W, 3] RGB, W always the same: WIDTH_PX but for the world's squares."""
        ...


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A place, with a person who acts or a thing that moves; equal numbers look and move equally.

    Attributes:
        person: number of the person, or None for nobody.
        action: number of what the person does.
        thing: number of a thing that moves, or None.
        turning: whether the camera turns; a still one stays where it is.
    """

    place: int
    person: int | None = None
    action: int = 0
    thing: int | None = None
    turning: bool = False

    def frame(self, time_s: float) -> Picture:
        """Draw the place from where the camera looks, and what is in it."""
        canvas = Image.fromarray(_place(self.place))
        spare_x, spare_y = canvas.width - WIDTH_PX, canvas.height - HEIGHT_PX
        swing = math.sin(0.35 * time_s + self.place) if self.turning else 0.0
        left, top = round(spare_x * (0.5 + 0.45 * swing)), spare_y // 2
        picture = canvas.crop((left, top, left + WIDTH_PX, top + HEIGHT_PX))
        pen = ImageDraw.Draw(picture)
        if self.thing is not None:
            _draw_thing(pen, self.thing, time_s)
        if self.person is not None:
            _draw_person(pen, self.person, self.action, time_s)
        return _with_noise(np.asarray(picture), self.place, round(time_s * FPS))


@dataclass(frozen=True, kw_only=True)
class Card:
    """A text on an even colour, with a thin line under it; it stands still."""

    text: str
    paper: Colour = (0, 0, 0)
    ink: Colour = (235, 235, 235)
    size_px: int = 40

    def frame(self, time_s: float) -> Picture:
        """Draw the card, the same at any time."""
        picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), self.paper)
        pen = ImageDraw.Draw(picture)
        font = ImageFont.load_default(self.size_px)
        place = (WIDTH_PX // 2, HEIGHT_PX // 2)
        pen.text(place, self.text, fill=self.ink, font=font, anchor="mm", align="center")
        return np.asarray(picture)


@dataclass(frozen=True, kw_only=True)
class Flat:
    """One colour, with as much camera noise as `noisy` says (in its own pattern)."""

    colour: Colour
    noisy: int | None = None

    def frame(self, time_s: float) -> Picture:
        """Draw the colour."""
        flat = np.broadcast_to(np.array(self.colour, np.uint8), (HEIGHT_PX, WIDTH_PX, 3))
        return flat if self.noisy is None else _with_noise(flat, self.noisy, round(time_s * FPS))


@dataclass(frozen=True, kw_only=True)
class Still:
    """A scene that has stopped at one moment: a photograph."""

    scene: Scene

    def frame(self, time_s: float) -> Picture:
        """Draw the scene at its first moment."""
        return self.scene.frame(0.0)


@dataclass(frozen=True, kw_only=True)
class WorldShot:
    """A clip of the built-in world (docs/world.md), enlarged; the same `look` has the same background to the grain."""

    factors: Factors
    look: int
    length_s: float

    def frame(self, time_s: float) -> Picture:
        """Draw the world's square, a pixel of it as a block of pixels."""
        square = draw_frames(self.factors, self.look, [min(1.0, time_s / self.length_s)])[0]
        return np.asarray(Image.fromarray(square).resize((HEIGHT_PX, HEIGHT_PX), Image.Resampling.NEAREST))


def frames(shots: tuple[tuple[Shot, float], ...]) -> Iterator[Picture]:
    """Yield the frames of shots one after the other, FPS a second; each shot comes with its length in seconds."""
    for shot, length_s in shots:
        for number in range(round(length_s * FPS)):
            yield shot.frame(number / FPS)


@lru_cache(maxsize=8)
def _place(number: int) -> Picture:
    """A landscape that nobody has seen: octaves of noise in two colours, and some walls and hills."""
    rng = np.random.default_rng((1, number))
    width, height = round(WIDTH_PX * _MARGIN), round(HEIGHT_PX * _MARGIN)
    light = np.zeros((height, width), np.float64)
    for cells in _OCTAVES:
        grid = rng.random((max(2, cells * height // width), cells)).astype(np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        light += (np.asarray(layer, np.float64) - 0.5) / cells**0.8
    light = (light - light.min()) / (light.max() - light.min())
    low, high = rng.integers(0, 110, 3), rng.integers(130, 256, 3)
    canvas = (low + (high - low) * light[..., None]).astype(np.uint8)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture, "RGBA")
    for _ in range(int(rng.integers(4, 10))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        across, down = (int(rng.integers(30, 200)) for _ in range(2))
        colour = (*(int(step) for step in rng.integers(20, 236, 3)), 170)
        draw = pen.rectangle if rng.random() < 0.6 else pen.ellipse
        draw((x, y, x + across, y + down), fill=colour)
    return np.asarray(picture)


@lru_cache(maxsize=8)
def _noise(number: int) -> NDArray[np.int16]:
    rng = np.random.default_rng((2, number))
    return np.rint(rng.normal(0, _NOISE_LEVELS, (2 * HEIGHT_PX, 2 * WIDTH_PX, 1))).astype(np.int16)


def _with_noise(picture: Picture, number: int, frame: int) -> Picture:
    rng = np.random.default_rng((3, number, frame))
    top, left = int(rng.integers(0, HEIGHT_PX)), int(rng.integers(0, WIDTH_PX))
    noise = _noise(number)[top : top + HEIGHT_PX, left : left + WIDTH_PX]
    return np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def _colours(rng: np.random.Generator, count: int) -> list[Colour]:
    return [(int(red), int(green), int(blue)) for red, green, blue in rng.integers(10, 246, (count, 3))]


def _sway(number: int, part: int, time_s: float) -> float:
    """A movement between -1 and 1 that does not come back to where it was within a clip."""
    rng = np.random.default_rng((4, number, part))
    slow, fast = 0.4 + 0.8 * rng.random(), 1.5 + 2.5 * rng.random()
    first, second = 2 * math.pi * rng.random(2)
    return 0.6 * math.sin(slow * time_s + first) + 0.4 * math.sin(fast * time_s + second)


def _draw_thing(pen: ImageDraw.ImageDraw, number: int, time_s: float) -> None:
    rng = np.random.default_rng((5, number))
    body, mark = _colours(rng, 2)
    corners, radius = int(rng.integers(3, 9)), HEIGHT_PX * (0.16 + 0.16 * rng.random())
    x = WIDTH_PX * (0.5 + 0.36 * _sway(number, 0, time_s))
    y = HEIGHT_PX * (0.5 + 0.34 * _sway(number, 1, time_s))
    turn = math.degrees(1.6 * _sway(number, 2, time_s))
    pen.regular_polygon((x, y, radius), corners, rotation=round(turn), fill=body, outline=(30, 30, 30), width=3)
    pen.regular_polygon((x, y, radius / 2), 3 + corners % 4, rotation=round(-turn), fill=mark)


def _draw_person(pen: ImageDraw.ImageDraw, person: int, action: int, time_s: float) -> None:
    """Head, trunk, arms and legs: build and colours are the person's, angles and the way are the action's."""
    rng = np.random.default_rng((6, person))
    skin, shirt, trousers, hair = _colours(rng, 4)
    tall, broad = 0.62 + 0.2 * rng.random(), 0.8 + 0.6 * rng.random()
    unit = HEIGHT_PX * tall / 8
    x = WIDTH_PX * (0.5 + 0.25 * _sway(action, 0, time_s))
    hip = HEIGHT_PX * (0.62 + 0.06 * _sway(action, 1, time_s))
    neck = hip - 2.8 * unit
    for side, part in ((-1, 2), (1, 3)):
        knee = (x + side * unit * broad * 0.6 + unit * _sway(action, part, time_s), hip + 1.8 * unit)
        foot = (knee[0] + 0.8 * unit * _sway(action, part + 2, time_s), hip + 3.6 * unit)
        pen.line(
            [(x + side * unit * broad * 0.5, hip), knee, foot], fill=trousers, width=round(unit * broad), joint="curve"
        )
    pen.rounded_rectangle((x - unit * broad, neck, x + unit * broad, hip + 0.3 * unit), round(unit / 2), fill=shirt)
    for side, part in ((-1, 6), (1, 7)):
        shoulder = (x + side * unit * broad, neck + 0.4 * unit)
        lift = 0.4 + 1.9 * _sway(action, part, time_s)
        elbow = (shoulder[0] + side * 1.5 * unit * math.cos(lift), shoulder[1] - 1.5 * unit * math.sin(lift))
        bend = lift + 1.2 * _sway(action, part + 2, time_s)
        hand = (elbow[0] + side * 1.5 * unit * math.cos(bend), elbow[1] - 1.5 * unit * math.sin(bend))
        pen.line([shoulder, elbow, hand], fill=shirt, width=round(0.6 * unit), joint="curve")
        pen.ellipse((hand[0] - 0.4 * unit, hand[1] - 0.4 * unit, hand[0] + 0.4 * unit, hand[1] + 0.4 * unit), fill=skin)
    pen.ellipse((x - 0.8 * unit, neck - 1.9 * unit, x + 0.8 * unit, neck), fill=skin)
    pen.pieslice((x - 0.9 * unit, neck - 2.0 * unit, x + 0.9 * unit, neck - 0.4 * unit), 180, 360, fill=hair)
