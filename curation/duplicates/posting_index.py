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
from curation.duplicates.postings import SLOT_BITS, SLOTS, Keys, Postings

_KEY_BITS = SLOT_BITS + (SLOTS - 1).bit_length()
_PLACE_BITS = 64 - _KEY_BITS
_ROW = np.int64((1 << ROW_BITS) - 1)
_VALUE = np.uint64((1 << SLOT_BITS) - 1)

# A group's place in the index -> its place in a build and the rows there that take part, ascending; None: none of it.
KeptRows = Callable[[int], tuple[int, NDArray[np.integer]] | None]


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
    order = _by_key(postings.key)
    key, clip, frame = postings.key[order], postings.clip[order], postings.frame[order]
    bounds = np.arange(SLOTS + 1, dtype=np.uint64) << np.uint64(SLOT_BITS)
    return PostingIndex(
        slots=np.searchsorted(key, bounds).astype(np.int64),
        value=(key & _VALUE).astype(np.uint32),
        group=narrowest(clip >> ROW_BITS),
        row=(clip & _ROW).astype(np.uint32),
        frame=narrowest(frame),
    )


def _by_key(key: Keys) -> NDArray[np.int64]:
    """Return the stable order of keys: a third of the time of numpy's own, as long as key and place fit one number."""
    if len(key) >> _PLACE_BITS:
        return np.argsort(key, kind="stable")
    both = (key << np.uint64(_PLACE_BITS)) | np.arange(len(key), dtype=np.uint64)
    both.sort()
    return (both & np.uint64((1 << _PLACE_BITS) - 1)).astype(np.int64)


def renumber(found: Postings, kept: KeptRows) -> Postings:
    """Return those of some postings of an index whose clips take part in a build, by their references there."""
    groups, rows = found.clip >> ROW_BITS, found.clip & _ROW
    clips = np.full(len(found), -1, dtype=np.int64)
    for group in np.unique(groups):
        own = kept(int(group))
        if own is None or not len(own[1]):
            continue
        places = np.flatnonzero(groups == group)
        at = np.minimum(np.searchsorted(own[1], rows[places]), len(own[1]) - 1)
        there = own[1][at] == rows[places]
        clips[places[there]] = references(own[0], at[there])
    taken = np.flatnonzero(clips >= 0)
    return Postings(found.key[taken], clips[taken], found.frame[taken])
