"""What two clips that lie on each other have in common: how far they are apart, and whether they change together.

All in whole numbers and single roundings: a pair has the same figures in whatever company it is compared, on every CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.frame_alignment import STRANGE_BITS, Ints, Laid, Overlap, Side, blocks, overlap, sums_of


@dataclass(frozen=True)
class Agreement:
    """How pairs of clips agree, int64 [c] each.

    Attributes:
        similarity_1e4: 10,000 where nothing is apart; 0 where as much is as in strangers that stand still, and where
            nothing can be compared.
        hashes: of the overlap that count.
        matched: those of them that match.
        timing_1e2: covariance of the bits over the matching hashes, summed, in hundredths of its standard error for
            clips that change each on its own; 0 where nothing changes, or one against the other.
        motion_1e2: variance of the bits, summed, of the clip that has less of it, in hundredths of a bit.
    """

    similarity_1e4: Ints
    hashes: Ints
    matched: Ints
    timing_1e2: Ints
    motion_1e2: Ints


def agreement(first: Side, second: Side, laid: Laid, frame_bits: int) -> Agreement:
    """Return how pairs of clips agree.

    Args:
        frame_bits: most differing bits of hashes that match.
    """
    found = np.zeros((5, len(laid)), dtype=np.int64)
    for block in blocks(first, second, laid):
        part = laid.take(block)
        over = overlap(first, second, part, frame_bits)
        found[0, block] = np.minimum(*(_apart(first, second, part, over, way) for way in (1, -1)))
        found[1, block], found[2, block] = sums_of(over.counted, over.counts), sums_of(over.matched, over.counts)
        some = np.flatnonzero(found[2, block])
        if len(some):
            one, other = _bits(first, over.first[over.matched]), _bits(second, over.second[over.matched])
            found[3:, block.start + some] = _together(one, other, found[2, block][some])
    apart, hashes, matched, timing, motion = found
    most = 2 * STRANGE_BITS * hashes
    similarity_1e4 = 10_000 * np.maximum(most - apart, 0) // np.maximum(most, 1)
    return Agreement(similarity_1e4, hashes, matched, timing, motion)


def _apart(first: Side, second: Side, laid: Laid, over: Overlap, way: int) -> Ints:
    """Return twice the bits that are apart, summed over the overlap: int64 [c].

    A copy that was cut between two hashes of the other clip shows what is between them: bits that it does not share
    with the one are on their way to the other. So of a pair of hashes those bits count that differ from the other
    clip's hash and from its neighbour alike. Either clip's hash is held against the other's; both are added.

    Args:
        way: 1 where the second clip is taken to be a little later than its hashes' places say, -1 where earlier.
    """
    neighbour = _neighbour(first, laid.first[over.pair], over.first, way)
    back = _neighbour(second, laid.second[over.pair], over.second, -way)
    one, other = first.signatures.words[over.first], second.signatures.words[over.second]
    differ = one ^ other
    from_first = np.bitwise_count(differ & (other ^ first.signatures.words[neighbour]))
    from_second = np.bitwise_count(differ & (one ^ second.signatures.words[back]))
    bits = from_first.sum(axis=1, dtype=np.int64) + from_second.sum(axis=1, dtype=np.int64)
    both = first.shows[over.first] & second.shows[over.second]
    return sums_of(np.where(both, bits, 2 * STRANGE_BITS * over.counted), over.counts)


def _neighbour(side: Side, rows: Ints, places: Ints, way: int) -> Ints:
    """Return the places of the hashes before or after those given in their clip; their own where that shows nothing."""
    wanted = places + way
    inside = (wanted >= side.signatures.starts[rows]) & (wanted < side.signatures.starts[rows + 1])
    wanted = np.where(inside, wanted, places)
    return np.where(side.shows[wanted], wanted, places)


def _bits(side: Side, places: Ints) -> NDArray[np.uint8]:
    """Return hashes bit by bit, uint8 [n, 256], in an order that is the same for all."""
    return np.unpackbits(side.signatures.words[places].view(np.uint8), axis=1)


def _together(one: NDArray[np.uint8], other: NDArray[np.uint8], counts: Ints) -> Ints:
    """Return timing and motion, int64 [2, c], of runs of bits uint8 [total, 256]; no run is empty.

    With n hashes of a pair, of which a bit is set in a in one clip, in b in the other and in c in both, n^2 times its
    covariance is n c - a b, and n^2 times its variances a (n - a) and b (n - b). The covariance of clips that change
    each on its own has the variance var(one) var(other) / n. Bits add up. Sums stay below 2^53.
    """
    starts = np.cumsum(counts) - counts
    # The narrowest type that holds a sum: many times as fast.
    narrow = np.min_scalar_type(int(counts.max()))
    in_one, in_other, in_both = (
        np.add.reduceat(bits, starts, axis=0, dtype=narrow).astype(np.int64) for bits in (one, other, one & other)
    )
    hashes = counts[:, None]
    covariance = (hashes * in_both - in_one * in_other).sum(axis=1)
    spread_one, spread_other = in_one * (hashes - in_one), in_other * (hashes - in_other)
    error = (spread_one * spread_other).sum(axis=1)
    square = counts * covariance * covariance / np.maximum(error, 1)
    timing = np.where((covariance > 0) & (error > 0), np.floor(100 * np.sqrt(square)), 0)
    motion = 100 * np.minimum(spread_one.sum(axis=1), spread_other.sum(axis=1)) // (counts * counts)
    return np.stack([timing.astype(np.int64), motion])
