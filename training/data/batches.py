"""Which samples a step trains on: a pure function of the seed and the step, so that a resumed run needs no state.

Each batch comes from one source. Steps go in cycles; in each cycle a source has a fixed number of batches after its
weight, spread over the cycle. So the batches that a source gave before a step are known by counting in one cycle.

A source's batches go in rounds. A round draws as many samples as the source's weights come to in units of the largest
one, each at most once, with a chance in proportion to its weight: the heaviest are in every round. The draw is
systematic sampling (Madow 1949): the samples lie in a random order, each as long as its weight, and points at equal
distances from a random start choose those they fall on. Where all weights are equal, a round is the whole source once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.canonical import canonical_json
from training.data.cache import DecodedCache

# Long enough that a share is met to a thousandth, short enough to be laid out in a millisecond.
CYCLE_STEPS = 1_000
EPOCH_DIGITS = 4
# Names the rule by which samples are drawn; a checkpoint of another rule is another training.
DRAWING_RULE = "rounds/1"


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
    def has_text(self) -> bool: ...

    @property
    def weights_1e4(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How batches are drawn.

    Attributes:
        size: samples per batch.
        stage: whose weights are drawn by: 1 or 2.
        texts_only: leave out samples without a text, as stage 1 must.
        small_sources: what becomes of a source with fewer samples than a batch.
        mixture: source -> its part of the steps, in any unit; sources that it does not name are left out. None gives
            each source a part as large as the sum of its samples' weights.
    """

    size: int
    seed: int
    stage: Literal[1, 2] = 1
    texts_only: bool = False
    small_sources: Literal["refuse", "leave_out"] = "refuse"
    mixture: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One step's samples, as positions in the sequence that was planned.

    Attributes:
        round: how many rounds of the source came before.
        epoch: samples drawn of the source so far, this batch included, over the samples that it has: how often an
            average one was drawn, which is less than the heavy ones were and more than the light ones.
        positions: `size` different positions.
    """

    step: int
    source: str
    round: int
    epoch: float
    positions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """The order of a whole training; `batch_at` costs the same at every step.

    Attributes:
        members: source -> positions of its samples, by key.
        weights: source -> their weights in the same order, as int64 bytes; none is 0, and none is so large that a batch
            would want its sample more than once.
        batches_per_round: source -> full batches of one round; the rest of its draws is left out.
        quotas: source -> batches per cycle of `CYCLE_STEPS`.
        left_out: reason -> samples that are never drawn: `no_text`, `no_weight`, `mixture:<source>`, `small:<source>`.
    """

    options: BatchOptions
    members: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, bytes]
    batches_per_round: Mapping[str, int]
    quotas: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)

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
        size, members = self.options.size, self.members[source]
        number, place = divmod(before, self.batches_per_round[source])
        drawn = _drawn(self.options.seed, source, number, self.weights[source])
        return Batch(
            step=step,
            source=source,
            round=number,
            epoch=round((before + 1) * size / len(members), EPOCH_DIGITS),
            positions=tuple(members[index] for index in drawn[place * size : (place + 1) * size]),
        )


def plan_batches(samples: Sequence[Drawable], options: BatchOptions) -> BatchPlan:
    """Return the order in which samples are trained on; it depends on the set of samples, not on their sequence.

    Raises:
        SourceTooSmall: a source has fewer samples than a batch and is not to be left out.
        NothingToTrainOn: no sample is left, or none of a source that the mixture names.
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
    ordered = {name: tuple(sorted(members[name], key=lambda place: samples[place].key)) for name in sorted(members)}
    weights = {
        name: np.array([_weight(samples[place], options) for place in places], np.int64)
        for name, places in ordered.items()
    }
    drawn_by = {name: capped(own, options.size) for name, own in weights.items()}
    return BatchPlan(
        options=options,
        members=ordered,
        weights={name: own.tobytes() for name, own in drawn_by.items()},
        batches_per_round={name: draws_of_round(own) // options.size for name, own in drawn_by.items()},
        quotas=cycle_quotas(_parts(weights, options.mixture), CYCLE_STEPS),
        left_out=left_out,
    )


def _parts(weights: Mapping[str, NDArray[np.int64]], mixture: Mapping[str, int] | None) -> dict[str, int]:
    """Return each source's part of the steps."""
    if mixture is None:
        return {name: int(own.sum()) for name, own in weights.items()}
    missing = sorted(mixture.keys() - weights.keys())
    if missing:
        raise NothingToTrainOn(
            f"mixture names {missing}, of which no sample is left to draw; allowed: {', '.join(weights)}; mend the "
            "mixture"
        )
    return {name: mixture[name] for name in weights}


def _weight(sample: Drawable, options: BatchOptions) -> int:
    return sample.weights_1e4[f"stage{options.stage}"]


def _why_not(sample: Drawable, options: BatchOptions) -> str:
    if options.mixture is not None and sample.source not in options.mixture:
        return f"mixture:{sample.source}"
    if options.texts_only and not sample.has_text:
        return "no_text"
    return "" if _weight(sample, options) > 0 else "no_weight"


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


def random_words(count: int, *name: object) -> NDArray[np.uint64]:
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
        shifts = random_words(quota, "cycle", seed, cycle, name) / 2.0**64
        places += [((turn + float(shift)) / quota, name) for turn, shift in enumerate(shifts)]
    return tuple(name for _, name in sorted(places))


def capped(weights: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return weights of which none asks for its sample more than once in a batch of `size`: int64 [count].

    A weight beyond 1 / size of the sum is cut down until it is that; the others are left as they are.

    Args:
        weights: positive, at least `size` of them.
    """
    low, high = 1, int(weights.max())
    while low < high:
        middle = (low + high + 1) // 2
        fits = int(np.minimum(weights, middle).sum()) >= size * middle
        low, high = (middle, high) if fits else (low, middle - 1)
    return np.minimum(weights, low)


def draws_of_round(weights: NDArray[np.int64]) -> int:
    """Return how many samples a round draws: the most with which no weight asks for its sample twice."""
    return int(weights.sum()) // int(weights.max())


@lru_cache(maxsize=64)
def _drawn(seed: int, source: str, number: int, weights: bytes) -> NDArray[np.int64]:
    """Return the places that a round draws, in the order in which batches take them: int64 [draws].

    They have an order of their own: a place on the line hangs together with the weights near its ends, and the last
    draws of a round fill no batch.
    """
    own = np.frombuffer(weights, np.int64)
    line = np.argsort(random_words(len(own), "line", seed, source, number), kind="stable")
    start = int(random_words(1, "start", seed, source, number)[0]) * int(own.sum()) >> 64
    found = line[systematic(own[line], start)]
    order = np.argsort(random_words(len(found), "order", seed, source, number), kind="stable")
    return np.asarray(found[order], np.int64)


def systematic(weights: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Return the places that points at equal distances fall on, ascending: int64 [draws].

    Of all starts, exactly draws * weight fall on a place: whole numbers throughout.

    Args:
        weights: lengths of the places on a line.
        start: of the first point, from 0 to the sum of the weights, in units of 1 / draws.
    """
    draws, total = draws_of_round(weights), int(weights.sum())
    # Points at (k * total + start) / draws, rounded down; written so that no product passes 64 bits.
    step, rest = divmod(total, draws)
    turns = np.arange(draws, dtype=np.int64)
    points = turns * step + (turns * rest + start) // draws
    return np.asarray(np.searchsorted(np.cumsum(weights), points, side="right"), np.int64)


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
    epoch: float
    keys: tuple[str, ...]
    texts: tuple[str | None, ...]
    shards: tuple[str, ...]
    frames: NDArray[np.uint8]

    def with_frames(self, frames: NDArray[np.uint8]) -> ClipBatch:
        """Return the same samples with other pixels."""
        return replace(self, frames=frames)


def clip_batch(cache: DecodedCache, plan: BatchPlan, step: int, part: tuple[int, int] = (0, 1)) -> ClipBatch:
    """Return a step's batch from a decoded cache; `plan` must be made of `cache.samples`.

    Args:
        part: rank and world: rows rank, rank + world, ... are returned.
    """
    batch = plan.batch_at(step)
    positions = batch.positions[part[0] :: part[1]]
    samples = [cache.samples[position] for position in positions]
    return ClipBatch(
        step=step,
        source=batch.source,
        epoch=batch.epoch,
        keys=tuple(sample.key for sample in samples),
        texts=tuple(sample.text for sample in samples),
        shards=tuple(sample.shard for sample in samples),
        frames=cache.frames(positions),
    )
