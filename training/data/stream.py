"""Samples straight from shards, by step: no state, no decoded cache, any number of ranks, local or remote.

Which samples a step has is `plan_batches`' matter, a function of seed and step; where each lies say the side-cars. So a
stream that is cut at any step goes on there by reading that step's samples and no others, whatever ranks and threads
there were before; every rank takes the same number of every batch.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

from curation.shard_ranges import Ranges, read_sample
from curation.shard_reading import ShardDamaged, ShardMissing, ShardSample
from curation.store import COPY_CHUNK_BYTES
from schemas.canonical import sha256_hex
from schemas.manifest import Manifest, ShardFacts
from schemas.shards import TEXT_SUFFIX, Sidecar, sidecar_path
from training.data.batches import Plan


@dataclass(frozen=True, slots=True)
class IndexedSample:
    """A sample that was not read yet: what it is drawn by, and where it lies.

    Attributes:
        shard: place of its shard in the index.
        place: its place in the shard.
        weights_1e4: training stage -> sampling weight, 10,000 is 1.
    """

    key: str
    source: str
    tier: str
    has_text: bool
    shard: int
    place: int
    weights_1e4: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class ShardIndex:
    """All samples of a manifest's shards, in their order; make the plan of `samples`."""

    shards: tuple[tuple[ShardFacts, Sidecar], ...]
    samples: tuple[IndexedSample, ...]


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """How samples are read.

    Attributes:
        rank, world: which part of each batch is read: samples rank, rank + world, ...
        threads: reads at a time.
        ahead: batches that are read before they are asked for.
        check: `sample` checks each clip against its facts; `shard` also a tar's digest, once, before its first sample.
    """

    rank: int = 0
    world: int = 1
    threads: int = 4
    ahead: int = 2
    check: Literal["sample", "shard"] = "sample"

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ValueError(f"rank is {self.rank} of {self.world}; allowed: 0 to {self.world - 1}")
        if self.threads < 1 or self.ahead < 0:
            raise ValueError(f"threads is {self.threads} and ahead {self.ahead}; allowed: from 1, from 0")


@dataclass(frozen=True, kw_only=True)
class StreamBatch:
    """A rank's part of one step."""

    step: int
    source: str
    epoch: float
    samples: tuple[ShardSample, ...]


def read_index(
    ranges: Ranges, manifest: Manifest, tiers: Sequence[str] | None = None, shapes: Sequence[str] | None = None
) -> ShardIndex:
    """Return the index of a manifest's shards, of their side-cars alone.

    Args:
        tiers: only shards of these tiers; None is all.
        shapes: only shards of these shapes, of a corpus whose shards are split by shape; None is all.

    Raises:
        ShardMissing: a side-car is not there.
        ShardDamaged: it is not the manifest's.
    """
    shards: list[tuple[ShardFacts, Sidecar]] = []
    samples: list[IndexedSample] = []
    for facts in manifest.shards:
        if (tiers is None or facts.tier in tiers) and (shapes is None or facts.shape in shapes):
            sidecar = _sidecar(ranges, facts)
            samples.extend(_indexed(facts, sidecar, len(shards)))
            shards.append((facts, sidecar))
    return ShardIndex(shards=tuple(shards), samples=tuple(samples))


def _sidecar(ranges: Ranges, facts: ShardFacts) -> Sidecar:
    path = sidecar_path(facts.path)
    data = ranges.find(path)
    if data is None:
        raise ShardMissing(path, "the manifest lists it and it is not there; run verify")
    if sha256_hex(data) != facts.sidecar_sha256:
        raise ShardDamaged(path, f"digest {sha256_hex(data)[:12]}; the manifest says {facts.sidecar_sha256[:12]}")
    return Sidecar.model_validate_json(data)


def _indexed(facts: ShardFacts, sidecar: Sidecar, shard: int) -> Iterator[IndexedSample]:
    # Weights repeat: samples of one tier share one dictionary.
    shared: dict[tuple[int, ...], dict[str, int]] = {}
    stages = sorted(sidecar.weights_1e4)
    texts = sidecar.sizes[TEXT_SUFFIX]
    for place, key in enumerate(sidecar.keys):
        own = tuple(sidecar.weights_1e4[stage][place] for stage in stages)
        weights = shared.setdefault(own, dict(zip(stages, own, strict=True)))
        yield IndexedSample(key, facts.source, facts.tier, texts[place] is not None, shard, place, weights)


class SampleStream:
    """The batches of a plan, read from shards.

    Args:
        plan: of `plan_batches(index.samples, ...)`; its batch size is that of all ranks together.

    Raises:
        ValueError: the ranks cannot share a batch evenly.
    """

    def __init__(self, ranges: Ranges, index: ShardIndex, plan: Plan, options: StreamOptions | None = None) -> None:
        self.options = StreamOptions() if options is None else options
        if plan.options.size % self.options.world:
            raise ValueError(
                f"a batch of {plan.options.size} cannot be shared by {self.options.world} ranks; allowed: a multiple"
            )
        self._ranges = ranges
        self._index = index
        self._plan = plan
        self._checked: set[str] = set()
        self._lock = threading.Lock()

    def batches(self, step: int = 0) -> Generator[StreamBatch]:
        """Yield this rank's part of every step from `step` on, without end.

        Raises (when iterated):
            ShardRefused: a sample is not what the manifest promises; the message names its shard.
        """
        pool = ThreadPoolExecutor(self.options.threads, thread_name_prefix="shard-reads")
        waiting: deque[tuple[StreamBatch, list[Future[ShardSample]]]] = deque()
        try:
            for wanted in itertools.count(step):
                waiting.append(self._begin(pool, wanted))
                if len(waiting) > self.options.ahead:
                    begun, reads = waiting.popleft()
                    yield replace(begun, samples=tuple(read.result() for read in reads))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, step: int) -> tuple[StreamBatch, list[Future[ShardSample]]]:
        batch = self._plan.batch_at(step)
        positions = batch.positions[self.options.rank :: self.options.world]
        reads = [pool.submit(self._read, position) for position in positions]
        return StreamBatch(step=step, source=batch.source, epoch=batch.epoch, samples=()), reads

    def _read(self, position: int) -> ShardSample:
        sample = self._index.samples[position]
        facts, sidecar = self._index.shards[sample.shard]
        if self.options.check == "shard":
            self._check_shard(facts)
        try:
            return read_sample(self._ranges, facts, sidecar, sample.place)
        except FileNotFoundError as error:
            raise ShardMissing(facts.path, "the manifest lists it and it is not there; run verify") from error

    def _check_shard(self, facts: ShardFacts) -> None:
        with self._lock:
            if facts.path in self._checked:
                return
            digest = hashlib.sha256()
            for start in range(0, facts.bytes, COPY_CHUNK_BYTES):
                digest.update(self._ranges.read(facts.path, start, min(COPY_CHUNK_BYTES, facts.bytes - start)))
            if digest.hexdigest() != facts.sha256:
                raise ShardDamaged(
                    facts.path, f"digest {digest.hexdigest()[:12]}; the manifest says {facts.sha256[:12]}"
                )
            self._checked.add(facts.path)
