"""What a training on a manifest will draw, worked out before it starts and without a shard being read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.manifest import Manifest, ShardFacts
from schemas.planning import LoaderPlan, PlaceShare, Span, StageShares
from training.data.batches import CYCLE_STEPS, BatchOptions, capped, cycle_quotas, draws_of_round

SHARE_DIGITS = 6


def stage_shares(samples: pl.DataFrame, options: BatchOptions) -> StageShares:
    """Return what a stage draws of each source and tier: the same numbers as `plan_batches` of the same samples.

    Sources with fewer samples than a batch are left out, whatever `options.small_sources` says: this refuses nothing.

    Args:
        samples: those in the shards, with the columns of `curation.handoff.selected`.
    """
    weighted = samples.with_columns(pl.col(f"stage{options.stage}_weight_1e4").alias("weight"))
    reasons = _reasons(weighted, options)
    left_out = {reason: int(count) for reason, count in reasons.group_by("reason").len().sort("reason").iter_rows()}
    left_out.pop("", None)
    drawable = reasons.filter(pl.col("reason") == "").sort("source", "sample_id")
    kept = {str(name): frame for (name,), frame in drawable.group_by("source", maintain_order=True)}
    found = StageShares(
        stage=options.stage,
        batch_size=options.size,
        samples=len(drawable),
        duration_us=int(drawable["duration_us"].sum()),
        steps_per_epoch=-(-len(drawable) // options.size),
        places=(),
        dropped_per_round={},
        left_out=left_out,
    )
    missing = sorted((options.mixture or {}).keys() - kept.keys())
    if not kept or missing:
        what = f"of {', '.join(missing)}, which the mixture names" if missing else "at all"
        why = f"no sample {what} is left to draw in batches of {options.size}; make batches smaller"
        return found.model_copy(update={"refused": why, "steps_per_epoch": 0})
    weights = {name: capped(frame["weight"].cast(pl.Int64).to_numpy(), options.size) for name, frame in kept.items()}
    quotas = cycle_quotas(_parts(kept, options.mixture), CYCLE_STEPS)
    places = [
        place
        for name, frame in kept.items()
        for place in _places(frame, weights[name], quotas[name] / CYCLE_STEPS, found.samples)
    ]
    dropped = {name: draws_of_round(own) % options.size for name, own in weights.items()}
    return found.model_copy(update={"places": tuple(places), "dropped_per_round": dropped})


def _reasons(samples: pl.DataFrame, options: BatchOptions) -> pl.DataFrame:
    """Return the samples with a column `reason`: why each is never drawn, or ""."""
    source, weight = pl.col("source"), pl.col("weight")
    named = source.is_in(list(options.mixture or {})) if options.mixture is not None else pl.lit(True)
    needs_text = ~pl.col("has_text") if options.texts_only else pl.lit(False)
    reason = (
        pl.when(~named)
        .then(pl.concat_str(pl.lit("mixture:"), source))
        .when(needs_text)
        .then(pl.lit("no_text"))
        .when(weight <= 0)
        .then(pl.lit("no_weight"))
        .otherwise(pl.lit(""))
    )
    found = samples.with_columns(reason.alias("reason"))
    drawable = (pl.col("reason") == "").sum().over("source")
    small = pl.when((pl.col("reason") == "") & (drawable < options.size)).then(pl.concat_str(pl.lit("small:"), source))
    return found.with_columns(small.otherwise(pl.col("reason")).alias("reason"))


def _parts(kept: Mapping[str, pl.DataFrame], mixture: Mapping[str, int] | None) -> dict[str, int]:
    if mixture is not None:
        return {name: mixture[name] for name in kept}
    return {name: int(frame["weight"].sum()) for name, frame in kept.items()}


def _places(frame: pl.DataFrame, weights: NDArray[np.int64], part: float, draws: int) -> list[PlaceShare]:
    """Return the tiers of one source; `part` is the source's of all steps, `draws` those of an epoch."""
    total = int(weights.sum())
    tiers = frame.select("source", "tier").with_columns(pl.Series("drawn_by", weights))
    sums = tiers.group_by("source", "tier").agg(pl.len().alias("samples"), pl.col("drawn_by").sum()).sort("tier")
    found = []
    for source, tier, samples, own in sums.iter_rows():
        share = part * own / total
        repeats = round(share * draws / samples, SHARE_DIGITS)
        found.append(
            PlaceShare(source=source, tier=tier, samples=samples, share=round(share, SHARE_DIGITS), repeats=repeats)
        )
    return found


def plan_loaders(manifest: Manifest, *, nodes: int, processes: int, loaders: int, batch: int) -> LoaderPlan:
    """Return what an epoch over whole shards comes to.

    Raises:
        ValueError: a number is not positive.
    """
    for name, number in (("nodes", nodes), ("processes", processes), ("loaders", loaders), ("batch", batch)):
        if number < 1:
            raise ValueError(f"{name} is {number}; allowed: at least 1")
    world = nodes * processes
    # `split_by_node` takes every world-th shard, `split_by_worker` every w-th of what is left.
    dealt = [
        [list(manifest.shards[rank::world][worker::loaders]) for worker in range(loaders)] for rank in range(world)
    ]
    samples = [[_samples(shards) for shards in of_rank] for of_rank in dealt]
    batches = [sum(own // batch for own in of_rank) for of_rank in samples]
    steps = min(batches)
    total = _samples(manifest.shards)
    seen = steps * batch * world
    duration_us = sum(shard.duration_us for shard in manifest.shards)
    return LoaderPlan(
        nodes=nodes,
        processes=processes,
        loaders=loaders,
        batch=batch,
        shards=len(manifest.shards),
        samples=total,
        without_shard=sum(not shards for of_rank in dealt for shards in of_rank),
        shards_per_loader=_span([len(shards) for of_rank in dealt for shards in of_rank]),
        samples_per_loader=_span([own for of_rank in samples for own in of_rank]),
        batches_per_process=_span(batches),
        steps=steps,
        samples_seen=seen,
        dropped_in_part_batches=sum(own % batch for of_rank in samples for own in of_rank),
        dropped_in_long_processes=sum(own - steps for own in batches) * batch,
        duration_us=duration_us * seen // total if total else 0,
    )


def _samples(shards: Sequence[ShardFacts]) -> int:
    return sum(shard.samples for shard in shards)


def _span(numbers: Sequence[int]) -> Span:
    return Span(least=min(numbers), most=max(numbers))
