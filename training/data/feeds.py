"""Where a step's pixels come from: a decoded cache, the shards themselves, or nowhere; made while the step before runs.

A feed is a function of the step, so any step can be asked for; asked in order, what comes next is ready or under way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from curation.media import FramePlan
from training.data.batches import BatchPlan, ClipBatch, random_words
from training.data.stream import SampleStream, ShardIndex, StreamBatch
from training.data.workers import DecodeWorkers

BatchAt = Callable[[int], ClipBatch]
# Enough for texts of a usual length; what they say does not matter.
SYNTHETIC_WORDS = ("a", "the", "red", "blue", "small", "large", "circle", "square", "moves", "turns", "stands", "grows")
SYNTHETIC_LENGTH = 12
SYNTHETIC_CLIPS = 64


class Ahead:
    """Makes batches in a thread before they are asked for; to be closed after use.

    Args:
        batch_at: called in one thread, for ascending steps as long as steps are asked for in order.
        ahead: how many batches may be ready or under way beside the one asked for; 0 makes each when it is asked for.
        steps: how many steps there are; none beyond is made.
    """

    def __init__(self, batch_at: BatchAt, ahead: int, steps: int) -> None:
        if ahead < 0:
            raise ValueError(f"ahead is {ahead}; allowed: from 0")
        self._make, self._ahead, self._steps = batch_at, ahead, steps
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._waiting: dict[int, Future[ClipBatch]] = {}

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __call__(self, step: int) -> ClipBatch:
        """Return a step's batch; raises what making it raised."""
        if step not in self._waiting:
            self._forget()
        for wanted in range(step, min(self._steps, step + 1 + self._ahead)):
            if wanted not in self._waiting:
                self._waiting[wanted] = self._pool.submit(self._make, wanted)
        return self._waiting.pop(step).result()

    def _forget(self) -> None:
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()


class StreamFeed:
    """Batches of a stream, decoded by worker processes; to be asked by one thread."""

    def __init__(self, stream: SampleStream, workers: DecodeWorkers) -> None:
        self._stream, self._workers = stream, workers
        self._batches: Generator[StreamBatch] | None = None
        self._next = -1

    def __call__(self, step: int) -> ClipBatch:
        """Return a step's batch.

        Raises:
            ShardRefused: a sample is not what the manifest promises.
            ClipRefused: a clip does not give its frames, or not in time.
        """
        if self._batches is None or step != self._next:
            self.close()
            self._batches = self._stream.batches(step)
        batch = next(self._batches)
        self._next = step + 1
        return ClipBatch(
            step=step,
            source=batch.source,
            epoch=batch.epoch,
            keys=tuple(sample.key for sample in batch.samples),
            texts=tuple(sample.text for sample in batch.samples),
            shards=tuple(sample.shard for sample in batch.samples),
            frames=self._workers.frames(batch.samples),
        )

    def close(self) -> None:
        """End the stream's reads."""
        if self._batches is not None:
            self._batches.close()


class SyntheticFeed:
    """The batches of a plan without their pixels and texts: noise, made once. It says how fast a model is by itself.

    Args:
        index: what the plan was made of; no shard is read.
        part: rank and world: which rows of each batch are here.
    """

    def __init__(self, index: ShardIndex, plan: BatchPlan, frames: FramePlan, part: tuple[int, int] = (0, 1)) -> None:
        self._index, self._plan, self._part = index, plan, part
        shape = (SYNTHETIC_CLIPS, frames.count, frames.size_px, frames.size_px, 3)
        words = random_words(-(-int(np.prod(shape)) // 8), "synthetic")
        self._noise: NDArray[np.uint8] = words.view(np.uint8)[: int(np.prod(shape))].reshape(shape)

    def __call__(self, step: int) -> ClipBatch:
        """Return a step's batch."""
        batch = self._plan.batch_at(step)
        rank, world = self._part
        samples = [self._index.samples[position] for position in batch.positions[rank::world]]
        rows = [(step + row) % SYNTHETIC_CLIPS for row in range(len(samples))]
        return ClipBatch(
            step=step,
            source=batch.source,
            epoch=batch.epoch,
            keys=tuple(sample.key for sample in samples),
            texts=tuple(synthetic_text(sample.key) for sample in samples),
            shards=tuple(self._index.shards[sample.shard][0].path for sample in samples),
            frames=self._noise[rows],
        )


def synthetic_text(key: str) -> str:
    """Return a made-up text that hangs on a sample's key."""
    return " ".join(SYNTHETIC_WORDS[ord(letter) % len(SYNTHETIC_WORDS)] for letter in key[:SYNTHETIC_LENGTH])
