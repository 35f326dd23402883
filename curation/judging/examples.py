"""Examples: a few clips of each score bin, near each cut and of each kind that is held back, chosen by id."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from curation.judging.tables import EXAMPLES, REJECT_EXAMPLES
from schemas.statistics import ResolvedCuts

EXAMPLE_STEP_1E4 = 100
NEAR_1E4 = 100
# Where in a sample id its order begins: the bits before it choose unit and shard, and would make neighbours of them.
ORDER_FROM = 12


def choose_examples(judged: pl.DataFrame, cuts: ResolvedCuts) -> pl.DataFrame:
    """Return rows of the table `examples`: at most a few per place of each group of units."""
    score = pl.col("score_1e4")
    scored = score.is_not_null()
    frames = [judged.filter(scored).with_columns(place=pl.lit("bin"), bin=(score // EXAMPLE_STEP_1E4).cast(pl.Int32))]
    for place, chosen in _places(cuts):
        frames.append(judged.filter(chosen).with_columns(place=pl.lit(place), bin=pl.lit(None, dtype=pl.Int32)))
    order = pl.col("sample_id").str.slice(ORDER_FROM).alias("order")
    return EXAMPLES.add_up([frame.with_columns(order).select(list(EXAMPLES.schema)) for frame in frames])


def _places(cuts: ResolvedCuts) -> Iterator[tuple[str, pl.Expr]]:
    score = pl.col("score_1e4")
    for name, cut in (("clean", cuts.clean_1e4), ("high", cuts.high_1e4), ("low", cuts.low_1e4)):
        if cut is not None:
            yield f"under_{name}", score.is_between(cut - NEAR_1E4, cut - 1)
            yield f"over_{name}", score.is_between(cut, cut + NEAR_1E4 - 1)
    yield "duplicate", pl.col("twin")
    yield "rule", pl.col("rule").is_not_null()
    yield "no_text", score.is_null()


def choose_rejects(rejects: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return rows of the table `reject_examples`.

    Args:
        rejects: stage, scope, reason, record_id, sample_id, detail and input of each reject of a group.
    """
    order = pl.coalesce("record_id", "sample_id", "input").str.slice(ORDER_FROM).alias("order")
    return REJECT_EXAMPLES.add_up([rejects.with_columns(order, source=pl.lit(source))])
