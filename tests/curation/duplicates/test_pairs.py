"""Pairs as arrays."""

from __future__ import annotations

import numpy as np

from curation.duplicates.pairs import Pairs, joined, no_pairs, unique_pairs

Rows = list[tuple[int, int, int]]

# Clips 0 to 3 hang together, 4 and 5 do; 6 is near none.
LITERAL: Rows = [(0, 1, 9_900), (1, 2, 9_600), (2, 3, 9_500), (4, 5, 9_600), (0, 2, 9_550)]


def pairs_of(rows: Rows) -> Pairs:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Pairs(first=table[:, 0], second=table[:, 1], similarity_1e4=table[:, 2].astype(np.int32))


def rows_of(pairs: Pairs) -> Rows:
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.similarity_1e4.tolist(), strict=True))


def test_parts_are_joined_as_they_come() -> None:
    assert rows_of(joined([pairs_of(LITERAL[2:4]), no_pairs(), pairs_of(LITERAL[:1])])) == [*LITERAL[2:4], LITERAL[0]]
    assert len(joined([])) == len(no_pairs()) == 0
    assert [array.dtype for array in vars(joined([])).values()] == [np.int64, np.int64, np.int32]


def test_a_pair_that_was_found_twice_is_told_once() -> None:
    assert rows_of(unique_pairs(pairs_of([*LITERAL[::-1], *LITERAL[1:3]]))) == sorted(LITERAL)
    assert len(unique_pairs(no_pairs())) == 0


def test_pairs_that_share_one_clip_are_two() -> None:
    shared: Rows = [(0, 1, 9_500), (0, 2, 9_500), (1, 2, 9_500)]
    assert rows_of(unique_pairs(pairs_of(shared))) == shared
