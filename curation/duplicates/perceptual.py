"""Perceptual duplicates: copies of clips by their frame hashes and the order of these in time.

In a job: `post` for each group of clips; the postings of a key together to `collide`; candidates with the signatures
of both clips to `verify`. In memory: `find_pairs`, which does the three.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.collisions import Candidates, CollisionCounts, collide, unique_candidates
from curation.duplicates.frame_agreement import agreement
from curation.duplicates.frame_alignment import STRANGE_BITS, Fit, Laid, Side, fit, overlap_lengths, side_of
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.postings import SLOTS, frames_to_post, post, post_slot
from curation.duplicates.signatures import BadSignatures, Signatures, pack_signatures

__all__ = [
    "Candidates",
    "Copies",
    "PerceptualOptions",
    "Signatures",
    "collide",
    "find_pairs",
    "pack_signatures",
    "post",
    "verify",
]

LOOKED_AT = 4
"""A candidate is looked at closer where one in so many of the hashes on each other match."""
MIN_HASHES = 4
"""Matching hashes, of a second, from which on timing tells something."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """Pairs of clips that are copies, each once, sorted.

    Attributes:
        first, second: int64 [p], clip numbers, in the order that the candidates have them.
        similarity_1e4: int32 [p], as `frame_agreement.Agreement` has it.
        offset: int32 [p]: hash i of the first lies on hash i - offset of the second.
        hashes: int32 [p], of the overlap.
        timing_1e2: int32 [p], agreement in time (`frame_agreement.Agreement`).
        counts: how the candidates came about, where they were looked for here.
    """

    first: Ints
    second: Ints
    similarity_1e4: NDArray[np.int32]
    offset: NDArray[np.int32]
    hashes: NDArray[np.int32]
    timing_1e2: NDArray[np.int32]
    counts: CollisionCounts = field(default_factory=CollisionCounts)

    def __len__(self) -> int:
        return len(self.first)


def find_pairs(signatures: Signatures, options: PerceptualOptions, against: Signatures | None = None) -> Copies:
    """Return the copies among clips; with `against`, the pairs of one of them with one of the old clips, no others.

    Raises:
        BadSignatures: a clip is new and old.
    """
    if against is not None and len(np.intersect1d(signatures.clips, against.clips)):
        raise BadSignatures("a clip is among the new ones and the old ones; take it from one of them")
    kept = frames_to_post(signatures, options)
    kept_old = None if against is None else frames_to_post(against, options)
    parts, counts = [], CollisionCounts()
    for slot in range(SLOTS):
        old = None if against is None or kept_old is None else post_slot(against, kept_old, slot)
        found = collide(post_slot(signatures, kept, slot), options, old)
        parts.append(found.candidates)
        counts += found.counts
    copies = verify(unique_candidates(parts), signatures, options, against)
    return Copies(**{**vars(copies), "counts": counts})


def verify(
    candidates: Candidates, signatures: Signatures, options: PerceptualOptions, against: Signatures | None = None
) -> Copies:
    """Return the candidates that are copies, each pair once at the offset that fits best.

    Args:
        signatures: of the first clips at least, and without `against` of the second ones too.
        against: of the second clips.

    Raises:
        BadSignatures: a candidate's clip has no signature.
    """
    first = side_of(signatures, options)
    second = first if against is None else side_of(against, options)
    rows = signatures.rows_of(candidates.first), second.signatures.rows_of(candidates.second)
    laid = Laid(*rows, candidates.offset.astype(np.int64))
    close = fit(first, second, laid, options.frame_bits)
    likely = np.flatnonzero((close.matched > 0) & (LOOKED_AT * close.matched >= close.hashes))
    laid = _best(first, second, laid.take(likely), close.take(likely))
    laid = _around(first, second, laid, options.reach)
    close = fit(first, second, laid, options.frame_bits)
    enough = np.flatnonzero(_overlaps(close, options))
    laid = _best(first, second, laid.take(enough), close.take(enough))
    return _judged(first, second, laid, options)


def _best(first: Side, second: Side, laid: Laid, close: Fit) -> Laid:
    """Return each pair once, at the offset of least cost; the smaller one of two."""
    # of two opposite offsets, the one that is positive for the clip of the smaller number: the sides do not matter
    rising = first.signatures.clips[laid.first] < second.signatures.clips[laid.second]
    signed = np.where(rising, laid.offset, -laid.offset)
    order = np.lexsort((-signed, np.abs(laid.offset), close.cost(), laid.second, laid.first))
    ordered = laid.take(order)
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = (np.diff(ordered.first) != 0) | (np.diff(ordered.second) != 0)
    return ordered.take(kept)


def _around(first: Side, second: Side, laid: Laid, reach: int) -> Laid:
    """Return pairs at all offsets within reach of their own at which they touch."""
    steps = np.arange(-reach, reach + 1)
    offsets = (laid.offset[:, None] + steps).ravel()
    spread = Laid(np.repeat(laid.first, len(steps)), np.repeat(laid.second, len(steps)), offsets)
    return spread.take(overlap_lengths(first, second, spread) > 0)


def _overlaps(close: Fit, options: PerceptualOptions) -> NDArray[np.bool_]:
    """Return whether enough of the shorter clip lies on the other, and most of that matches."""
    return (
        (close.matched > 0)
        & (10_000 * close.matched >= options.min_overlap_1e4 * close.shorter)
        & (10_000 * close.matched >= options.min_matched_1e4 * close.hashes)
    )


def _judged(first: Side, second: Side, laid: Laid, options: PerceptualOptions) -> Copies:
    """Return the pairs that are copies at the offset they have."""
    close = fit(first, second, laid, options.frame_bits)
    agrees = agreement(first, second, laid, options.frame_bits)
    lacking = np.maximum(options.min_timing_1e2 - agrees.timing_1e2, 0)
    in_time = (agrees.matched >= MIN_HASHES) & (lacking == 0)
    unexplained_1e4 = (
        100 * options.motion_bits * agrees.motion_1e2 * lacking // (STRANGE_BITS * max(options.min_timing_1e2, 1))
    )
    alike = agrees.similarity_1e4 - unexplained_1e4 >= options.min_similarity_1e4
    long = 10_000 * agrees.matched >= options.still_overlap_1e4 * close.longer
    are = np.flatnonzero(alike & (in_time | long))
    one, other = first.signatures.clips[laid.first], second.signatures.clips[laid.second]
    are = are[np.lexsort((other[are], one[are]))]
    return Copies(
        first=one[are],
        second=other[are],
        similarity_1e4=agrees.similarity_1e4[are].astype(np.int32),
        offset=laid.offset[are].astype(np.int32),
        hashes=agrees.hashes[are].astype(np.int32),
        timing_1e2=agrees.timing_1e2[are].astype(np.int32),
    )
