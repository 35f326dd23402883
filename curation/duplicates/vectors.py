"""Embeddings as small integers, so that a similarity is the same number on every machine.

A unit vector is stored as int16 steps of 1/4,000. Products of such steps are integers, and every sum of them, in any
order, stays below 2**24 (Cauchy-Schwarz on each part of the sum), where float32 counts integers exactly. A matrix
product in float32 therefore has no rounding: no thread count, block size or instruction set changes a similarity, and
what is compared with a threshold is exact. Rounding to steps moves a cosine by about 1e-4 (standard deviation), the
unit in which similarities are stored.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

STEPS = 4_000
"""Length of a unit vector in steps."""
# sqrt(d) / 2 steps is the most that rounding adds to a length: 4,000 + 96 is 2**12.
MAX_DIMENSIONS = 36_000
_BLOCK_ROWS = 8_192
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""2**64 / golden ratio, of Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4)."""

Steps = NDArray[np.int16]
Floats = NDArray[np.float32]


def usable(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return bool [n]: which of the vectors [n, d] have a direction: finite, and longer than 1e-6."""
    lengths = np.sqrt(np.square(vectors.astype(np.float32)).sum(axis=1))
    return np.isfinite(lengths) & (lengths > 1e-6)


def quantise(vectors: NDArray[np.floating]) -> Steps:
    """Return vectors [n, d], float16 or float32 of any length, as int16 [n, d] steps of their unit vectors.

    Raises:
        ValueError: a vector has no direction (`usable` tells which), or d is over MAX_DIMENSIONS.
    """
    count, dimensions = vectors.shape
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError(f"vectors have {dimensions} dimensions; allowed: 1 to {MAX_DIMENSIONS}")
    steps = np.empty((count, dimensions), dtype=np.int16)
    for start in range(0, count, _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS].astype(np.float32)
        # Additions of numpy come in one order on every machine; those of BLAS or einsum do not.
        lengths = np.sqrt(np.square(block).sum(axis=1))
        bad = ~np.isfinite(lengths) | (lengths <= 1e-6)
        if bad.any():
            raise ValueError(f"vector {start + int(bad.argmax())} is zero or not finite; leave out what is not usable")
        block *= (STEPS / lengths)[:, None]
        steps[start : start + _BLOCK_ROWS] = np.rint(block, out=block)
    return steps


def as_floats(steps: Steps) -> Floats:
    """Return steps as contiguous float32, the form in which BLAS multiplies them without rounding."""
    check_products()
    return np.ascontiguousarray(steps, dtype=np.float32)


@cache
def check_products() -> None:
    """Raise RuntimeError where the matrix product of numpy rounds, as one in bfloat16 or TF32 would."""
    generator = np.random.default_rng(1)
    steps = quantise(generator.standard_normal((64, 512), dtype=np.float32))
    exact = steps.astype(np.int64) @ steps.astype(np.int64).T
    found = steps.astype(np.float32) @ steps.astype(np.float32).T
    if not np.array_equal(found.astype(np.int64), exact):
        raise RuntimeError("numpy's float32 matrix product rounds integers under 2**24; use a BLAS in full precision")


def lengths_of(steps: Steps) -> NDArray[np.float64]:
    """Return float64 [n], the lengths of vectors in steps."""
    squares = np.empty(len(steps), dtype=np.float64)
    for start in range(0, len(steps), _BLOCK_ROWS):
        rows = as_floats(steps[start : start + _BLOCK_ROWS])
        squares[start : start + _BLOCK_ROWS] = np.einsum("ij,ij->i", rows, rows)
    return np.sqrt(squares)


def similarities_1e4(products: Floats, lengths: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return cosines in 1e-4, rounded; in [-10000, 10000], and 10000 for equal vectors.

    Every operation on float64 here is rounded as IEEE 754 says, the same everywhere.
    """
    return np.rint(products.astype(np.float64) * 10_000 / (lengths * others)).astype(np.int32)


def content_hashes(steps: Steps, seed: int = 0) -> NDArray[np.uint64]:
    """Return uint64 [n]: a hash of each row's content. Different rows may meet in one, at about 2**-64 a pair."""
    count, dimensions = steps.shape
    words = -(-dimensions // 4)
    factors = np.random.default_rng(seed).integers(2**63, size=words, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    hashes = np.empty(count, dtype=np.uint64)
    for start in range(0, count, _BLOCK_ROWS):
        block = np.zeros((len(steps[start : start + _BLOCK_ROWS]), words * 4), dtype="<i2")
        block[:, :dimensions] = steps[start : start + _BLOCK_ROWS]
        mixed = block.view("<u8") * _MIX
        mixed ^= mixed >> np.uint64(29)
        mixed *= factors
        mixed ^= mixed >> np.uint64(32)
        hashes[start : start + _BLOCK_ROWS] = (mixed * factors[::-1]).sum(axis=1)
    return hashes
