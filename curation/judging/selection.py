"""Tier, weight and shard bucket of each sample, once the cuts and the sizes are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl

from curation.judging.facts import is_ruled_out
from curation.judging.repeats import ID_BITS, Numbers, id_numbers
from curation.packing import FINE_BITS, MEMBER_OVERHEAD_BYTES
from schemas.judging import TRAINING_STAGES, TierWeights, Weights
from schemas.records import Tier
from schemas.sharding import ShardOptions
from schemas.statistics import ResolvedCuts

# Fine buckets that are added up together, 2**13 rows at most: under 64 kB when packed.
BLOCK_BITS = 13


def give_tiers(facts: pl.DataFrame, cuts: ResolvedCuts, *, leave_out: bool) -> pl.DataFrame:
    """Return the facts with `tier`, and `sharded`: whether the sample goes into a shard.

    Total and monotone: a higher score never gives a worse tier. A sample without a scored text is `video_only`; a
    clean source has a clean cut, and below it its samples get noisy labels like any other. A label drops nothing.
    """
    score = pl.col("score_1e4")
    clean = pl.lit(False) if cuts.clean_1e4 is None else score >= cuts.clean_1e4
    tier = (
        pl.when(score.is_null())
        .then(pl.lit(Tier.VIDEO_ONLY.value))
        .when(clean)
        .then(pl.lit(Tier.CLEAN.value))
        .when(score >= cuts.high_1e4)
        .then(pl.lit(Tier.NOISY_HIGH.value))
        .when(score >= cuts.low_1e4)
        .then(pl.lit(Tier.NOISY_LOW.value))
        .otherwise(pl.lit(Tier.VIDEO_ONLY.value))
    )
    held = pl.col("twin") | is_ruled_out(leave_out=leave_out)
    return facts.with_columns(tier=tier, sharded=~held)


def fine_sizes(judged: pl.DataFrame) -> pl.DataFrame:
    """Return (tier, source, shape, block, bucket) -> samples and bytes of the samples that go into shards."""
    sharded = judged.filter("sharded")
    buckets = _buckets(id_numbers(sharded["sample_id"]), FINE_BITS)
    return (
        sharded.with_columns(bucket=pl.Series(buckets, dtype=pl.Int32))
        .with_columns(block=pl.col("bucket") // (1 << BLOCK_BITS))
        .group_by("tier", "source", "shape", "block", "bucket")
        .agg(samples=pl.len().cast(pl.Int64), bytes=(pl.col("media_bytes") + MEMBER_OVERHEAD_BYTES).sum())
    )


def bits_needed(sizes: pl.DataFrame, options: ShardOptions) -> int:
    """Return the fewest hash bits with which every bucket of one tier, source and shape fits a shard.

    Args:
        sizes: `bucket`, `samples` and `bytes` of fine buckets, each once.

    At most FINE_BITS, even where a bucket does not fit then.
    """
    for bits in range(FINE_BITS):
        coarse = pl.col("bucket") // (1 << (FINE_BITS - bits))
        buckets = sizes.group_by(coarse).agg(pl.col("samples").sum(), pl.col("bytes").sum())
        too_large = (pl.col("samples") > options.max_samples) | (pl.col("bytes") > options.max_mb * 1_000_000)
        if buckets.filter(too_large).is_empty():
            return bits
    return FINE_BITS


def select(
    judged: pl.DataFrame, bits: Mapping[tuple[str, str], int], weights: Weights, balanced: Collection[str] = ()
) -> pl.DataFrame:
    """Return the rows of the selection, by sample id.

    Args:
        judged: of `give_tiers`, with `duplicate_group`, `keeper` and, where concepts are balanced, `balance_1e4`.
        bits: (tier, shape) -> hash bits of its shards, for this source.
        balanced: the training stages whose weights are multiplied by `balance_1e4`.
    """
    numbers = id_numbers(judged["sample_id"])
    places = judged.select(pl.concat_str("tier", "shape", separator="/")).to_series()
    by_name = {f"{tier}/{shape}": count for (tier, shape), count in bits.items()}
    bits_of = places.replace_strict(by_name, default=0, return_dtype=pl.Int64).to_numpy()
    buckets = pl.Series("shard_bucket", _buckets(numbers, bits_of), dtype=pl.Int32)
    stages = [
        _weight(weights.of_stage(stage), balanced=stage in balanced).alias(f"{stage}_weight_1e4")
        for stage in TRAINING_STAGES
    ]
    return judged.with_columns(*stages, shard_bucket=pl.when(pl.col("sharded")).then(pl.lit(buckets))).sort("sample_id")


def _weight(weights: TierWeights, *, balanced: bool) -> pl.Expr:
    of_tier = {tier.value: weights.weight_1e4(tier.value) for tier in Tier}
    weight = pl.col("tier").replace_strict(of_tier, return_dtype=pl.Int64)
    # Clips that mean nearly the same weigh less in every stage: the video alone repeats.
    weight = (weight * pl.col("density_1e4") + 5_000) // 10_000
    if balanced:
        weight = (weight * pl.col("balance_1e4") + 5_000) // 10_000
    return weight.cast(pl.Int32)


def _buckets(numbers: Numbers, bits: int | np.ndarray) -> np.ndarray:
    shift = np.asarray(ID_BITS - np.asarray(bits), dtype=np.uint64)
    return (numbers >> shift).astype(np.int64)
