"""How the factors are said in words.

Which word of several is taken, and which factors are named, never depends on the factors' values: the same draws with
one changed factor give the same sentence with one changed word. Hard negatives are made that way.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

from curation.world.factors import FACTORS, MOTION, Factors

WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "shape": {
            "circle": ("circle", "disc"),
            "square": ("square", "box"),
            "triangle": ("triangle", "wedge"),
            "star": ("star", "five-pointed star"),
            "ring": ("ring", "hoop"),
            "cross": ("cross", "plus sign"),
            "moon": ("moon", "crescent"),
            "bar": ("bar", "plank"),
        },
        "colour": {
            "red": ("red", "crimson"),
            "orange": ("orange", "amber"),
            "yellow": ("yellow", "lemon yellow"),
            "green": ("green", "emerald"),
            "blue": ("blue", "navy blue"),
            "purple": ("purple", "violet"),
            "white": ("white", "ivory"),
            "black": ("black", "jet black"),
        },
        "texture": {
            "plain": ("plain", "solid"),
            "striped": ("striped", "stripy"),
            "dotted": ("dotted", "spotted"),
            "checkered": ("checkered", "chequered"),
        },
        "background": {
            "grass": ("grass", "lawn"),
            "sand": ("sand", "beach"),
            "sky": ("sky", "daytime sky"),
            "brick": ("brick wall", "bricks"),
            "night": ("night", "starry darkness"),
            "snow": ("snow", "fresh snow"),
        },
        "size": {"small": ("small", "little"), "large": ("large", "big")},
    }
)
"""Two ways of saying each appearance value; the first is the plain one."""

PLACE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "grass": ("on the grass", "over a lawn"),
        "sand": ("on the sand", "over a sandy beach"),
        "sky": ("against the sky", "in front of a pale daytime sky"),
        "brick": ("in front of a brick wall", "against some bricks"),
        "night": ("at night", "in the starry darkness"),
        "snow": ("on the snow", "over fresh snow"),
    }
)

_ASPECTS: tuple[tuple[str, ...], ...] = (("direction", "turn"), ("direction",), ("speed",), ("rotation",), ("growth",))
_SPEED = {"slow": ("slowly", "a few pixels at most"), "fast": ("quickly", "a long way")}
_ROTATION = {
    "none": ("without spinning", "never rotating"),
    "clockwise": ("spinning clockwise", "rotating to the right"),
    "counterclockwise": ("spinning counterclockwise", "rotating to the left"),
}
_GROWTH = {
    "steady": ("keeping its size", "never growing"),
    "growing": ("growing", "getting larger"),
    "shrinking": ("shrinking", "getting smaller"),
}
_TOWARDS = {"left": "to the left", "right": "to the right", "up": "upwards", "down": "downwards"}

MISHEARD: Mapping[str, str] = MappingProxyType(
    {
        "red": "read",
        "blue": "blew",
        "white": "wide",
        "green": "grain",
        "star": "stair",
        "ring": "wring",
        "cross": "crass",
        "bar": "barn",
        "plain": "plane",
        "sand": "send",
        "night": "knight",
        "big": "pig",
    }
)
"""What a speech recogniser makes of a word now and then."""


def pick(rng: random.Random, options: tuple[str, ...]) -> str:
    """One option; exactly one draw, whatever the length, so that later draws stay aligned."""
    return options[int(rng.random() * len(options))]


def say(rng: random.Random, factors: Factors, factor: str) -> str:
    """A word for an appearance factor: two times out of three the plain one."""
    first, second = WORDS[factor][factors.value(factor)]
    return first if rng.random() < 2 / 3 else second


def say_place(rng: random.Random, factors: Factors) -> str:
    """A place phrase for the background."""
    first, second = PLACE[factors.background]
    return first if rng.random() < 2 / 3 else second


def say_motion(rng: random.Random, factors: Factors) -> tuple[str, tuple[str, ...]]:
    """A phrase for one aspect of the motion, and the factors that it names. Neutral values have words as well."""
    names = _ASPECTS[int(rng.random() * len(_ASPECTS))]
    which = int(rng.random() * 2)
    if names == ("direction", "turn"):
        first, second = _TOWARDS[factors.direction], _TOWARDS[factors.second_direction()]
        return (f"going first {first} then {second}", f"moving {first} and after that {second}")[which], names
    if names == ("direction",):
        towards = _TOWARDS[factors.direction]
        return (f"moving {towards}", f"travelling {towards} at first")[which], names
    table = {"speed": _SPEED, "rotation": _ROTATION, "growth": _GROWTH}[names[0]]
    words = table[factors.value(names[0])][which]
    return (f"moving {words}" if names[0] == "speed" else words), names


def in_order(names: set[str]) -> tuple[str, ...]:
    """The names in the order of `FACTORS`."""
    return tuple(name for name in FACTORS if name in names)


def names_motion(names: tuple[str, ...]) -> bool:
    """Whether a text that names these factors speaks of motion."""
    return any(name in MOTION for name in names)
