"""One row per sample: the text that stands for it, the first rule that it breaks, and what counting needs of it."""

from __future__ import annotations

import polars as pl

from curation.judging.rows import SIGNALS, GroupRows
from curation.judging.shapes import shape_of
from schemas.judging import UNKNOWN_LANGUAGE, Rules, TextChoice, TextRules, VideoRules
from schemas.records import TextKind
from schemas.sharding import ShapeBuckets

US_PER_S = 1_000_000

FACTS = pl.Schema(
    {
        "sample_id": pl.String,
        "source": pl.String,
        "unit": pl.String,
        "media_sha256": pl.String,
        "media_bytes": pl.Int64,
        "content_sha256": pl.String,
        "pixels": pl.Int64,
        "shape": pl.String,
        "duration_us": pl.Int64,
        **dict.fromkeys(SIGNALS, pl.Int32),
        "rule": pl.String,
        "text_id": pl.String,
        "kind": pl.String,
        "score_1e4": pl.Int32,
        "language": pl.String,
        "words": pl.Int32,
        "truncated": pl.Boolean,
        "offset_us": pl.Int64,
        "text": pl.String,
    }
)


# The rule that a clip of a benchmark breaks: it is never trained on, whatever the source's rules do about others.
BENCHMARK_RULE = "benchmark"


def is_ruled_out(*, leave_out: bool) -> pl.Expr:
    """Return whether a broken rule keeps a clip out of the shards.

    Args:
        leave_out: whether the source's own rules do.
    """
    return pl.col("rule").is_not_null() & (pl.lit(leave_out) | (pl.col("rule") == BENCHMARK_RULE))


def judge_facts(rows: GroupRows, rules: Rules, aggregation: str, shapes: ShapeBuckets | None = None) -> pl.DataFrame:
    """Return FACTS of each sample of a group and `text`, null where the texts were not read.

    Args:
        rows: each sample once.
        aggregation: whose scores choose and judge: `mean`, `max` or `top_k`.
        shapes: what shards are split by.
    """
    chosen = choose_texts(rows.pairs, rules, aggregation)
    speech = best_offsets(rows.pairs, aggregation).select("sample_id", speech_us="offset_us")
    speech_won = pl.col("kind") == TextKind.ASR.value
    pixels = pl.col("width_px").cast(pl.Int64) * pl.col("height_px")
    facts = (
        rows.samples.with_columns(rule_of(rules.video), shape_of(shapes), pixels=pixels)
        .join(chosen, on="sample_id", how="left", maintain_order="left")
        .join(speech, on="sample_id", how="left", maintain_order="left")
        .with_columns(offset_us=pl.when(speech_won).then("offset_us").otherwise("speech_us"))
    )
    return facts.select(list(FACTS)).cast(FACTS)


def choose_texts(pairs: pl.DataFrame, rules: Rules, aggregation: str) -> pl.DataFrame:
    """Return the text of each sample that has one which the rules admit: the best one, ties by the smaller id."""
    admitted = pairs.filter(admits(rules.text)).with_columns(
        pl.col(aggregation).alias("score_1e4"),
        pl.col("tokens_cut").gt(0).alias("truncated"),
        _rank(rules.choice).alias("rank"),
    )
    best = admitted.sort(["sample_id", "rank", "score_1e4", "text_id"], descending=[False, False, True, False])
    wanted = ("sample_id", "text_id", "kind", "score_1e4", "language", "words", "truncated", "offset_us", "text")
    return best.unique("sample_id", keep="first", maintain_order=True).select(wanted)


def best_offsets(pairs: pl.DataFrame, aggregation: str) -> pl.DataFrame:
    """Return the offset at which each clip's speech fits it best; of equal scores the nearest one, then the earlier."""
    speech = pairs.filter(pl.col("kind") == TextKind.ASR.value).select(
        "sample_id", "offset_us", (-pl.col(aggregation)).alias("worse"), pl.col("offset_us").abs().alias("distance")
    )
    return speech.sort("sample_id", "worse", "distance", "offset_us").unique("sample_id", keep="first")


def admits(rules: TextRules) -> pl.Expr:
    """Return whether a text may stand for its clip."""
    conditions = [pl.lit(True)]
    if rules.languages is not None:
        conditions.append(pl.col("language").fill_null(UNKNOWN_LANGUAGE).is_in(list(rules.languages)))
    if rules.min_words is not None:
        conditions.append(pl.col("words") >= rules.min_words)
    if rules.max_words is not None:
        conditions.append(pl.col("words") <= rules.max_words)
    return pl.all_horizontal(conditions)


def _rank(choice: TextChoice) -> pl.Expr:
    """Return the text's place among kinds: named ones in their order, then the others by name."""
    if choice.by == "score":
        return pl.lit("")
    named = {kind.value: f"{place:02d}" for place, kind in enumerate(choice.kinds)}
    return pl.col("kind").replace_strict(named, default=pl.concat_str(pl.lit("~"), pl.col("kind")))


def rule_of(rules: VideoRules) -> pl.Expr:
    """Return the name of the first rule that a clip breaks, as column `rule`; null when it breaks none.

    Bounds are compared as integers of the signal's own unit, so that no platform rounds differently.
    """
    broken: list[tuple[str, pl.Expr]] = []
    if rules.min_duration_s is not None:
        broken.append(("min_duration", pl.col("duration_us") < round(rules.min_duration_s * US_PER_S)))
    if rules.max_duration_s is not None:
        broken.append(("max_duration", pl.col("duration_us") > round(rules.max_duration_s * US_PER_S)))
    if rules.min_flow is not None:
        broken.append(("min_flow", pl.col("flow_1e4") < round(rules.min_flow * 10_000)))
    if rules.max_static_share is not None:
        broken.append(("max_static_share", pl.col("static_share_1e4") > round(rules.max_static_share * 10_000)))
    if rules.max_black_share is not None:
        broken.append(("max_black_share", pl.col("black_share_1e4") > round(rules.max_black_share * 10_000)))
    if rules.max_text_area is not None:
        # unlike the other signals it is not always there, and what is not known is not admitted
        unknown = pl.col("text_area_1e4").is_null()
        broken.append(("max_text_area", unknown | (pl.col("text_area_1e4") > round(rules.max_text_area * 10_000))))
    first = pl.coalesce(
        pl.lit(None, dtype=pl.String), *(pl.when(condition).then(pl.lit(name)) for name, condition in broken)
    )
    return first.alias("rule")
