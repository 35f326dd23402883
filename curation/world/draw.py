"""Frames of a clip, drawn with numpy.

On arrays only operations that IEEE 754 rounds exactly are used (add, multiply, divide, square root, compare, floor), so
that the frames are equal on every processor; sines and powers are taken of scalars with `math`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from curation.world.factors import Factors, seeded
from curation.world.records import FRAME_SIZE_PX, WorldClip

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (220, 35, 40),
        "orange": (246, 138, 25),
        "yellow": (246, 228, 50),
        "green": (30, 175, 70),
        "blue": (45, 75, 225),
        "purple": (150, 50, 190),
        "white": (250, 250, 250),
        "black": (22, 22, 22),
    }
)
"""Object colours, RGB 0 to 255. Backgrounds are muted, so that no object has the colour of what lies behind it."""

SMALL_RADIUS_PX, LARGE_RADIUS_PX = 20.0, 31.0
GROWTH_SPAN = 0.16
"""A growing object goes from 0.84 to 1.16 times its size."""
FAST_LEG_PX, SLOW_LEG_PX = 20.0, 2.5
"""How far the object travels in half a clip."""
_OUTLINE_PX = 1.6
_STEP = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
_TEXTURE_SHADE = 0.4


@dataclass(frozen=True)
class _Path:
    """Where the object is: float64 arrays [F]; centre and radius in pixels, angle in radians (clockwise on screen)."""

    centre_x_px: list[float]
    centre_y_px: list[float]
    radius_px: list[float]
    angle_rad: list[float]


def _path(factors: Factors, rng: random.Random, moments: Sequence[float]) -> _Path:
    leg_px = FAST_LEG_PX if factors.speed == "fast" else SLOW_LEG_PX
    first, second = _STEP[factors.direction], _STEP[factors.second_direction()]
    end_x = [leg_px * (first[0] * min(t, 0.5) + second[0] * max(t - 0.5, 0.0)) * 2 for t in moments]
    end_y = [leg_px * (first[1] * min(t, 0.5) + second[1] * max(t - 0.5, 0.0)) * 2 for t in moments]
    middle = FRAME_SIZE_PX / 2
    start_x = middle - leg_px * (first[0] + second[0]) / 2 + 12 * rng.random() - 6
    start_y = middle - leg_px * (first[1] + second[1]) / 2 + 12 * rng.random() - 6
    base_px = SMALL_RADIUS_PX if factors.size == "small" else LARGE_RADIUS_PX
    growth = {"steady": 0.0, "growing": GROWTH_SPAN, "shrinking": -GROWTH_SPAN}[factors.growth]
    turn_rad = {"none": 0.0, "clockwise": 1.0, "counterclockwise": -1.0}[factors.rotation] * (3.2 + rng.random())
    angle_rad = rng.random() * 2 * math.pi
    return _Path(
        centre_x_px=[start_x + x for x in end_x],
        centre_y_px=[start_y + y for y in end_y],
        radius_px=[base_px * (1 + growth * (2 * t - 1)) for t in moments],
        angle_rad=[angle_rad + turn_rad * t for t in moments],
    )


def _triangle(u: Floats, v: Floats) -> Floats:
    side = np.float32(math.sqrt(3) / 2)
    tilted = np.abs(v) * side + u * np.float32(0.5)
    result: Floats = np.float32(0.58) - np.maximum(-u, tilted)
    return result


def _star(u: Floats, v: Floats) -> Floats:
    """Five points by folding the plane onto one half of a point; a point lies on the u axis, where the mark is."""
    cos, sin = np.float32(math.cos(math.pi / 5)), np.float32(math.sin(math.pi / 5))
    x, y = np.abs(v), u
    over = np.float32(2) * np.maximum(cos * x - sin * y, 0)
    x, y = x - over * cos, y + over * sin
    over = np.float32(2) * np.maximum(-cos * x - sin * y, 0)
    x, y = np.abs(x + over * cos), y + over * sin
    edge_x, edge_y = np.float32(0.52) * sin, np.float32(0.52) * cos - np.float32(1)
    length = np.float32(math.hypot(float(edge_x), float(edge_y)))
    result: Floats = (x * edge_y - (y - np.float32(1.12)) * edge_x) / length
    return result


def _circle(u: Floats, v: Floats) -> Floats:
    result: Floats = np.float32(0.95) - np.sqrt(u * u + v * v)
    return result


def _square(u: Floats, v: Floats) -> Floats:
    result: Floats = np.float32(0.84) - np.maximum(np.abs(u), np.abs(v))
    return result


def _ring(u: Floats, v: Floats) -> Floats:
    result: Floats = np.float32(0.27) - np.abs(np.sqrt(u * u + v * v) - np.float32(0.73))
    return result


def _cross(u: Floats, v: Floats) -> Floats:
    a, b = np.abs(u), np.abs(v)
    result: Floats = np.float32(1) - np.maximum(np.maximum(a, b), np.minimum(a, b) + np.float32(0.68))
    return result


def _moon(u: Floats, v: Floats) -> Floats:
    far = u + np.float32(0.5)
    result: Floats = np.minimum(np.float32(1) - np.sqrt(u * u + v * v), np.sqrt(far * far + v * v) - np.float32(0.78))
    return result


def _bar(u: Floats, v: Floats) -> Floats:
    result: Floats = np.minimum(np.float32(1.1) - np.abs(u), np.float32(0.38) - np.abs(v))
    return result


_SHAPES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
    "moon": _moon,
    "bar": _bar,
}
"""Distance to the edge in units of the radius, positive inside (near enough for one pixel of smoothing)."""


def _pattern(texture: str, u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Where the texture's second shade is; bound to the object, so that it turns and grows with it."""
    if texture == "striped":
        return np.floor(u * np.float32(2.6)) % 2 == 0
    if texture == "checkered":
        return (np.floor(u * np.float32(2.2)) + np.floor(v * np.float32(2.2))) % 2 == 0
    if texture == "dotted":
        x, y = u * np.float32(1.7), v * np.float32(1.7)
        x, y = x - np.floor(x) - np.float32(0.5), y - np.floor(y) - np.float32(0.5)
        return x * x + y * y < np.float32(0.1)
    return (u - np.float32(0.62)) ** 2 + v * v < np.float32(0.03)


def _noise(rng: random.Random, size_px: int) -> Floats:
    raw = np.frombuffer(rng.randbytes(size_px * size_px), dtype=np.uint8).reshape(size_px, size_px)
    return raw.astype(np.float32) / np.float32(255) - np.float32(0.5)


def _backdrop(kind: str, rng: random.Random, size_px: int) -> Floats:
    """The scene behind the object, float32 [S, S, 3] in 0 to 255; still within a clip."""
    noise = _noise(rng, size_px)
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    plain = {"grass": (84, 118, 66), "sand": (203, 180, 132), "night": (22, 24, 50), "snow": (222, 228, 236)}
    phase = int(rng.random() * 12)
    if kind == "sky":
        fall = (rows / size_px)[..., None]
        top, bottom = np.array((132, 180, 222), np.float32), np.array((208, 226, 240), np.float32)
        return top * (1 - fall) + bottom * fall
    if kind == "brick":
        line = (rows + phase) % 12 < 2
        shifted = columns + np.where((rows + phase) % 24 < 12, 0, 10) + phase
        mortar = line | (shifted % 20 < 2)
        wall = np.array((146, 88, 70), np.float32) + noise[..., None] * 10
        return np.where(mortar[..., None], np.array((186, 176, 166), np.float32), wall)
    canvas = np.broadcast_to(np.array(plain[kind], np.float32), (size_px, size_px, 3)).copy()
    if kind == "night":
        canvas[noise > 0.488] = (225, 225, 205)
    elif kind == "grass":
        canvas += ((columns + phase) % 6 < 2)[..., None] * np.float32(-16) + noise[..., None] * 20
    else:
        canvas += noise[..., None] * np.float32(22 if kind == "sand" else 10)
    return canvas


def _shades(factors: Factors, rng: random.Random) -> tuple[Floats, Floats, Floats]:
    """The object's colour, its second shade and its outline, float32 [3]."""
    jitter = np.array([16 * rng.random() - 8 for _ in range(3)], np.float32)
    colour = np.clip(np.array(COLOURS[factors.colour], np.float32) + jitter, 0, 255)
    light = np.array((255, 255, 255), np.float32)
    dark_object = factors.colour == "black"
    second = colour * np.float32(0.4) + light * np.float32(0.6) if dark_object else colour * np.float32(_TEXTURE_SHADE)
    outline = np.array((210, 210, 210) if dark_object else (40, 40, 40), np.float32)
    return colour, second, outline


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, np.float32)[:, None, None]


def _window(path: _Path, axis_px: Sequence[float], size_px: int) -> slice:
    """The rows or columns that the object touches in any frame."""
    reach = 1.2 * max(path.radius_px) + 2
    return slice(max(0, math.floor(min(axis_px) - reach)), min(size_px, math.ceil(max(axis_px) + reach)))


def draw_frames(factors: Factors, look_seed: int, moments: Sequence[float]) -> Pixels:
    """Frames at the given moments (0 = the clip's first frame, 1 = its last): uint8 [len(moments), 96, 96, 3], RGB."""
    rng = seeded("look", look_seed)
    path = _path(factors, rng, moments)
    colour, second, outline = _shades(factors, rng)
    backdrop = _backdrop(factors.background, rng, FRAME_SIZE_PX)
    frames = np.repeat((backdrop + np.float32(0.5)).clip(0, 255).astype(np.uint8)[None], len(moments), axis=0)

    columns, rows = _window(path, path.centre_x_px, FRAME_SIZE_PX), _window(path, path.centre_y_px, FRAME_SIZE_PX)
    radius = _column(path.radius_px)
    dx = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, None, :] - _column(path.centre_x_px)) / radius
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32)[None, :, None] - _column(path.centre_y_px)) / radius
    cos, sin = _column([math.cos(a) for a in path.angle_rad]), _column([math.sin(a) for a in path.angle_rad])
    u, v = dx * cos + dy * sin, dy * cos - dx * sin

    depth_px = _SHAPES[factors.shape](u, v) * radius
    cover = np.clip(depth_px + np.float32(0.5), 0, 1)[..., None]
    body = np.where(_pattern(factors.texture, u, v)[..., None], second, colour)
    body = np.where((depth_px < np.float32(_OUTLINE_PX))[..., None], outline, body)
    behind = backdrop[rows, columns]
    frames[:, rows, columns] = (behind + (body - behind) * cover + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    return frames


def draw_clip(clip: WorldClip) -> Pixels:
    """All frames of a clip: uint8 [F, 96, 96, 3], RGB, 10 a second."""
    moments = [number / (clip.frames - 1) for number in range(clip.frames)]
    return draw_frames(clip.factors, clip.look_seed, moments)
