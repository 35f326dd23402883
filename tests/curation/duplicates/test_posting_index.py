"""Looking keys up in an index gives the pairs that all postings side by side give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.clips import ROW_BITS, references
from curation.duplicates.collisions import collide
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.posting_index import PostingIndex, index_postings, renumber
from curation.duplicates.postings import SLOT_BITS, SLOTS, Postings

OPTIONS = PerceptualOptions(bucket_clips=3, pivots=2)
# Slots from both ends and values from both ends: bounds are where a search goes wrong.
KEYS = st.tuples(st.sampled_from([0, 3, SLOTS - 1]), st.sampled_from([0, 1, 2, 77, 2**32 - 1]))
TOLD = st.tuples(KEYS, st.integers(0, 2), st.integers(0, 9), st.integers(0, 300))


def postings(told: list[tuple[tuple[int, int], int, int, int]], first_group: int = 0) -> Postings:
    """Return postings of ((slot, value), group, row, frame)."""
    keys = [(slot << SLOT_BITS) | value for (slot, value), *_ in told]
    groups, rows = (np.array([own[place] for own in told], dtype=np.int64) for place in (1, 2))
    frames = np.array([own[3] for own in told], dtype=np.int32)
    return Postings(np.array(keys, dtype=np.uint64), references(groups + first_group, rows), frames)


@settings(max_examples=300, deadline=None)
@given(
    new=st.lists(TOLD, max_size=40),
    old=st.lists(TOLD, max_size=80),
    kept=st.lists(st.sets(st.integers(0, 9)), min_size=3, max_size=3),
)
def test_keyed_lookup_gives_the_pairs_of_all_postings(
    new: list[tuple[tuple[int, int], int, int, int]],
    old: list[tuple[tuple[int, int], int, int, int]],
    kept: list[set[int]],
) -> None:
    """Hot buckets too: which clips stand for one hangs on the numbers that kept clips have."""
    told = postings(new)
    numbers = [np.array([sorted(own).index(row) if row in own else -1 for row in range(10)], np.int32) for own in kept]
    known = [(key, group, int(numbers[group][row]), frame) for key, group, row, frame in old if row in kept[group]]
    wanted = collide(told, OPTIONS, postings(known, 10))
    found = index_postings(postings(old)).find(np.unique(told.key))
    met = collide(told, OPTIONS, renumber(found, lambda group: (10 + group, numbers[group])))
    for name in ("first", "second", "offset"):
        assert getattr(met.candidates, name).tolist() == getattr(wanted.candidates, name).tolist()
    assert replace(met.counts, postings=0) == replace(wanted.counts, postings=0)


def test_an_index_is_sorted_and_narrow() -> None:
    told = [((1, 9), 0, 70_000, 5), ((0, 2**32 - 1), 2, 1, 299), ((1, 9), 0, 3, 4), ((7, 0), 1, 0, 0)]
    index = index_postings(postings(told))
    assert index.slots.tolist() == [0, 1, 3, 3, 3, 3, 3, 3, 4]
    assert index.value.tolist() == [2**32 - 1, 9, 9, 0]
    assert (index.group.tolist(), index.row.tolist()) == ([2, 0, 0, 1], [1, 70_000, 3, 0])
    assert (index.frame.tolist(), str(index.frame.dtype), str(index.group.dtype)) == ([299, 5, 4, 0], "uint16", "uint8")
    assert [str(index.value.dtype), str(index.row.dtype)] == ["uint32", "uint32"]


def test_only_the_keys_asked_for_are_found() -> None:
    index = index_postings(postings([((slot, value), 0, value, 0) for slot in range(8) for value in range(100)]))
    keys = np.array([5, (2 << 32) | 7, (2 << 32) | 700, (7 << 32) | 99], dtype=np.uint64)
    found = index.find(keys)
    assert found.key.tolist() == [5, (2 << 32) | 7, (7 << 32) | 99]
    assert (found.clip & ((1 << ROW_BITS) - 1)).tolist() == [5, 7, 99]
    assert len(index.find(keys[:0])) == 0
    nothing = index_postings(postings([]))
    assert len(nothing) == 0 and len(nothing.find(keys)) == 0


def test_a_group_that_has_no_part_is_left_out() -> None:
    found = postings([((0, 1), 0, 4, 0), ((0, 1), 1, 4, 0)])
    kept = {1: (6, np.array([-1, -1, 0, -1, 1], dtype=np.int32))}
    assert renumber(found, kept.get).clip.tolist() == [(6 << ROW_BITS) | 1]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_arrays_of_any_length_fit(count: int) -> None:
    index = index_postings(postings([((0, 1), 0, row, 0) for row in range(count)]))
    assert isinstance(index, PostingIndex) and len(index) == count
