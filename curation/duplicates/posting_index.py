"""Postings that a run keeps, so that a later build looks up the keys of its new clips and reads nothing else.

They lie sorted by key in narrow arrays that may be memory maps: 10 to 14 bytes each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.arrays import narrowest
from curation.duplicates.clips import ROW_BITS, references
from curation.duplicates.postings import SLOT_BITS, SLOTS, Keys, Postings, stable_order

_ROW = np.int64((1 << ROW_BITS) - 1)
_VALUE = np.uint64((1 << SLOT_BITS) - 1)

# A group's place in the index -> its place in a build, and the row there of each of its rows, -1 for one that takes no
# part; None where the whole group takes none.
Numbers = Callable[[int], tuple[int, NDArray[np.int32]] | None]


@dataclass(frozen=True)
class PostingIndex:
    """The postings of one part of the keys.

    Attributes:
        slots: int64 [SLOTS + 1]; the postings of slot s lie from slots[s] up to slots[s + 1].
        value: uint32 [p], what the slot holds, ascending in it.
        group: unsigned [p], place of the clip's group.
        row: uint32 [p], the clip's row in its group.
        frame: unsigned [p], number of the hash in the clip.
    """

    slots: NDArray[np.int64]
    value: NDArray[np.uint32]
    group: NDArray[np.unsignedinteger[Any]]
    row: NDArray[np.uint32]
    frame: NDArray[np.unsignedinteger[Any]]

    def __len__(self) -> int:
        return len(self.value)

    def find(self, keys: Keys) -> Postings:
        """Return the postings of some keys, the clips by their references in the index.

        Args:
            keys: ascending, each once.
        """
        starts = np.searchsorted(keys, np.arange(SLOTS + 1, dtype=np.uint64) << np.uint64(SLOT_BITS))
        found = [self._find_slot(slot, keys[starts[slot] : starts[slot + 1]]) for slot in range(SLOTS)]
        places = np.concatenate([own for _, own in found])
        return Postings(
            np.concatenate([own for own, _ in found]),
            references(self.group[places].astype(np.int64), self.row[places].astype(np.int64)),
            self.frame[places].astype(np.int32),
        )

    def _find_slot(self, slot: int, keys: Keys) -> tuple[Keys, NDArray[np.int64]]:
        """Return (key, place) of the postings of keys of one slot."""
        low, high = int(self.slots[slot]), int(self.slots[slot + 1])
        stored = self.value[low:high]
        values = (keys & _VALUE).astype(np.uint32)
        first = np.searchsorted(stored, values)
        there = np.flatnonzero(first < len(stored))
        there = there[stored[first[there]] == values[there]]
        first, keys = first[there], keys[there]
        counts = np.searchsorted(stored, values[there], side="right") - first
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(keys, counts), low + np.repeat(first, counts) + within


INDEX_ARRAYS = tuple(field.name for field in fields(PostingIndex))


def index_postings(postings: Postings) -> PostingIndex:
    """Return postings as they are kept; those of a key stay in their order.

    Args:
        postings: with references as clips.
    """
    order = stable_order(postings.key)
    key, clip, frame = postings.key[order], postings.clip[order], postings.frame[order]
    bounds = np.arange(SLOTS + 1, dtype=np.uint64) << np.uint64(SLOT_BITS)
    return PostingIndex(
        slots=np.searchsorted(key, bounds).astype(np.int64),
        value=(key & _VALUE).astype(np.uint32),
        group=narrowest(clip >> ROW_BITS),
        row=(clip & _ROW).astype(np.uint32),
        frame=narrowest(frame),
    )


def renumber(found: Postings, numbers: Numbers) -> Postings:
    """Return those of some postings of an index whose clips take part in a build, by their references there."""
    groups, rows = found.clip >> ROW_BITS, found.clip & _ROW
    clips = np.full(len(found), -1, dtype=np.int64)
    order = stable_order(groups.astype(np.uint64))
    starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0][: len(order)])
    for places in np.split(order, starts[1:]):
        own = numbers(int(groups[places[0]])) if len(places) else None
        if own is not None:
            there = np.asarray(own[1][rows[places]]).astype(np.int64)
            clips[places] = np.where(there < 0, -1, references(own[0], there))
    taken = np.flatnonzero(clips >= 0)
    return Postings(found.key[taken], clips[taken], found.frame[taken])
