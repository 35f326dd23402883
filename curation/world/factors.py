"""The factors of variation that a clip of the built-in world is made of, and how they are drawn.

Every factor is drawn uniformly and on its own, clip by clip, so that no factor can be guessed from another one, from
the video or from the source.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

APPEARANCE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "shape": ("circle", "square", "triangle", "star", "ring", "cross", "moon", "bar"),
        "colour": ("red", "orange", "yellow", "green", "blue", "purple", "white", "black"),
        "texture": ("plain", "striped", "dotted", "checkered"),
        "background": ("grass", "sand", "sky", "brick", "night", "snow"),
        "size": ("small", "large"),
    }
)
"""What one frame shows."""

MOTION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "direction": ("left", "right", "up", "down"),
        "turn": ("straight", "left_turn", "right_turn", "back"),
        "speed": ("slow", "fast"),
        "rotation": ("none", "clockwise", "counterclockwise"),
        "growth": ("steady", "growing", "shrinking"),
    }
)
"""What only several frames in their order show. `turn` is the second half of an A-then-B order, seen from the first."""

FACTORS: Mapping[str, tuple[str, ...]] = MappingProxyType({**APPEARANCE, **MOTION})

_CLOCKWISE_ROUND = ("up", "right", "down", "left")
_QUARTERS = {"straight": 0, "right_turn": 1, "back": 2, "left_turn": 3}


@dataclass(frozen=True, kw_only=True)
class Factors:
    """One value for each factor; the allowed values are those of `FACTORS`."""

    shape: str
    colour: str
    texture: str
    background: str
    size: str
    direction: str
    turn: str
    speed: str
    rotation: str
    growth: str

    def value(self, factor: str) -> str:
        """The value of the factor of that name (KeyError for a name that is not in `FACTORS`)."""
        return self.as_dict()[factor]

    def as_dict(self) -> dict[str, str]:
        """All factors by name, in the order of `FACTORS`."""
        return {
            "shape": self.shape,
            "colour": self.colour,
            "texture": self.texture,
            "background": self.background,
            "size": self.size,
            "direction": self.direction,
            "turn": self.turn,
            "speed": self.speed,
            "rotation": self.rotation,
            "growth": self.growth,
        }

    def second_direction(self) -> str:
        """The direction of travel in the second half of the clip."""
        first = _CLOCKWISE_ROUND.index(self.direction)
        return _CLOCKWISE_ROUND[(first + _QUARTERS[self.turn]) % 4]


def seeded(*parts: str | int) -> random.Random:
    """A generator for the place that `parts` name; equal parts give equal draws in every process."""
    key = "\x1f".join(str(part) for part in parts).encode("utf-8")
    return random.Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))


def draw_factors(rng: random.Random) -> Factors:
    """Ten independent, uniform draws."""
    return Factors(**{name: rng.choice(values) for name, values in FACTORS.items()})


def changed(factors: Factors, factor: str, rng: random.Random) -> Factors:
    """The same factors with another value for `factor`, uniform among the other values."""
    others = [value for value in FACTORS[factor] if value != factors.value(factor)]
    return replace(factors, **{factor: rng.choice(others)})


def agree(first: Factors, second: Factors, names: tuple[str, ...]) -> bool:
    """Whether both have the same value for each of the named factors."""
    return all(first.value(name) == second.value(name) for name in names)
