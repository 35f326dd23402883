"""Our two ways to find duplicates: the perceptual one as it comes, the semantic one with its threshold wide open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.copies.looks import Look
from benchmarks.copies.peers import Found
from curation.duplicates.perceptual import PerceptualOptions, find_pairs, pack_signatures
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.semantic import near_pairs
from curation.duplicates.vectors import quantise

SEMANTIC_LOWEST_1E4 = 5_000


def perceptual(looks: Sequence[Look]) -> Found:
    """Return the pairs that the perceptual search finds with its defaults."""
    signatures = pack_signatures([look.frame_hashes for look in looks], [look.hash_quality for look in looks])
    return _found(find_pairs(signatures, PerceptualOptions()), fixed=True)


def semantic(vectors: NDArray[np.float32]) -> Found:
    """Return the pairs that the semantic search finds in its cells, down to a low cosine and none thinned out."""
    options = SearchOptions(threshold_1e4=SEMANTIC_LOWEST_1E4, pairs_per_clip=10_000)
    return _found(near_pairs(np.arange(len(vectors)), quantise(vectors), options).pairs, fixed=False)


def _found(pairs: object, *, fixed: bool) -> Found:
    first, second = pairs.first, pairs.second
    similarity = pairs.similarity_1e4.astype(np.int64)
    return Found(np.minimum(first, second), np.maximum(first, second), similarity, fixed=fixed)
