"""What a group of units adds to the tables of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import polars as pl

from curation.judging import tables
from curation.judging.facts import best_offsets, is_ruled_out
from curation.judging.rows import GroupRows
from curation.scoring import AGGREGATIONS
from schemas.judging import UNKNOWN_LANGUAGE
from schemas.published import VIDEOPRISM_LENGTHS
from schemas.statistics import BEST_TEXT, HISTOGRAM_BINS, HISTOGRAM_LOW_1E4, HISTOGRAM_STEP_1E4

US_PER_S = 1_000_000
NO_TEXT = "none"
# Widths of the bins of `distributions`, in the signal's own unit.
DURATION_STEP_US = 500_000
FLOW_STEP_1E4 = 50
SHARE_STEP_1E4 = 500
TEXT_AREA_STEP_1E4 = 100
# Lower ends of the ranges of `joint`; the first range begins at 0, the last one is open.
WORD_RANGES = (0, 5, 10, 20, 50)
FLOW_RANGES_1E4 = (0, 50, 200, 500, 1_000)
TEXT_AREA_RANGES_1E4 = (0, 100, 500, 2_000)
JOINT_STEP_1E4 = 500

# (name of the table, rows to add)
Adding = tuple[str, pl.DataFrame]


def score_bin(score: str = "score_1e4") -> pl.Expr:
    """Return the half-open bin of a score, as `curation.histogram.bin_of` does; null without a score."""
    return ((pl.col(score) - HISTOGRAM_LOW_1E4) // HISTOGRAM_STEP_1E4).clip(-1, HISTOGRAM_BINS).cast(pl.Int32)


def count_group(source: str, rows: GroupRows, facts: pl.DataFrame, aggregation: str) -> Iterator[Adding]:
    """Yield what the samples of a group add before duplicates and cuts are known."""
    yield tables.HISTOGRAMS.name, count_scores(source, rows.pairs, facts, aggregation)
    yield tables.DISTRIBUTIONS.name, count_distributions(source, rows, aggregation)
    totals = {
        "samples": facts.height,
        "duration_us": facts["duration_us"].sum(),
        "media_bytes": facts["media_bytes"].sum(),
        **{f"length_{place}": count for place, count in enumerate(_lengths(facts))},
        **{f"rule_{name}": count for name, count in facts["rule"].drop_nulls().value_counts().iter_rows()},
    }
    yield tables.COUNTS.name, counts(source, totals)


def counts(source: str, totals: dict[str, int]) -> pl.DataFrame:
    """Return rows of the table `counts`."""
    names = list(totals)
    return pl.DataFrame(
        {"source": [source] * len(names), "name": names, "count": [totals[name] for name in names]},
        schema=tables.COUNTS.schema,
    )


def _lengths(facts: pl.DataFrame) -> list[int]:
    edges = [start_s * US_PER_S for start_s, _ in VIDEOPRISM_LENGTHS]
    at_least = [facts.filter(pl.col("duration_us") >= edge).height for edge in edges]
    return [own - longer for own, longer in zip(at_least, [*at_least[1:], 0], strict=True)]


def count_scores(source: str, pairs: pl.DataFrame, facts: pl.DataFrame, aggregation: str) -> pl.DataFrame:
    """Return the histogram of each text kind and aggregation, and that of the samples' own texts as `best`."""
    frames = [
        _histogram(
            pairs.select("kind", pl.col(name).alias("score_1e4"), pl.col("tokens_cut").gt(0).alias("truncated")), name
        )
        for name in AGGREGATIONS
    ]
    own = facts.filter(pl.col("score_1e4").is_not_null()).with_columns(kind=pl.lit(BEST_TEXT))
    frames.append(_histogram(own.select("kind", "score_1e4", "truncated"), aggregation))
    return pl.concat(frames).with_columns(source=pl.lit(source)).select(list(tables.HISTOGRAMS.schema))


def _histogram(scores: pl.DataFrame, aggregation: str) -> pl.DataFrame:
    score = pl.col("score_1e4").cast(pl.Int64)
    return (
        scores.group_by("kind", score_bin().alias("bin"))
        .agg(
            count=pl.len().cast(pl.Int64),
            sum_1e4=score.sum(),
            truncated=pl.col("truncated").cast(pl.Int64).sum(),
            minimum_1e4=score.min(),
            maximum_1e4=score.max(),
        )
        .rename({"kind": "text_kind"})
        .with_columns(aggregation=pl.lit(aggregation))
    )


def count_distributions(source: str, rows: GroupRows, aggregation: str) -> pl.DataFrame:
    """Return how clips and texts spread over each signal."""
    offsets = best_offsets(rows.pairs, aggregation)
    frames = [
        _binned(rows.samples, "duration_us", DURATION_STEP_US),
        _binned(rows.samples, "flow_1e4", FLOW_STEP_1E4),
        _binned(rows.samples, "static_share_1e4", SHARE_STEP_1E4),
        _binned(rows.samples, "black_share_1e4", SHARE_STEP_1E4),
        _binned(rows.samples, "text_area_1e4", TEXT_AREA_STEP_1E4),
        _binned(rows.pairs, "words", 1),
        _binned(offsets.rename({"offset_us": "asr_offset_us"}), "asr_offset_us", 1),
        rows.pairs.group_by(pl.col("language").fill_null(UNKNOWN_LANGUAGE).alias("value")).agg(
            pl.lit("language").first().alias("signal"),
            pl.lit(None, dtype=pl.Int64).first().alias("low"),
            count=pl.len().cast(pl.Int64),
            sum=pl.lit(0, dtype=pl.Int64).first(),
        ),
    ]
    columns = ["signal", "value", "low", "count", "sum"]
    return (
        pl.concat([frame.select(columns) for frame in frames])
        .with_columns(source=pl.lit(source))
        .select(list(tables.DISTRIBUTIONS.schema))
    )


def _binned(frame: pl.DataFrame, column: str, step: int) -> pl.DataFrame:
    value = pl.col(column).cast(pl.Int64)
    binned = frame.filter(pl.col(column).is_not_null()).group_by((value // step * step).alias("low"))
    return binned.agg(count=pl.len().cast(pl.Int64), sum=value.sum()).with_columns(
        signal=pl.lit(column), value=pl.lit(None, dtype=pl.String)
    )


def count_rejects(rejects: pl.DataFrame, dropped: Iterable[tuple[str, int]], source: str) -> pl.DataFrame:
    """Return rows of the table `rejects`.

    Args:
        rejects: stage, scope and reason of each reject.
        dropped: (`kind/reason`, count) of dropped texts.
    """
    keys = ["stage", "scope", "reason"]
    counted = rejects.group_by(keys).agg(count=pl.len().cast(pl.Int64)).select(*keys, "count")
    rows = [("text", "text", kind_and_reason.split("/")[1], count) for kind_and_reason, count in dropped]
    texts = pl.DataFrame(rows, schema=counted.schema, orient="row")
    return pl.concat([counted, texts]).with_columns(source=pl.lit(source)).select(list(tables.REJECTS.schema))


def count_yields(facts: pl.DataFrame, *, leave_out: bool) -> pl.DataFrame:
    """Return rows of the table `yields`.

    Args:
        facts: FACTS with `twin`: whether a keeper stands for the sample.
        leave_out: whether a broken rule holds a clip back.
    """
    ruled_out = is_ruled_out(leave_out=leave_out)
    twin = ~ruled_out & pl.col("twin")
    free = ~ruled_out & ~pl.col("twin")
    return facts.group_by("source", score_bin().alias("bin")).agg(
        clips=free.cast(pl.Int64).sum(),
        duration_us=pl.col("duration_us").filter(free).sum(),
        media_bytes=pl.col("media_bytes").filter(free).sum(),
        held_rule_clips=ruled_out.cast(pl.Int64).sum(),
        held_duplicate_clips=twin.cast(pl.Int64).sum(),
    )


def count_duplicates(judged: pl.DataFrame, *, leave_out: bool) -> dict[str, int]:
    """Return numbers of the table `counts`: samples in duplicate groups; those that a keeper takes the place of, by why
    (`removed_<kind>`); those in near groups; and those of benchmarks (`benchmark_<name>`).

    Args:
        leave_out: whether a broken rule holds a clip back: then no keeper does.
    """
    twins = judged.filter(pl.col("twin") & ~is_ruled_out(leave_out=leave_out))
    kinds = twins.group_by("duplicate_kind").len().rows()
    benchmarks = judged.filter(pl.col("benchmark").is_not_null()).group_by("benchmark").len().rows()
    return {
        "duplicates": judged.filter(pl.col("duplicate_group").is_not_null()).height,
        "near": judged.filter(pl.col("near_group").is_not_null()).height,
        **{f"removed_{kind}": number for kind, number in sorted(kinds)},
        **{f"benchmark_{name}": number for name, number in sorted(benchmarks)},
    }


def count_tiers(judged: pl.DataFrame) -> pl.DataFrame:
    """Return rows of the table `tiers`; duration and bytes are those that reach a shard."""
    sharded = pl.col("sharded")
    return judged.group_by("source", "tier").agg(
        samples=pl.len().cast(pl.Int64),
        samples_sharded=sharded.cast(pl.Int64).sum(),
        duration_us=pl.col("duration_us").filter(sharded).sum(),
        media_bytes=pl.col("media_bytes").filter(sharded).sum(),
    )


def _range(column: str, starts: tuple[int, ...], unit: int = 1) -> pl.Expr:
    """Return the range of a value as text: `5-10`, or `50+` for the last one."""
    label: pl.Expr = pl.lit(None, dtype=pl.String)
    for low, high in pairwise(starts):
        inside = pl.col(column).is_between(low, high, closed="left")
        label = pl.when(inside).then(pl.lit(f"{low / unit:g}-{high / unit:g}")).otherwise(label)
    return pl.when(pl.col(column) >= starts[-1]).then(pl.lit(f"{starts[-1] / unit:g}+")).otherwise(label)


def count_joint(judged: pl.DataFrame) -> pl.DataFrame:
    """Return rows of the table `joint`: tier and score against one other thing at a time."""
    dimensions = {
        "text_kind": pl.col("kind").fill_null(NO_TEXT),
        "language": pl.when(pl.col("text_id").is_null())
        .then(pl.lit(NO_TEXT))
        .otherwise(pl.col("language").fill_null(UNKNOWN_LANGUAGE)),
        "words": _range("words", WORD_RANGES).fill_null(NO_TEXT),
        "duration_s": _range("duration_us", tuple(start * US_PER_S for start, _ in VIDEOPRISM_LENGTHS), US_PER_S),
        "flow": _range("flow_1e4", FLOW_RANGES_1E4, 10_000),
        "text_area": _range("text_area_1e4", TEXT_AREA_RANGES_1E4, 10_000),
    }
    low = (pl.col("score_1e4") // JOINT_STEP_1E4 * JOINT_STEP_1E4).alias("bin_low_1e4")
    frames = [
        judged.group_by("source", value.alias("value"), "tier", low)
        .agg(
            clips=pl.len().cast(pl.Int64),
            clips_sharded=pl.col("sharded").cast(pl.Int64).sum(),
            duration_us=pl.col("duration_us").sum(),
            media_bytes=pl.col("media_bytes").sum(),
        )
        # a signal that was not measured has no range, and its dimension no rows
        .filter(pl.col("value").is_not_null())
        .with_columns(dimension=pl.lit(name))
        .select(list(tables.JOINT.schema))
        for name, value in dimensions.items()
    ]
    return pl.concat(frames)
