from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation.judging.repeats import CHUNK, count_distinct, digest_numbers, id_numbers, partitions, repeated
from schemas.ids import bucket_of, stable_id

IDS = [stable_id("x", number) for number in range(200)]


def test_numbers_of_ids_are_their_first_bits() -> None:
    assert id_numbers(pl.Series(IDS)).tolist() == [bucket_of(name, 60) for name in IDS]
    assert id_numbers(pl.Series([], dtype=pl.String)).tolist() == []


def test_numbers_of_digests() -> None:
    digests = pl.Series(["0" * 14 + "f" + "0" * 14 + "a" + "0" * 34, "f" * 64])
    assert digest_numbers(digests).tolist() == [15, 2**60 - 1]
    assert digest_numbers(digests, word=1).tolist() == [10, 2**60 - 1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 12), max_size=8)), max_size=6))
def test_what_is_told_twice_comes_back_to_each_teller(told: list[tuple[str, list[int]]]) -> None:
    counts = Counter(number for _, numbers in told for number in numbers)
    wanted = {(who, number) for who, numbers in told for number in numbers if counts[number] > 1}
    pieces = [(who, np.array(numbers, dtype=np.uint64)) for who, numbers in told]
    found = [(who, int(number)) for who, numbers in repeated(pieces) for number in numbers]
    assert sorted(found) == sorted(wanted)


def test_partitions_hold_every_number_once_in_small_chunks() -> None:
    numbers = id_numbers(pl.Series(IDS))
    big = np.concatenate([numbers] * 100)
    seen = []
    for part, places in partitions(big, 2):
        assert len(places) <= CHUNK and {int(number) >> 58 for number in big[places]} == {part}
        seen.extend(places.tolist())
    assert sorted(seen) == list(range(len(big)))


def test_distinct_videos_are_counted_by_both_words() -> None:
    rows = np.array([[1, 1], [1, 2], [1, 1]], dtype=np.uint64)
    assert count_distinct([rows, rows[:1]]) == 2
    assert count_distinct([]) == 0
