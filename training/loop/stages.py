"""From a config to batches: which samples there are, in which order, and where their pixels come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from curation.displays import NewDisplay, shown
from curation.media import FramePlan
from curation.shard_ranges import open_ranges
from curation.stores import open_store
from schemas.manifest import Manifest
from schemas.run import decoded_name
from training.data import (
    Ahead,
    AugmentOptions,
    BatchOptions,
    BatchPlan,
    ClipBatch,
    DecodedCache,
    DecodeWorkers,
    SampleStream,
    ShardIndex,
    StreamFeed,
    StreamOptions,
    SyntheticFeed,
    WorkerOptions,
    augmented,
    clip_batch,
    ensure_cache,
    manifest_digest,
    plan_batches,
    read_index,
    shard_samples,
)
from training.data.feeds import BatchAt, synthetic_text
from training.loop.config import TrainConfig
from training.loop.launch import Team


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a stage trains on.

    Attributes:
        plan: the order of all batches.
        texts: gives the texts of all samples that have one, in the manifest's order.
        batch_at: step -> this process's part of its batch.
    """

    plan: BatchPlan
    texts: Callable[[], Iterator[str]]
    batch_at: BatchAt


def batch_options(config: TrainConfig) -> BatchOptions:
    """Return how a config draws."""
    return BatchOptions(
        size=config.batch_size,
        seed=config.seed,
        stage=config.stage,
        texts_only=config.stage == 1,
        small_sources=config.small_sources,
        mixture=config.parts,
    )


def indexed(config: TrainConfig, manifest: Manifest) -> ShardIndex:
    """Return a config's samples, by the side-cars of its shards alone."""
    return read_index(open_ranges(config.run_address), manifest, config.tiers)


def drawable(config: TrainConfig, manifest: Manifest) -> int:
    """Return how many samples of a manifest a training draws from."""
    plan = plan_batches(indexed(config, manifest).samples, batch_options(config))
    return sum(len(members) for members in plan.members.values())


@contextmanager
def opened(
    config: TrainConfig, manifest: Manifest, frames: FramePlan, team: Team, new_display: NewDisplay
) -> Iterator[Data]:
    """Open a stage's data for a block; batches come ahead of their steps."""
    with ExitStack() as stack:
        if config.synthetic:
            data = _noise(config, manifest, frames, team)
        elif config.loader.kind == "stream":
            data = _streamed(config, manifest, frames, team, stack)
        else:
            data = _cached(config, _decoded(config, manifest, frames, team, new_display), team)
        options = config.augment.options if config.augment is not None else AugmentOptions()
        make = partial(_augmented_at, data.batch_at, options, config.seed)
        ahead = stack.enter_context(Ahead(make, config.loader.ahead, config.step_count))
        yield Data(plan=data.plan, texts=data.texts, batch_at=ahead)


def _augmented_at(batch_at: BatchAt, options: AugmentOptions, seed: int, step: int) -> ClipBatch:
    return augmented(batch_at(step), options, seed)


def _noise(config: TrainConfig, manifest: Manifest, frames: FramePlan, team: Team) -> Data:
    index = indexed(config, manifest)
    plan = plan_batches(index.samples, batch_options(config))
    return Data(
        plan=plan,
        texts=lambda: (synthetic_text(sample.key) for sample in index.samples),
        batch_at=SyntheticFeed(index, plan, frames, team.part),
    )


def _streamed(config: TrainConfig, manifest: Manifest, frames: FramePlan, team: Team, stack: ExitStack) -> Data:
    ranges, index, loader = open_ranges(config.run_address), indexed(config, manifest), config.loader
    plan = plan_batches(index.samples, batch_options(config))
    workers = WorkerOptions(workers=loader.workers, deadline_s=loader.deadline_s)
    decoding = stack.enter_context(DecodeWorkers(frames, workers))
    options = StreamOptions(rank=team.rank, world=team.world, threads=loader.reads, ahead=loader.ahead)
    feed = StreamFeed(SampleStream(ranges, index, plan, options), decoding)
    stack.callback(feed.close)
    return Data(plan=plan, texts=lambda: _texts(config, manifest), batch_at=feed)


def _texts(config: TrainConfig, manifest: Manifest) -> Iterator[str]:
    samples = shard_samples(config.run_address, manifest, config.tiers)
    return (sample.text for sample in samples if sample.text is not None)


def _cached(config: TrainConfig, cache: DecodedCache, team: Team) -> Data:
    plan = plan_batches(cache.samples, batch_options(config))
    return Data(
        plan=plan,
        texts=lambda: (sample.text for sample in cache.samples if sample.text is not None),
        batch_at=lambda step: clip_batch(cache, plan, step, team.part),
    )


def _decoded(
    config: TrainConfig, manifest: Manifest, plan: FramePlan, team: Team, new_display: NewDisplay
) -> DecodedCache:
    """Return the decoded cache: made by the first process, then by the first of each machine that does not see it."""
    name = decoded_name(manifest_digest(manifest), plan.count, plan.size_px, config.tiers or ())
    folder = open_store(config.run_address).scratch("decoded") / name
    total = sum(shard.samples for shard in manifest.shards if not config.tiers or shard.tier in config.tiers)
    for turn in (team.is_first, team.local_rank == 0):
        if turn and not folder.exists():
            with shown("decoding the shards once", new_display) as display:
                show = partial(_show, display.show, total)
                ensure_cache(folder, config.run_address, manifest, plan, config.tiers, show)
        team.wait()
    return ensure_cache(folder, config.run_address, manifest, plan, config.tiers)


def _show(show: Callable[[int, int], None], total: int, done: int) -> None:
    show(done, total)
