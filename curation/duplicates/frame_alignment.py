"""Two clips laid on each other: how far their hashes differ at an offset, and whether they change at the same moments.

All in whole numbers and single roundings: a pair has the same figures in whatever company it is compared, on every CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.postings import differing_bits
from curation.duplicates.signatures import Signatures

STRANGE_BITS = 128
"""Bits in which strangers differ on average. A hash that shows something counts so much on one that does not."""
MISSING_BITS = 24
"""What a hash that lies on nothing counts where offsets are compared: longer overlaps win unless they fit far worse."""
_BLOCK_HASHES = 1 << 16
"""Hashes compared at once; up to 1.5 kB are held for each."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        shows: bool [total], which hashes show enough to be compared.
        clear: bool [total], which show enough to count where they lie on one that does not.
        shown: int64 [n], how many of each clip do.
    """

    signatures: Signatures
    shows: NDArray[np.bool_]
    clear: NDArray[np.bool_]
    shown: Ints


@dataclass(frozen=True)
class Laid:
    """Clips of two sides laid on each other: hash i of the first on hash i - offset of the second.

    Attributes:
        first, second: int64 [c], rows of either side's signatures.
        offset: int64 [c].
    """

    first: Ints
    second: Ints
    offset: Ints

    def __len__(self) -> int:
        return len(self.first)

    def take(self, places: NDArray[np.generic] | slice) -> Laid:
        """Return some of them."""
        return Laid(self.first[places], self.second[places], self.offset[places])


@dataclass(frozen=True)
class Fit:
    """How well clips fit, int64 [c] each.

    Attributes:
        bits: differing bits, summed over the hashes of the overlap that count.
        hashes: how many those are.
        matched: those of them that match.
        shorter: hashes that show something, in the clip that has fewer.
        longer: in the other.
    """

    bits: Ints
    hashes: Ints
    matched: Ints
    shorter: Ints
    longer: Ints

    def take(self, places: NDArray[np.generic]) -> Fit:
        """Return some of them."""
        return Fit(**{name: values[places] for name, values in vars(self).items()})

    def cost(self) -> Ints:
        """Return what offsets of one pair are compared by; the least is the best."""
        return self.bits + MISSING_BITS * np.maximum(self.shorter - self.hashes, 0)


@dataclass(frozen=True)
class Overlap:
    """What lies on each other, one pair after the other.

    Attributes:
        counts: int64 [c], hashes of each pair.
        bits: int64 [total], in how many they differ.
        counted: bool [total], whether both show something, or one does clearly.
        matched: bool [total].
        pair: int64 [total], which of the pairs.
        first, second: int64 [total], places in either side's arrays.
    """

    counts: Ints
    bits: Ints
    counted: NDArray[np.bool_]
    matched: NDArray[np.bool_]
    pair: Ints
    first: Ints
    second: Ints


def side_of(signatures: Signatures, options: PerceptualOptions) -> Side:
    """Return signatures as a side of a comparison."""
    shows = signatures.quality >= options.min_quality
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(shows, dtype=np.int64)])
    clear = shows & (signatures.quality >= options.clear_quality)
    return Side(signatures, shows, clear, np.diff(before[signatures.starts]))


def fit(first: Side, second: Side, laid: Laid, frame_bits: int) -> Fit:
    """Return how well clips fit.

    Args:
        frame_bits: most differing bits of hashes that match.
    """
    sums = np.zeros((3, len(laid)), dtype=np.int64)
    for block in blocks(first, second, laid):
        over = overlap(first, second, laid.take(block), frame_bits)
        for row, values in enumerate((over.bits, over.counted, over.matched)):
            sums[row, block] = sums_of(values, over.counts)
    shown = first.shown[laid.first], second.shown[laid.second]
    bits, hashes, matched = sums
    return Fit(bits, hashes, matched, np.minimum(*shown), np.maximum(*shown))


def overlap_lengths(first: Side, second: Side, laid: Laid) -> Ints:
    """Return how many hashes lie on each other, flat ones too; 0 where the clips do not touch."""
    ends = np.minimum(first.signatures.lengths[laid.first], second.signatures.lengths[laid.second] + laid.offset)
    return np.maximum(ends - np.maximum(laid.offset, 0), 0)


def blocks(first: Side, second: Side, laid: Laid) -> Iterator[slice]:
    """Yield runs of pairs with some 65,000 hashes each, all pairs in the end."""
    ends = np.cumsum(overlap_lengths(first, second, laid))
    start = 0
    while start < len(laid):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK_HASHES, side="right")))
        yield slice(start, stop)
        start = stop


def overlap(first: Side, second: Side, laid: Laid, frame_bits: int) -> Overlap:
    """Return what lies on each other."""
    counts = overlap_lengths(first, second, laid)
    pair = np.repeat(np.arange(len(laid)), counts)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    one = first.signatures.starts[laid.first] + np.maximum(laid.offset, 0)
    other = second.signatures.starts[laid.second] + np.maximum(-laid.offset, 0)
    one, other = one[pair] + within, other[pair] + within
    bits = differing_bits(first.signatures.words[one], second.signatures.words[other])
    both = first.shows[one] & second.shows[other]
    counted = both | first.clear[one] | second.clear[other]
    bits = np.where(both, bits, np.where(counted, STRANGE_BITS, 0))
    return Overlap(counts, bits, counted, both & (bits <= frame_bits), pair, one, other)


def sums_of(values: NDArray[np.generic], counts: Ints) -> Ints:
    """Return the sums of runs of values."""
    ends = np.cumsum(counts)
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values, dtype=np.int64)])
    return before[ends] - before[ends - counts]
