"""Ids that stand more than once in a corpus, found from numbers of 60 bits: a shuffle of 8 bytes per sample.

Two ids may share a number; what is found is then a superset, and the ids themselves decide where it matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

ID_BITS = 60
# Numbers in one element of a shuffle: 48 kB.
CHUNK = 6_000
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID_DIGITS, _HEX_DIGITS = 12, 15

Numbers = NDArray[np.uint64]


def id_numbers(ids: pl.Series) -> Numbers:
    """Return the first 60 bits of stable ids, as `schemas.ids.bucket_of` reads them."""
    digits = np.zeros(256, dtype=np.uint64)
    for value, character in enumerate(_ALPHABET):
        digits[ord(character)] = value
    text = ids.str.slice(0, _ID_DIGITS).to_list()
    characters = np.frombuffer("".join(text).encode("ascii"), dtype=np.uint8).reshape(len(text), _ID_DIGITS)
    numbers = np.zeros(len(text), dtype=np.uint64)
    for place in range(_ID_DIGITS):
        numbers = (numbers << np.uint64(5)) | digits[characters[:, place]]
    return numbers


def digest_numbers(digests: pl.Series, word: int = 0) -> Numbers:
    """Return 60 bits of SHA-256 digests in hexadecimal: the first 15 digits, or the next ones for `word` 1."""
    digits = digests.str.slice(word * _HEX_DIGITS, _HEX_DIGITS)
    return digits.str.to_integer(base=16, dtype=pl.Int64).to_numpy().astype(np.uint64)


def partitions(numbers: Numbers, bits: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield (partition, places) of numbers by their first bits, in chunks that fit a shuffle."""
    parts = (numbers >> np.uint64(ID_BITS - bits)).astype(np.int64)
    order = np.argsort(parts, kind="stable")
    edges = np.flatnonzero(np.diff(parts[order])) + 1
    for places in np.split(order, edges):
        for start in range(0, len(places), CHUNK):
            chunk = places[start : start + CHUNK]
            yield int(parts[chunk[0]]), chunk


def repeated(told: Iterable[tuple[str, Numbers]]) -> Iterator[tuple[str, Numbers]]:
    """Yield (who, numbers) of the numbers that were told more than once, to each who told one, in chunks.

    Args:
        told: (who, numbers), in any order; one may tell a number twice.
    """
    pieces = list(told)
    if not pieces:
        return
    names = sorted({who for who, _ in pieces})
    place = {who: index for index, who in enumerate(names)}
    numbers = np.concatenate([own for _, own in pieces])
    whose = np.concatenate([np.full(len(own), place[who]) for who, own in pieces])
    values, counts = np.unique(numbers, return_counts=True)
    often = np.isin(numbers, values[counts > 1])
    for index in np.unique(whose[often]):
        own = np.unique(numbers[often & (whose == index)])
        for start in range(0, len(own), CHUNK):
            yield names[index], own[start : start + CHUNK]


def count_distinct(told: Iterable[NDArray[np.uint64]]) -> int:
    """Return how many different rows uint64 [n, 2] there are: 120 bits of a digest, which do not meet by chance."""
    rows = np.concatenate([np.empty((0, 2), dtype=np.uint64), *told])
    return len(np.unique(rows, axis=0))
