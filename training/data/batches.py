"""Which samples a step trains on: a pure function of the seed and the step, so that a resumed run needs no state.

Each batch comes from one source. Steps go in cycles; in each cycle a source has a fixed number of batches after its
weight, spread over the cycle. So the batches that a source gave before a step are known by counting in one cycle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.canonical import canonical_json
from training.data.cache import DecodedCache

# Long enough that a share is met to a thousandth, short enough to be laid out in a millisecond.
CYCLE_STEPS = 1_000


class SourceTooSmall(ValueError):
    """A source has fewer samples than one batch."""


class NothingToTrainOn(ValueError):
    """No sample is left to draw."""


class Drawable(Protocol):
    """What a sample must say to be drawn."""

    @property
    def key(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def text(self) -> str | None: ...

    @property
    def weight_1e4(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How batches are drawn.

    Attributes:
        size: samples per batch.
        texts_only: leave out samples without a text, as stage 1 must.
        small_sources: what becomes of a source with fewer samples than a batch.
    """

    size: int
    seed: int
    texts_only: bool = False
    small_sources: Literal["refuse", "leave_out"] = "refuse"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One step's samples, as positions in the sequence that was planned.

    Attributes:
        epoch: how often the source's samples were gone through before.
        positions: `size` different positions.
    """

    step: int
    source: str
    epoch: int
    positions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """The order of a whole training; `batch_at` costs the same at every step.

    Attributes:
        members: source -> positions of its samples, by key.
        quotas: source -> batches per cycle of `CYCLE_STEPS`.
        left_out: source or reason -> samples that are never drawn: `no_text`, `no_weight`, `small:<source>`.
    """

    options: BatchOptions
    members: Mapping[str, tuple[int, ...]]
    quotas: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def batches_per_epoch(self, source: str) -> int:
        """Return the full batches of one epoch; the rest of its samples waits for the next order."""
        return len(self.members[source]) // self.options.size

    def batch_at(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0.

        Raises:
            ValueError: the step is negative.
        """
        if step < 0:
            raise ValueError(f"there is no step {step}")
        cycle, slot = divmod(step, CYCLE_STEPS)
        order = _cycle_order(self.options.seed, cycle, tuple(sorted(self.quotas.items())))
        source = order[slot]
        before = cycle * self.quotas[source] + order[:slot].count(source)
        epoch, place = divmod(before, self.batches_per_epoch(source))
        members = self.members[source]
        shuffled = _epoch_order(self.options.seed, source, epoch, len(members))
        chosen = shuffled[place * self.options.size : (place + 1) * self.options.size]
        return Batch(step=step, source=source, epoch=epoch, positions=tuple(members[index] for index in chosen))


def plan_batches(samples: Sequence[Drawable], options: BatchOptions) -> BatchPlan:
    """Return the order in which samples are trained on; it depends on the set of samples, not on their sequence.

    Raises:
        SourceTooSmall: a source has fewer samples than a batch and is not to be left out.
        NothingToTrainOn: no sample is left.
        ValueError: the size is not positive.
    """
    if options.size < 1:
        raise ValueError(f"a batch of {options.size} samples cannot be drawn")
    left_out: dict[str, int] = {}
    members: dict[str, list[int]] = {}
    for position, sample in enumerate(samples):
        reason = _why_not(sample, options)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            members.setdefault(sample.source, []).append(position)
    for source in sorted(members):
        if len(members[source]) < options.size:
            left_out[f"small:{source}"] = _leave_out(source, len(members.pop(source)), options)
    if not members:
        raise NothingToTrainOn(
            f"no sample is left to train on; left out were {left_out}; make batches smaller, or the sources larger"
        )
    weights = {name: sum(samples[place].weight_1e4 for place in places) for name, places in members.items()}
    return BatchPlan(
        options=options,
        members={name: tuple(sorted(members[name], key=lambda place: samples[place].key)) for name in sorted(members)},
        quotas=cycle_quotas(weights, CYCLE_STEPS),
        left_out=left_out,
    )


def _why_not(sample: Drawable, options: BatchOptions) -> str:
    if options.texts_only and sample.text is None:
        return "no_text"
    return "" if sample.weight_1e4 > 0 else "no_weight"


def _leave_out(source: str, count: int, options: BatchOptions) -> int:
    if options.small_sources == "refuse":
        raise SourceTooSmall(
            f"source {source} has {count} samples and a batch takes {options.size}; make batches smaller, "
            "the source larger, or leave small sources out"
        )
    return count


def cycle_quotas(weights: Mapping[str, int], steps: int) -> dict[str, int]:
    """Return how many of `steps` each source gets: by weight, largest remainders first, each at least one.

    Raises:
        ValueError: there are more sources than steps.
    """
    if len(weights) > steps:
        raise ValueError(f"{len(weights)} sources do not fit into a cycle of {steps} steps")
    total = sum(weights.values())
    # Whole numbers throughout: the split must not hang on rounding.
    quotas = {name: max(1, weights[name] * steps // total) for name in sorted(weights)}
    by_remainder = sorted(weights, key=lambda name: (-(weights[name] * steps % total), name))
    for turn in range(max(0, steps - sum(quotas.values()))):
        quotas[by_remainder[turn % len(by_remainder)]] += 1
    while sum(quotas.values()) > steps:
        quotas[max(sorted(quotas), key=lambda name: quotas[name])] -= 1
    return quotas


def _random_words(count: int, *name: object) -> NDArray[np.uint64]:
    """Return `count` random words that depend on a name alone: uint64 [count].

    Raw words of a bit generator are kept equal between versions of numpy; its shuffles are not.
    """
    seed = int.from_bytes(hashlib.sha256(canonical_json(name)).digest()[:16], "big")
    return np.asarray(np.random.PCG64(seed).random_raw(count), np.uint64)


@lru_cache(maxsize=4)
def _cycle_order(seed: int, cycle: int, quotas: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """Return the sources of a cycle's steps: a source's k-th batch falls at random into the k-th of its equal parts."""
    places: list[tuple[float, str]] = []
    for name, quota in quotas:
        shifts = _random_words(quota, "cycle", seed, cycle, name) / 2.0**64
        places += [((turn + float(shift)) / quota, name) for turn, shift in enumerate(shifts)]
    return tuple(name for _, name in sorted(places))


@lru_cache(maxsize=64)
def _epoch_order(seed: int, source: str, epoch: int, count: int) -> tuple[int, ...]:
    words = _random_words(count, "epoch", seed, source, epoch)
    return tuple(int(index) for index in np.argsort(words, kind="stable"))


@dataclass(frozen=True, kw_only=True)
class ClipBatch:
    """A batch with its pixels.

    Attributes:
        texts: one per sample; None where it has none.
        shards: the shard of each sample, for messages.
        frames: uint8 [B, T, S, S, 3] RGB.
    """

    step: int
    source: str
    epoch: int
    keys: tuple[str, ...]
    texts: tuple[str | None, ...]
    shards: tuple[str, ...]
    frames: NDArray[np.uint8]


def clip_batch(cache: DecodedCache, plan: BatchPlan, step: int) -> ClipBatch:
    """Return a step's batch from a decoded cache; `plan` must be made of `cache.samples`."""
    batch = plan.batch_at(step)
    samples = [cache.samples[position] for position in batch.positions]
    return ClipBatch(
        step=step,
        source=batch.source,
        epoch=batch.epoch,
        keys=tuple(sample.key for sample in samples),
        texts=tuple(sample.text for sample in samples),
        shards=tuple(sample.shard for sample in samples),
        frames=cache.frames(batch.positions),
    )
