"""How samples are packed: the size of shards, and whether clips of one shape lie together."""

from __future__ import annotations

import re
from itertools import pairwise

from pydantic import Field, field_validator, model_validator

from schemas.config_file import Strict

ASPECT_PATTERN = re.compile(r"([1-9]\d{0,2}):([1-9]\d{0,2})")


class ShapeBuckets(Strict):
    """Splits the shards of a tier and source by shape, so that a trainer can batch clips of one shape without a scan.

    What is left empty does not split. A shape is named by what splits, for example `480p_16x9_5s`.

    Attributes:
        short_sides_px: a clip lies under the largest of these that its shorter side reaches, else under 0.
        aspects: width to height, `16:9`; a clip lies under the nearest, by ratio.
        durations_s: a clip lies under the longest of these that it reaches, else under 0.
    """

    short_sides_px: tuple[int, ...] = Field(default=(), max_length=16)
    aspects: tuple[str, ...] = Field(default=(), max_length=16)
    durations_s: tuple[int, ...] = Field(default=(), max_length=16)

    @field_validator("short_sides_px", "durations_s")
    @classmethod
    def _ascends(cls, bounds: tuple[int, ...]) -> tuple[int, ...]:
        if any(bound < 1 for bound in bounds) or any(second <= first for first, second in pairwise(bounds)):
            raise ValueError(
                f"{list(bounds)} does not ascend from 1; allowed: whole numbers, each larger than the last"
            )
        return bounds

    @field_validator("aspects")
    @classmethod
    def _are_aspects(cls, aspects: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [aspect for aspect in aspects if not ASPECT_PATTERN.fullmatch(aspect)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no aspect; allowed: width:height in whole numbers, for example '16:9'")
        ordered = ordered_aspects(aspects)
        equal = [pair for pair in pairwise(ordered) if pair[0][0] * pair[1][1] == pair[1][0] * pair[0][1]]
        if equal:
            raise ValueError(f"{list(aspects)} names a ratio twice; allowed: each once; leave one of them out")
        return aspects

    @model_validator(mode="after")
    def _splits(self) -> ShapeBuckets:
        if not (self.short_sides_px or self.aspects or self.durations_s):
            raise ValueError(
                "shapes: nothing to split by; allowed: short_sides_px, aspects, durations_s, at least one of them; "
                "leave `shapes` out to split by none"
            )
        return self


def ordered_aspects(aspects: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return aspects as (width, height), the narrowest first."""
    parts = [aspect.split(":") for aspect in aspects]
    return sorted(((int(width), int(height)) for width, height in parts), key=lambda pair: pair[0] / pair[1])


class ShardOptions(Strict):
    """How large a shard may be; a bucket that would be larger is halved until it fits.

    Attributes:
        embeddings: each sample has its clip's embedding by the scorer too, as an `.npy` member of float16.
        shapes: splits shards by shape; None does not.
    """

    max_mb: int = Field(default=256, ge=1, le=4096)
    max_samples: int = Field(default=10_000, ge=1, le=1_000_000)
    embeddings: bool = False
    shapes: ShapeBuckets | None = None
