"""Other ways to find duplicates, on the same clips: one hash for a clip, and SemDeDup's rule."""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

MOST_BITS = 24
"""Pairs of 64-bit hashes that differ in more are not looked at: strangers differ in 32 on average."""
SEMDEDUP_CELL = 100
"""Clips in a cell on average. SemDeDup's configuration has 50,000 cells for 440 M pictures, NeMo's guide 1,000 or more;
on a set as small as this one either would put every clip in a cell of its own."""
SEMDEDUP_LOWEST = 0.3


@dataclass(frozen=True)
class Found:
    """Pairs that a method finds, with similarities that a threshold can be put to; row < column, each pair once.

    Attributes:
        rows: int64 [N].
        columns: int64 [N].
        similarity_1e4: int64 [N].
        note: about the method.
        fixed: the method decides by itself what is joined, and all of these are; no threshold is put to it.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    similarity_1e4: NDArray[np.int64]
    note: str = ""
    fixed: bool = False


def near_hashes(bits: NDArray[np.bool_], note: str) -> Found:
    """Return all pairs of hashes (bool [clips, 64]) that differ in few bits, by comparing all with all."""
    signs = np.where(bits, 1, -1).astype(np.int32)
    distance = (bits.shape[1] - signs @ signs.T) // 2
    rows, columns = np.nonzero(np.triu(distance <= MOST_BITS, 1))
    similarity = 10_000 - distance[rows, columns].astype(np.int64) * 10_000 // bits.shape[1]
    return Found(rows.astype(np.int64), columns.astype(np.int64), similarity, note)


def semdedup(vectors: NDArray[np.float32]) -> Found:
    """Return the pairs that SemDeDup compares: those of one k-means cell, by their cosine.

    Args:
        vectors: float32 [clips, D], normalised.
    """
    cells = max(1, len(vectors) // SEMDEDUP_CELL)
    kmeans = faiss.Kmeans(vectors.shape[1], cells, niter=100, seed=1, spherical=True, verbose=False)
    kmeans.cp.min_points_per_centroid = 1
    kmeans.train(vectors)
    cell = kmeans.index.search(vectors, 1)[1][:, 0]
    cosines = vectors @ vectors.T
    rows, columns = np.nonzero(np.triu((cosines >= SEMDEDUP_LOWEST) & (cell[:, None] == cell[None, :]), 1))
    similarity = np.rint(10_000 * cosines[rows, columns]).astype(np.int64)
    note = f"{cells} cells, pairs of one cell only"
    return Found(rows.astype(np.int64), columns.astype(np.int64), similarity, note)
