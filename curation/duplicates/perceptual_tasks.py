"""What the duplicates job does with frame hashes, as functions of tables.

A clip of another group is told by a reference (`curation.duplicates.clips.references`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.duplicates.clips import ROW_BITS, references
from curation.duplicates.collisions import Candidates, Collisions, collide, unique_candidates
from curation.duplicates.edges import EdgeKind, ordered
from curation.duplicates.perceptual import verify
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.postings import Keys, Postings, distinct, join_postings, partition_of, post
from curation.duplicates.signatures import STEP_MS, Signatures
from schemas import duplicates as policies

Counts = dict[str, int]
LookUp = Callable[[Keys], Postings]
PAIR_SCHEMA = pl.Schema(
    {"group": pl.Int64, "clip": pl.Int64, "other": pl.Int64, "other_clip": pl.Int64, "offset": pl.Int32}
)


def perceptual_options(policy: policies.PerceptualOptions) -> PerceptualOptions:
    """Return the kernel's options."""
    return PerceptualOptions(
        min_similarity_1e4=round(policy.min_similarity * 10_000), min_overlap_1e4=round(policy.min_share * 10_000)
    )


def posting_rows(signatures: Signatures, policy: policies.PerceptualOptions, bits: int) -> tuple[pl.DataFrame, Counts]:
    """Return postings of frame hashes with their `part`, and how many hashes are posted."""
    found = post(signatures, perceptual_options(policy))
    rows = {"part": partition_of(found.key, 1 << bits), "key": found.key, "clip": found.clip, "frame": found.frame}
    return pl.DataFrame(rows), {"hashes": len(signatures.quality), "postings": len(found)}


def collide_postings(
    frames: Sequence[pl.DataFrame],
    firsts: tuple[int, int],
    policy: policies.PerceptualOptions,
    look_up: Sequence[LookUp] = (),
) -> tuple[pl.DataFrame, Counts]:
    """Return PAIR_SCHEMA of clips that may look the same, of which `group` and `clip` tell a new one.

    Args:
        firsts: the places of the first group of the base and of the first one of benchmarks: two clips of them are no
            pair, and those of one crowd those of the other out of no bucket.
        look_up: each returns the postings of an indexed base under some keys, which ascend.
    """
    rows = pl.concat(list(frames))
    base, benchmarks = (pl.col("clip") >= references(first, np.zeros(1, dtype=np.int64))[0] for first in firsts)
    told, options = postings_of(rows.filter(~base)), perceptual_options(policy)
    found = collide(told, options)
    keys = distinct(told.key) if look_up else told.key
    old = join_postings([postings_of(rows.filter(base & ~benchmarks)), *(find(keys) for find in look_up)])
    for against in (old, postings_of(rows.filter(benchmarks))):
        if len(against):
            found = _both(found, collide(told, options, against))
    candidates = found.candidates
    pairs = pl.DataFrame(
        {
            "group": candidates.first >> ROW_BITS,
            "clip": candidates.first,
            "other": candidates.second >> ROW_BITS,
            "other_clip": candidates.second,
            "offset": candidates.offset,
        },
        schema=PAIR_SCHEMA,
    )
    counts = {f"perceptual_{name}": number for name, number in asdict(found.counts).items()}
    return pairs, counts


def postings_of(rows: pl.DataFrame) -> Postings:
    """Return postings that `posting_rows` told."""
    return Postings(rows["key"].to_numpy(), rows["clip"].to_numpy(), rows["frame"].to_numpy())


def _both(among: Collisions, between: Collisions) -> Collisions:
    return Collisions(unique_candidates([among.candidates, between.candidates]), among.counts + between.counts)


def pairs_by_group(frames: Sequence[pl.DataFrame]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield (other group, its pairs), each once: several parts may find the same."""
    rows = pl.concat(list(frames)).select("other", "clip", "other_clip", "offset").unique()
    for (other,), own in sorted(rows.partition_by("other", as_dict=True, include_key=False).items()):
        yield int(other), own.sort("clip", "other_clip", "offset")


def verify_pairs(
    pairs: pl.DataFrame, left: Signatures, right: Signatures | None, policy: policies.PerceptualOptions
) -> tuple[pl.DataFrame, Counts]:
    """Return the pairs that hold: `row`, `other_row`, `similarity_1e4`, `offset_ms`; and how many were looked at.

    Args:
        right: of the other group; None where both clips are of one.
    """
    candidates = Candidates(pairs["clip"].to_numpy(), pairs["other_clip"].to_numpy(), pairs["offset"].to_numpy())
    found = verify(candidates, left, perceptual_options(policy), right)
    row = np.int64((1 << ROW_BITS) - 1)
    rows = {
        "row": found.first & row,
        "other_row": found.second & row,
        "similarity_1e4": found.similarity_1e4,
        "offset_ms": found.offset * np.int32(STEP_MS),
    }
    return pl.DataFrame(rows), {"perceptual_verified": pairs.height}


def name_nodes(pairs: pl.DataFrame, own: NDArray[np.bytes_], other: NDArray[np.bytes_]) -> pl.DataFrame:
    """Return EDGES of kind `perceptual` from pairs of rows of two groups."""
    return ordered(
        pairs.select(
            a=pl.Series(own[pairs["row"].to_numpy()].astype("U64")),
            b=pl.Series(other[pairs["other_row"].to_numpy()].astype("U64")),
            kind=pl.lit(EdgeKind.PERCEPTUAL.value),
            similarity_1e4="similarity_1e4",
            offset_ms="offset_ms",
        )
    )
