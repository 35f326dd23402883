"""The shape that a clip's shards are split by: the class of its shorter side, of its aspect and of its length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from schemas.sharding import ShapeBuckets, ordered_aspects

US_PER_S = 1_000_000
# The shape of all clips where shards are not split by shape.
NO_SHAPE = ""


def shape_of(options: ShapeBuckets | None) -> pl.Expr:
    """Return a clip's shape as column `shape`, from `width_px`, `height_px` and `duration_us`.

    Classes are compared in integers, so that no platform puts a clip at an edge elsewhere.
    """
    if options is None:
        return pl.lit(NO_SHAPE).alias("shape")
    parts = []
    if options.short_sides_px:
        short_side = pl.min_horizontal("width_px", "height_px")
        parts.append(_reached(short_side, options.short_sides_px, unit=1, suffix="p"))
    if options.aspects:
        parts.append(_nearest_aspect(ordered_aspects(options.aspects)))
    if options.durations_s:
        parts.append(_reached(pl.col("duration_us"), options.durations_s, unit=US_PER_S, suffix="s"))
    return pl.concat_str(parts, separator="_").alias("shape")


def _reached(value: pl.Expr, bounds: Sequence[int], *, unit: int, suffix: str) -> pl.Expr:
    """Return the name of the largest bound that a value reaches, or of 0."""
    name = pl.lit(f"0{suffix}")
    for bound in bounds:
        name = pl.when(value >= bound * unit).then(pl.lit(f"{bound}{suffix}")).otherwise(name)
    return name


def _nearest_aspect(aspects: Sequence[tuple[int, int]]) -> pl.Expr:
    """Return the name of the aspect whose ratio is nearest, by its logarithm: 2:1 is as far from 1:1 as 1:2 is.

    Between two neighbours that is the side of their geometric mean on which a clip lies; squared, it needs no root.
    """
    width, height = (pl.col(name).cast(pl.Int64) for name in ("width_px", "height_px"))
    name = pl.lit("{}x{}".format(*aspects[0]))
    for narrow, wide in pairwise(aspects):
        beyond = width * width * (narrow[1] * wide[1]) >= height * height * (narrow[0] * wide[0])
        name = pl.when(beyond).then(pl.lit("{}x{}".format(*wide))).otherwise(name)
    return name
