"""Buckets: clips that share a key become candidates, at a cost that grows as the postings do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.postings import Keys, Postings, mixed, stable_order

_MAX_TABLE_BITS = 28
"""Of the table of keys: 256 MB."""
_BLOCK = 1 << 22
"""Candidates made at once."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Pairs of clips that may be copies, at an offset.

    Attributes:
        first, second: int64 [c], clip numbers; the smaller one first, or the new clip first where new ones are compared
            with old ones.
        offset: int32 [c]: hash i of the first lies on hash i - offset of the second.
    """

    first: Ints
    second: Ints
    offset: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, places: NDArray[np.generic]) -> Candidates:
        """Return some of them."""
        return Candidates(self.first[places], self.second[places], self.offset[places])


@dataclass(frozen=True, kw_only=True)
class CollisionCounts:
    """What became of buckets; counts of parts add up.

    Attributes:
        postings: that were looked at.
        buckets: with a pair in them.
        hot_buckets: with more clips than a bucket may have.
        hot_members: clips in those, counted once for each.
        pairs: that were compared, before the same pair of another bucket is taken off.
        left_out: pairs of hot buckets that were not compared, because neither is a pivot.
    """

    postings: int = 0
    buckets: int = 0
    hot_buckets: int = 0
    hot_members: int = 0
    pairs: int = 0
    left_out: int = 0

    def __add__(self, other: CollisionCounts) -> CollisionCounts:
        return CollisionCounts(**{name: own + getattr(other, name) for name, own in vars(self).items()})


@dataclass(frozen=True)
class Collisions:
    """The candidates of some buckets, each once, sorted, and how they came about."""

    candidates: Candidates
    counts: CollisionCounts


@dataclass(frozen=True)
class _Members:
    """The clips of buckets with two or more, bucket by bucket, old ones before new ones, pivots first among them.

    Attributes:
        start: of its bucket, for each member.
        old: how many old ones its bucket has; without old ones, how many it has at all.
        size: of its bucket.
        is_new: whether it is new; True where there are no old ones.
    """

    clip: Ints
    frame: Ints
    start: Ints
    old: Ints
    size: Ints
    is_new: NDArray[np.bool_]


def collide(postings: Postings, options: PerceptualOptions, against: Postings | None = None) -> Collisions:
    """Return the pairs of clips that share a key.

    The result does not hang on the order of the postings, nor on how the keys are split into calls, as long as all
    postings of a key are in one call.

    Args:
        postings: of any slots.
        against: of old clips: pairs of a new one with an old one are made, no others.
    """
    fixed = against is not None
    if against is None:
        members = _members(postings, None)
    else:
        met = _may_meet(against, postings)
        members = _members(_may_meet(postings, met), met)
    limit = np.where(members.old > options.bucket_clips, options.pivots, members.old)
    place = np.arange(len(members.clip)) - members.start
    # among themselves, a clip is compared with those before it in the bucket, or with the pivots before it
    with_first = np.where(members.is_new, limit if fixed else np.minimum(limit, place), 0)
    found = [_canonical(part, fixed) for part in _expand(members, with_first)]
    heads = place == 0
    hot = heads & (members.old > options.bucket_clips)
    new = members.size - members.old
    possible = new * members.old if fixed else members.size * (members.size - 1) // 2
    compared = int(with_first.sum())
    counts = CollisionCounts(
        postings=len(postings) + (len(against) if against is not None else 0),
        buckets=int((heads & (possible > 0)).sum()),
        hot_buckets=int((hot & (possible > 0)).sum()),
        hot_members=int(members.size[hot & (possible > 0)].sum()),
        pairs=compared,
        left_out=int(possible[heads].sum()) - compared,
    )
    return Collisions(unique_candidates(found), counts)


def unique_candidates(parts: Iterable[Candidates]) -> Candidates:
    """Return all candidates of some parts, each once, in the order of their clips and offsets."""
    found = list(parts)
    empty = np.empty(0, dtype=np.int64)
    first = np.concatenate([empty, *(part.first for part in found)])
    second = np.concatenate([empty, *(part.second for part in found)])
    offset = np.concatenate([empty.astype(np.int32), *(part.offset for part in found)])
    order = np.lexsort((offset, second, first))
    first, second, offset = first[order], second[order], offset[order]
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1]) | (offset[1:] != offset[:-1])
    return Candidates(first[kept], second[kept], offset[kept])


def _may_meet(postings: Postings, others: Postings) -> Postings:
    """Return the postings whose key may be one of the others': what is left is sorted, and the rest is most of it.

    A table of hashed keys, at least 16 times as large as there are others: at most one in 16 gets through in vain,
    and loses none.
    """
    bits = max(10, int(16 * len(others)).bit_length())
    shift = np.uint64(64 - min(bits, _MAX_TABLE_BITS))
    table = np.zeros(1 << min(bits, _MAX_TABLE_BITS), dtype=np.bool_)
    table[mixed(others.key) >> shift] = True
    return postings.take(np.flatnonzero(table[mixed(postings.key) >> shift]))


def _members(postings: Postings, against: Postings | None) -> _Members:
    parts = [postings] if against is None else [against, postings]
    key = np.concatenate([part.key for part in parts])
    is_new = np.concatenate([np.full(len(part), part is postings) for part in parts])
    shared = _shared(key)
    clip = np.concatenate([part.clip for part in parts])[shared]
    frame = np.concatenate([part.frame for part in parts])[shared].astype(np.int64)
    key, is_new = key[shared], is_new[shared]
    order = _bucket_order(key, is_new, clip, frame)
    key, clip, frame, is_new = key[order], clip[order], frame[order], is_new[order]
    once = np.ones(len(order), dtype=bool)
    # a clip stands once in a bucket, with its first hash there
    once[1:] = (key[1:] != key[:-1]) | (clip[1:] != clip[:-1]) | (is_new[1:] != is_new[:-1])
    key, clip, frame, is_new = key[once], clip[once], frame[once], is_new[once]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, dtype=np.int64)
    sizes = np.diff(np.r_[starts, len(key)])
    old = np.add.reduceat(~is_new, starts, dtype=np.int64) if against is not None and len(key) else sizes
    start, old, size = (np.repeat(each, sizes) for each in (starts, old, sizes))
    return _Members(clip, frame, start, old, size, is_new)


def _bucket_order(key: Keys, is_new: NDArray[np.bool_], clip: Ints, frame: Ints) -> Ints:
    """Return the order by key, old ones before new ones, then by the clips' mixed numbers and by hash."""
    order = stable_order((key << np.uint64(1)) | is_new)
    run = np.cumsum(np.r_[False, (np.diff(key[order]) != 0) | (np.diff(is_new[order]) != 0)][: len(order)])
    alone = np.bincount(run)[run] == 1
    # Most old ones and most new ones stand alone under their key: only the others need more than that.
    several = order[~alone]
    rank = mixed(clip[several].view(np.uint64))
    order[~alone] = several[np.lexsort((frame[several], rank, run[~alone]))]
    return order


def _shared(key: NDArray[np.uint64]) -> Ints:
    """Return the places of keys that stand more than once: most stand once, and need no further sorting."""
    order = np.argsort(key)
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(key), dtype=bool)
    shared[1:] |= same
    shared[:-1] |= same
    return order[shared]


def _expand(members: _Members, with_first: Ints) -> Iterator[Candidates]:
    """Yield the pairs of each member with the first so many of its bucket."""
    ends = np.cumsum(with_first)
    if not len(ends) or not ends[-1]:
        return
    cuts = np.searchsorted(ends, np.arange(0, int(ends[-1]), _BLOCK), side="right")
    for low, high in zip(cuts, np.r_[cuts[1:], len(ends)], strict=True):
        counts = with_first[low:high]
        one = np.repeat(np.arange(low, high), counts)
        within = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
        other = members.start[one] + within
        offset = (members.frame[one] - members.frame[other]).astype(np.int32)
        yield Candidates(members.clip[one], members.clip[other], offset)


def _canonical(candidates: Candidates, fixed: bool) -> Candidates:
    """Return the same pairs, each with its smaller number first unless the sides are fixed."""
    if fixed:
        return unique_candidates([candidates])
    turned = candidates.first > candidates.second
    first, second = np.minimum(candidates.first, candidates.second), np.maximum(candidates.first, candidates.second)
    return unique_candidates([Candidates(first, second, np.where(turned, -candidates.offset, candidates.offset))])
