"""Feeds: cache, stream and noise give a step's batch, whenever it is asked for; and are ahead of who asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curation.media import FramePlan
from curation.shard_ranges import LocalRanges
from training.data import (
    Ahead,
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
    clip_batch,
    ensure_cache,
    plan_batches,
    read_index,
    read_run_manifest,
)
from training.data.feeds import synthetic_text

PLAN = FramePlan(count=2, size_px=16)
OPTIONS = BatchOptions(size=2, seed=5, texts_only=True, small_sources="leave_out")


def batch_of(step: int) -> ClipBatch:
    frames = np.zeros((1, 1, 1, 1, 3), np.uint8)
    return ClipBatch(step=step, source="s", epoch=0, keys=("k",), texts=("t",), shards=("x",), frames=frames)


class Maker:
    """Makes batches and says which; stops at one step until it is told to go on."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.made: list[int] = []
        self.fails_at = fails_at
        self.second = threading.Event()

    def __call__(self, step: int) -> ClipBatch:
        if step == self.fails_at:
            raise ValueError(f"no step {step}")
        self.made.append(step)
        if step == 1:
            self.second.set()
        return batch_of(step)


def test_the_next_batch_is_made_before_it_is_asked_for_and_none_after_the_last() -> None:
    maker = Maker()
    with Ahead(maker, ahead=2, steps=4) as feed:
        assert feed(0).step == 0
        assert maker.second.wait(timeout=30), "nobody asked for step 1"
        assert [feed(step).step for step in (1, 2, 3)] == [1, 2, 3]
    assert maker.made == [0, 1, 2, 3]


def test_any_step_can_be_asked_for() -> None:
    with Ahead(Maker(), ahead=1, steps=100) as feed:
        assert [feed(step).step for step in (50, 51, 7, 8, 51)] == [50, 51, 7, 8, 51]


def test_what_goes_wrong_ahead_is_raised_where_it_is_asked_for() -> None:
    with Ahead(Maker(fails_at=2), ahead=2, steps=9) as feed:
        assert [feed(step).step for step in (0, 1)] == [0, 1]
        with pytest.raises(ValueError, match="no step 2"):
            feed(2)


def test_nothing_is_made_ahead_where_that_is_not_wanted() -> None:
    maker = Maker()
    with Ahead(maker, ahead=0, steps=9) as feed:
        feed(0)
    assert maker.made == [0]
    with pytest.raises(ValueError, match="ahead is -1; allowed: from 0"):
        Ahead(maker, ahead=-1, steps=9)


@pytest.fixture(scope="module")
def cache(world_run: Path, tmp_path_factory: pytest.TempPathFactory) -> DecodedCache:
    folder = tmp_path_factory.mktemp("decoded") / "cache"
    return ensure_cache(folder, world_run, read_run_manifest(world_run), PLAN)


@pytest.fixture(scope="module")
def index(world_run: Path) -> ShardIndex:
    return read_index(LocalRanges(world_run), read_run_manifest(world_run))


@pytest.fixture
def workers() -> Iterator[DecodeWorkers]:
    with DecodeWorkers(PLAN) as found:
        yield found


def same(one: ClipBatch, other: ClipBatch) -> bool:
    without = np.zeros(0, np.uint8)
    equal = replace(one, frames=without) == replace(other, frames=without)
    return bool(equal) and np.array_equal(one.frames, other.frames)


def plan_of(index: ShardIndex) -> BatchPlan:
    return plan_batches(index.samples, OPTIONS)


def test_a_stream_gives_the_batches_of_the_cache_also_of_a_part_and_out_of_order(
    world_run: Path, cache: DecodedCache, index: ShardIndex, workers: DecodeWorkers
) -> None:
    by_cache, ranges = plan_batches(cache.samples, OPTIONS), LocalRanges(world_run)
    whole = StreamFeed(SampleStream(ranges, index, plan_of(index)), workers)
    part = StreamFeed(SampleStream(ranges, index, plan_of(index), StreamOptions(rank=1, world=2)), workers)
    for step in (0, 1, 7, 2):
        assert same(whole(step), clip_batch(cache, by_cache, step))
        assert same(part(step), clip_batch(cache, by_cache, step, (1, 2)))
    whole.close()
    part.close()


def test_parts_of_a_batch_are_the_batch(cache: DecodedCache) -> None:
    plan = plan_batches(cache.samples, replace(OPTIONS, size=4))
    whole = clip_batch(cache, plan, 3)
    parts = [clip_batch(cache, plan, 3, (rank, 2)) for rank in range(2)]
    assert [part.keys for part in parts] == [whole.keys[0::2], whole.keys[1::2]]
    assert np.array_equal(parts[1].frames, whole.frames[1::2])


def test_noise_has_the_shape_of_the_data_and_repeats(index: ShardIndex) -> None:
    plan = plan_of(index)
    feed = SyntheticFeed(index, plan, PLAN)
    batch = feed(3)
    assert batch.frames.shape == (2, 2, 16, 16, 3) and batch.frames.std() > 70
    assert batch.keys == tuple(index.samples[place].key for place in plan.batch_at(3).positions)
    assert same(SyntheticFeed(index, plan, PLAN)(3), batch)
    half = SyntheticFeed(index, plan, PLAN, part=(1, 2))(3)
    assert half.keys == batch.keys[1:]


def test_made_up_texts_are_literal() -> None:
    assert synthetic_text("abc") == "the red blue"
