"""Pairs of clips with their similarity, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of clips, told by their places in a list.

    Attributes:
        first, second: int64 [p] places; the clip at `first` has the smaller key.
        similarity_1e4: int32 [p].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity_1e4: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.first)


def no_pairs() -> Pairs:
    """Return no pairs."""
    empty = np.empty(0, dtype=np.int64)
    return Pairs(first=empty, second=empty, similarity_1e4=np.empty(0, dtype=np.int32))


def joined(parts: Iterable[Pairs]) -> Pairs:
    """Return all pairs of some parts, as they come."""
    found = [no_pairs(), *parts]
    return Pairs(
        first=np.concatenate([part.first for part in found]),
        second=np.concatenate([part.second for part in found]),
        similarity_1e4=np.concatenate([part.similarity_1e4 for part in found]),
    )


def unique_pairs(pairs: Pairs) -> Pairs:
    """Return each pair once, by its places; one that was found in two cells has one similarity."""
    order = np.lexsort((pairs.second, pairs.first))
    first, second = pairs.first[order], pairs.second[order]
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    return Pairs(first=first[kept], second=second[kept], similarity_1e4=pairs.similarity_1e4[order][kept])
