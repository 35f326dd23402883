"""The clips of one small cell compared: tiles of a matrix product, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.duplicates.pairs import Pairs, joined, unique_pairs
from curation.duplicates.vectors import Floats, Steps, as_floats, similarities_1e4

# A tile of 4 MB; one of 256 rows is as fast as a larger one and leaves out nearly half of a square.
TILE_ROWS = 256
TILE_COLUMNS = 4_096
# Far above what float32 loses on a cosine, far below the half of 1e-4 that decides.
_UNSURE = 1e-6

Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """Clips to compare.

    Attributes:
        steps, lengths: int16 [n, d] vectors of these clips and maybe others, and float64 [n] of `lengths_of`.
        rows: int64 [m]: which of them.
        roles: int64 [m] bits, descending; two clips are compared when every bit of `full` is set in one of them.
        threshold_1e4: cosine in 1e-4 from which a pair is told.
        first_rows: compare only pairs that have one of so many first clips.
    """

    steps: Steps
    lengths: NDArray[np.float64]
    rows: Places
    roles: NDArray[np.int64]
    full: int
    threshold_1e4: int
    first_rows: int

    def floats(self, start: int, end: int) -> Floats:
        """Return the vectors in [start, end) as float32."""
        return as_floats(self.steps[self.rows[start:end]])


@dataclass(frozen=True)
class _Tile:
    """Products of rows [row, row + r) with columns [column, column + c), float32 [r, c].

    A pair that is not to be compared has -inf.
    """

    row: int
    column: int
    products: Floats


def compared_pairs(roles: NDArray[np.int64], full: int) -> int:
    """Return how many pairs there are whose roles make `full` together."""
    values, counts = np.unique(roles, return_counts=True)
    sizes = dict(zip(values.tolist(), counts.tolist(), strict=True))
    pairs = sizes.get(full, 0) * (sizes.get(full, 0) - 1) // 2
    for one, size in sizes.items():
        pairs += sum(size * sizes[other] for other in sizes if other < one and one | other == full)
    return pairs


def _ranges(leaf: Leaf) -> Iterator[tuple[int, int, int, int]]:
    """Yield (row, last row, column, last column) of what is compared.

    Among clips with all bits, columns begin at the row; other clips are compared with those of further roles only.
    """
    values, starts = np.unique(-leaf.roles, return_index=True)
    groups = list(zip((-values).tolist(), starts.tolist(), [*starts[1:].tolist(), len(leaf.roles)], strict=True))
    for place, (role, start, end) in enumerate(groups):
        partners = [(first, last) for other, first, last in groups[place + 1 :] if role | other == leaf.full]
        last_row = min(end, leaf.first_rows)
        for row in range(start, last_row, TILE_ROWS):
            columns = [(row, len(leaf.roles))] if role == leaf.full else partners
            yield from ((row, min(row + TILE_ROWS, last_row), first, last) for first, last in columns)


def _tiles(leaf: Leaf) -> Iterator[_Tile]:
    """Yield products; a tile is good until the next one is asked for."""
    ranges = list(_ranges(leaf))
    room = np.empty(TILE_ROWS * TILE_COLUMNS, dtype=np.float32)
    upper = np.tri(TILE_ROWS, dtype=bool)
    for start in range(0, len(leaf.roles), TILE_COLUMNS):
        end = min(start + TILE_COLUMNS, len(leaf.roles))
        columns = leaf.floats(start, end)
        for row, last_row, column, last_column in ranges:
            first, last = max(column, start), min(last_column, end)
            if first >= last:
                continue
            inside = start <= row and last_row <= end
            rows = columns[row - start : last_row - start] if inside else leaf.floats(row, last_row)
            shape = (last_row - row, last - first)
            products = room[: shape[0] * shape[1]].reshape(shape)
            np.matmul(rows, columns[first - start : last - start].T, out=products)
            if first == row:
                products[:, : shape[0]][upper[: shape[0], : shape[0]]] = -np.inf
            yield _Tile(row, first, products)


def every_pair(leaf: Leaf, most: int) -> Pairs | None:
    """Return every pair at or above the threshold, or None where there are about more than `most`.

    "About": pairs within some 1e-4 below the threshold are counted too. The count is exact and the same everywhere.
    """
    if not len(leaf.roles):
        return joined([])
    lengths = leaf.lengths[leaf.rows]
    # Rounding to 1e-4 takes 0.5 of a step off at most; the exact similarity decides below.
    least = np.float32(np.floor((leaf.threshold_1e4 - 1) * float(lengths.min()) ** 2 / 10_000))
    found: list[Pairs] = []
    total = 0
    for tile in _tiles(leaf):
        flat = tile.products.ravel()
        near = flat >= least
        total += int(np.count_nonzero(near))
        if total > most:
            return None
        hits = np.flatnonzero(near)
        if len(hits):
            first, second = np.divmod(hits, tile.products.shape[1])
            found.append(_told(leaf, lengths, (first + tile.row, second + tile.column), flat[hits]))
    return joined(found)


def _told(leaf: Leaf, lengths: NDArray[np.float64], ends: tuple[Places, Places], products: Floats) -> Pairs:
    """Return those of some pairs that are at or above the threshold."""
    similarities = similarities_1e4(products, lengths[ends[0]], lengths[ends[1]])
    kept = similarities >= leaf.threshold_1e4
    return Pairs(first=ends[0][kept], second=ends[1][kept], similarity_1e4=similarities[kept])


@dataclass
class _Thinned:
    """What is kept of many pairs.

    Attributes:
        best: float32 [m] cosine of each clip's strongest pair so far; -inf before the first.
        labels: int32 [m]; clips that hang together have one label.
        ends: (firsts, seconds, products) of pairs of the forest.
    """

    best: Floats
    strongest: Places
    strongest_products: Floats
    labels: NDArray[np.int32]
    ends: list[tuple[Places, Places, Floats]] = field(default_factory=list)


def strongest_and_forest(leaf: Leaf) -> Pairs:
    """Return each clip's strongest pair at or above the threshold, and pairs that hold the components together.

    At most three pairs for each clip, however many there are. Strength is a float32 cosine; of equally strong ones
    the first by place is kept.
    """
    size = len(leaf.roles)
    lengths = leaf.lengths[leaf.rows]
    kept = _Thinned(
        best=np.full(size, -np.inf, dtype=np.float32),
        strongest=np.zeros(size, dtype=np.int64),
        strongest_products=np.zeros(size, dtype=np.float32),
        labels=np.arange(size, dtype=np.int32),
    )
    for tile in _tiles(leaf):
        cosines = _near_cosines(leaf, tile, lengths)
        _take_strongest(kept, tile, cosines)
        _join(kept, tile, cosines > -np.inf)
    having = np.flatnonzero(kept.best > -np.inf)
    ends = [*kept.ends, (having, kept.strongest[having], kept.strongest_products[having])]
    first, second, products = (np.concatenate(part) for part in zip(*ends, strict=True))
    return unique_pairs(_told(leaf, lengths, (np.minimum(first, second), np.maximum(first, second)), products))


def _near_cosines(leaf: Leaf, tile: _Tile, lengths: NDArray[np.float64]) -> Floats:
    """Return the cosines of a tile, float32 and -inf below the threshold; the exact ones decide what is close to it."""
    rows, columns = tile.products.shape
    own, theirs = lengths[tile.row : tile.row + rows], lengths[tile.column : tile.column + columns]
    cosines = tile.products * (1.0 / own).astype(np.float32)[:, None]
    cosines *= (1.0 / theirs).astype(np.float32)
    bound = (leaf.threshold_1e4 - 0.5) / 10_000
    first, second = np.nonzero((cosines > np.float32(bound - _UNSURE)) & (cosines < np.float32(bound + _UNSURE)))
    near = cosines >= np.float32(bound)
    exact = similarities_1e4(tile.products[first, second], own[first], theirs[second])
    near[first, second] = exact >= leaf.threshold_1e4
    cosines[~near] = -np.inf
    return cosines


def _take_strongest(kept: _Thinned, tile: _Tile, cosines: Floats) -> None:
    rows, columns = np.arange(cosines.shape[0]), np.arange(cosines.shape[1])
    # A clip's partners among the rows come before those among the columns, and the first of equally strong ones stays.
    for axis in (0, 1):
        other = cosines.argmax(axis=axis)
        first, second = (rows, other) if axis else (other, columns)
        own = (rows + tile.row) if axis else (columns + tile.column)
        better = cosines[first, second] > kept.best[own]
        kept.best[own[better]] = cosines[first, second][better]
        kept.strongest[own[better]] = (second + tile.column if axis else first + tile.row)[better]
        kept.strongest_products[own[better]] = tile.products[first, second][better]


def _join(kept: _Thinned, tile: _Tile, near: NDArray[np.bool_]) -> None:
    """Add pairs of a tile to the forest until none of it joins two components."""
    rows, columns = near.shape
    while True:
        own = kept.labels[tile.row : tile.row + rows]
        theirs = kept.labels[tile.column : tile.column + columns]
        cross = near & (own[:, None] != theirs)
        if not cross.any():
            return
        first, second = _one_each(cross, own)
        other_second, other_first = _one_each(cross.T, theirs)
        first, second = np.append(first, other_first), np.append(second, other_second)
        kept.ends.append((first + tile.row, second + tile.column, tile.products[first, second]))
        size = len(kept.labels)
        ones = np.ones(len(first), dtype=bool)
        graph = coo_array((ones, (own[first], theirs[second])), shape=(size, size))
        kept.labels = connected_components(graph, directed=False)[1][kept.labels]


def _one_each(cross: NDArray[np.bool_], labels: NDArray[np.int32]) -> tuple[Places, Places]:
    """Return the first row of each label that has a pair in bool [r, c], and the first column of that pair."""
    having = np.flatnonzero(cross.any(axis=1))
    _, first = np.unique(labels[having], return_index=True)
    rows = having[first]
    return rows, cross[rows].argmax(axis=1)
