"""What a training on a manifest will draw, worked out before it starts and without a shard being read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.handoff.selected import selected
from curation.stores import open_store
from schemas.config_file import ConfigError
from schemas.manifest import Manifest, ShardFacts
from schemas.planning import LoaderPlan, PlaceShare, Span, StageShares, TrainingPlan
from schemas.run import RunAddress
from training.data import read_run_manifest
from training.data.batches import CYCLE_STEPS, BatchOptions, capped, cycle_quotas, draws_of_round

SHARE_DIGITS = 6
# Parts of a mixture are whole numbers of a millionth.
PART = 1_000_000


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
        mixture=None if options.mixture is None else {name: part / PART for name, part in options.mixture.items()},
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


@dataclass(frozen=True)
class PlanOptions:
    """How a training is spread, as `LoaderPlan` names it.

    Raises:
        ConfigError: a number is not positive.
    """

    nodes: int
    processes: int
    loaders: int
    batch: int

    def __post_init__(self) -> None:
        for name, number in vars(self).items():
            if number < 1:
                raise ConfigError(f"--{name} is {number}; allowed: at least 1")


def plan_loaders(manifest: Manifest, options: PlanOptions) -> LoaderPlan:
    """Return what an epoch over whole shards comes to."""
    world, loaders, batch = options.nodes * options.processes, options.loaders, options.batch
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
        **vars(options),
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


def plan_run(run: RunAddress, version: int | None, options: PlanOptions, mixture: Sequence[str]) -> TrainingPlan:
    """Return what a training on a run's manifest draws.

    Raises:
        ManifestRefused: the run has no manifest, or not that version.
        ConfigError: the selection is not the manifest's, or the mixture is wrong.
    """
    manifest = read_run_manifest(run, version)
    stages = shares_with(options.batch, mixture)(selected(open_store(run), manifest))
    loaders = plan_loaders(manifest, options)
    return TrainingPlan(corpus=manifest.corpus, version=manifest.version, loaders=loaders, stages=stages)


def shares_with(batch: int, mixture: Sequence[str]) -> Callable[[pl.DataFrame], tuple[StageShares, ...]]:
    """Return what tells, of the samples in the shards, what stage 1, which needs texts, and stage 2 draw.

    Raises:
        ConfigError: the batch size is not positive, or the mixture is wrong.
    """
    if batch < 1:
        raise ConfigError(f"--batch is {batch}; allowed: at least 1")
    second = BatchOptions(size=batch, seed=0, stage=2, small_sources="leave_out", mixture=parse_mixture(mixture))
    first = replace(second, stage=1, texts_only=True)
    return lambda samples: (stage_shares(samples, first), stage_shares(samples, second))


def parse_mixture(words: Sequence[str]) -> dict[str, int] | None:
    """Return `SOURCE=PART` words as a mixture in whole numbers of a millionth, or None where there are none.

    Raises:
        ConfigError: a word is not of that form, or a part is out of range.
    """
    found: dict[str, int] = {}
    for word in words:
        name, _, part = word.partition("=")
        try:
            found[name] = round(float(part) * PART)
        except (ValueError, OverflowError):
            found[name] = 0
        if not name or not 1 <= found[name] <= 10**12:
            raise ConfigError(f"--mixture is {word!r}; allowed: SOURCE=PART with a part from 1e-6 to 1e6")
    return found or None
