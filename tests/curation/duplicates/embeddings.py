"""Embeddings to search, and what comparing all of them finds: integers and float64, one pair at a time in effect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.duplicates.pairs import Pairs
from curation.duplicates.vectors import Steps, quantise

Found = dict[tuple[Any, Any], int]


def strangers(count: int, dimensions: int = 32, seed: int = 0) -> Steps:
    """Return vectors in random directions."""
    return quantise(np.random.default_rng(seed).standard_normal((count, dimensions), dtype=np.float32))


def around(middles: Steps, each: int, cosine: float, seed: int = 0) -> Steps:
    """Return `each` vectors for each middle, at about a cosine from it and at its square from each other."""
    generator = np.random.default_rng(seed)
    units = np.repeat(middles / 4_000, each, axis=0)
    noise = generator.standard_normal(units.shape) / np.sqrt(units.shape[1])
    return quantise((units * cosine + noise * np.sqrt(1 - cosine**2)).astype(np.float32))


def exact_similarities(steps: Steps) -> NDArray[np.int64]:
    """Return int64 [n, n] similarities in 1e-4."""
    # float64 holds integers up to 2**53, so that no product is rounded.
    wide = steps.astype(np.float64)
    lengths = np.sqrt(np.square(wide).sum(axis=1))
    return np.rint((wide @ wide.T) * 10_000 / np.outer(lengths, lengths)).astype(np.int64)


def all_pairs(
    keys: NDArray[Any],
    steps: Steps,
    threshold_1e4: int,
    *,
    home: NDArray[np.bool_] | None = None,
    new: NDArray[np.bool_] | None = None,
) -> Found:
    """Return the similarity of each pair of keys at or above a threshold that has one at home and a new one."""
    everyone = np.ones(len(keys), dtype=bool)
    home, new = everyone if home is None else home, everyone if new is None else new
    similarities = exact_similarities(steps)
    wanted = (similarities >= threshold_1e4) & np.logical_or.outer(home, home) & np.logical_or.outer(new, new)
    first, second = np.nonzero(np.triu(wanted, 1))
    return by_key(keys, zip(first, second, similarities[first, second], strict=True))


def by_key(keys: NDArray[Any], pairs: Iterable[tuple[int, int, int]]) -> Found:
    """Return pairs of places by their keys, the smaller one first."""
    names = keys.tolist()
    told = ((*sorted((names[first], names[second])), int(similarity)) for first, second, similarity in pairs)
    return {(first, second): similarity for first, second, similarity in told}


def found_pairs(keys: NDArray[Any], pairs: Pairs) -> Found:
    """Return pairs that a search told; each must be told once, with the smaller key first."""
    found = by_key(keys, zip(pairs.first, pairs.second, pairs.similarity_1e4, strict=True))
    assert len(found) == len(pairs)
    assert (keys[pairs.first] < keys[pairs.second]).all()
    return found


def strongest(found: Found) -> dict[Any, int]:
    """Return the similarity of each clip's strongest pair."""
    best: dict[Any, int] = {}
    for pair, similarity in found.items():
        for one in pair:
            best[one] = max(best.get(one, similarity), similarity)
    return best


def components(count: int, found: Iterable[tuple[int, int]]) -> list[int]:
    """Return the smallest member of each one's component, for keys 0 to count."""
    ends = np.array(list(found), dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    _, smallest = np.unique(labels, return_index=True)
    return [int(smallest[label]) for label in labels]
