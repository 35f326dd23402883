"""Postings: the parts of frame hashes under which copies meet.

A hash of 256 bits has 8 slots of 32; two clips meet where a slot of one's hash equals the same slot of one of the
other's. Slots are ranges of frequencies: the first one holds the lowest, and outlives most changes whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.signatures import HASH_WORDS, Rows, Signatures

SLOTS, SLOT_BITS = 8, 32
"""Bits of strangers are nearly independent: some 28 to 30 of the 32 are. Slots of 24 would make hundreds of times as
many strangers meet, and copies of the promised kinds meet in slots of 32 as well (docs/duplicates.md)."""
_SLOTS_PER_WORD = 64 // SLOT_BITS

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Postings:
    """Where clips may meet.

    Attributes:
        key: uint64 [p], the slot (from bit 32 on) and its value.
        clip: int64 [p], number of the clip.
        frame: int32 [p], number of the hash in the clip.
    """

    key: Keys
    clip: NDArray[np.int64]
    frame: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.key)

    def take(self, places: NDArray[np.generic]) -> Postings:
        """Return some of them."""
        return Postings(self.key[places], self.clip[places], self.frame[places])


def join_postings(parts: list[Postings]) -> Postings:
    """Return all postings of one part or more."""
    return Postings(
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.clip for part in parts]),
        np.concatenate([part.frame for part in parts]),
    )


def post(signatures: Signatures, options: PerceptualOptions) -> Postings:
    """Return the postings of clips; those of some clips are the same whatever clips are beside them."""
    kept = frames_to_post(signatures, options)
    return join_postings([post_slot(signatures, kept, slot) for slot in range(SLOTS)])


def frames_to_post(signatures: Signatures, options: PerceptualOptions) -> Rows:
    """Return which hashes are posted, as places in the signatures' arrays, in their order.

    Those of enough quality that differ from the one posted before in their clip: a still scene is posted once.
    """
    lengths = signatures.lengths
    longest_first = np.argsort(-lengths, kind="stable")
    rising = np.sort(lengths)
    last = np.zeros((len(lengths), HASH_WORDS), dtype=np.uint64)
    has_last = np.zeros(len(lengths), dtype=bool)
    posted = np.zeros(len(signatures.quality), dtype=bool)
    for frame in range(int(rising[-1]) if len(rising) else 0):
        own = longest_first[: len(rising) - int(np.searchsorted(rising, frame, side="right"))]
        places = signatures.starts[own] + frame
        fit = signatures.quality[places] >= options.min_quality
        own, places = own[fit], places[fit]
        changed = differing_bits(signatures.words[places], last[own]) > options.prune_bits
        new = changed | ~has_last[own]
        own, places = own[new], places[new]
        last[own] = signatures.words[places]
        has_last[own] = True
        posted[places] = True
    return np.flatnonzero(posted)


def post_slot(signatures: Signatures, kept: Rows, slot: int) -> Postings:
    """Return the postings of one slot, 0 to 7.

    Of posted hashes after each other in a clip with the same slot, the first stands for all.

    Args:
        kept: of `frames_to_post`.
    """
    word, place = divmod(slot, _SLOTS_PER_WORD)
    values = (signatures.words[kept, word] >> np.uint64(SLOT_BITS * place)) & np.uint64((1 << SLOT_BITS) - 1)
    rows = np.searchsorted(signatures.starts, kept, side="right") - 1
    first = np.ones(len(kept), dtype=bool)
    first[1:] = (values[1:] != values[:-1]) | (rows[1:] != rows[:-1])
    values, rows, kept = values[first], rows[first], kept[first]
    keys = values | np.uint64(slot << SLOT_BITS)
    return Postings(keys, signatures.clips[rows], (kept - signatures.starts[rows]).astype(np.int32))


def stable_order(keys: Keys) -> NDArray[np.int64]:
    """Return the stable order of keys: a third of the time of numpy's own where key and place fit into one number."""
    largest = int(keys.max(initial=0))
    bits = max(1, len(keys).bit_length())
    if largest.bit_length() + bits > 64:
        return np.argsort(keys, kind="stable")
    both = (keys << np.uint64(bits)) | np.arange(len(keys), dtype=np.uint64)
    both.sort()
    return (both & np.uint64((1 << bits) - 1)).astype(np.int64)


def distinct(keys: Keys) -> Keys:
    """Return keys ascending, each once; numpy's own `unique` hashes first, which takes many times as long."""
    ordered = np.sort(keys)
    kept = np.ones(len(ordered), dtype=bool)
    kept[1:] = ordered[1:] != ordered[:-1]
    return ordered[kept]


def partition_of(keys: Keys, partitions: int) -> NDArray[np.int64]:
    """Return in which of so many partitions of a job a key's bucket is: int64, 0 to partitions - 1."""
    return (mixed(keys) % np.uint64(partitions)).astype(np.int64)


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers spread over 64 bits, different ones for different ones (the finaliser of SplitMix64)."""
    spread = numbers ^ (numbers >> np.uint64(30))
    spread = spread * np.uint64(0xBF58476D1CE4E5B9)
    spread ^= spread >> np.uint64(27)
    spread *= np.uint64(0x94D049BB133111EB)
    return spread ^ (spread >> np.uint64(31))


def differing_bits(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return in how many bits hashes uint64 [n, 4] differ: int64 [n], 0 to 256."""
    return np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
