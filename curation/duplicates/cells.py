"""Cells: parts of the space of embeddings, so that only clips of one cell are compared.

K-means on a sample: Lloyd's algorithm on unit vectors in integers (`curation.duplicates.vectors`), so that equal
samples give equal bytes on every machine, with any number of threads and in any order of the sample. Among many cells
a vector is not compared with all of them, but with those on the list of its nearest router, one of fewer and larger
cells: fitting and assigning cost n * sqrt(cells) and not n * cells.

A clip goes to its nearest cell, its home, and is a guest of further ones whose border is near. Let two vectors of unit
length be delta apart (delta**2 = 2 - 2 * cosine) and have different homes A and B. They lie on different sides of the
plane between the centres, so one of them is within delta / 2 of it: (x.A - x.B) / |A - B| <= delta / 2, which makes it
a guest of the other's home. Comparing each cell's own with each other and with its guests is then enough; guests need
not be compared. The bound counts a difference that points straight at the plane; at BORDER_SHARE of it nearly
nothing is lost (`benchmarks.semantic` counts what is).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.vectors import STEPS, Floats, Steps, as_floats, content_hashes

MAX_CELLS = 8
"""Cells of one clip: its home, and at most seven where it is a guest."""
# Chosen on correlated vectors with planted near copies (`benchmarks.semantic`), to lose at most one pair in a hundred.
BORDER_SHARE = 0.4
SAMPLE_PER_CELL = 40
"""Sample vectors for each cell; faiss asks for 39 or more."""
# Square roots of the number of cells: of 2,500 cells a vector is compared with 200 routers and 1,000 cells.
_ROUTERS, _LISTED = 4, 20
_FLAT = 1_024
"""Up to so many cells each vector is compared with all."""
_ROUNDS = 8
_ROWS = 8_192
_STEP_1E4 = STEPS * STEPS // 10_000
"""A cosine of 1e-4 in products of steps."""

Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Centres of cells, unit vectors in steps.

    Attributes:
        centres: int16 [k, d]; the place of a centre is the number of its cell.
        routers: int16 [r, d]; one router where each vector is compared with all cells.
        lists: int32 [r, l], ascending: the cells that vectors of a router are compared with.
    """

    centres: Steps
    routers: Steps
    lists: NDArray[np.int32]

    def to_bytes(self) -> bytes:
        """Return the cells as three numpy arrays one after another."""
        file = io.BytesIO()
        for array in (self.centres, self.routers, self.lists):
            np.save(file, array, allow_pickle=False)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Cells:
        """Return the cells that `to_bytes` wrote."""
        file = io.BytesIO(data)
        centres, routers, lists = (np.load(file, allow_pickle=False) for _ in range(3))
        return cls(centres=centres, routers=routers, lists=lists)


def border_1e4(threshold_1e4: int) -> int:
    """Return by how much nearer, in 1e-4 of a cosine, a clip's home may be than a cell that it is a guest of."""
    distance = math.sqrt(2.0 - 2.0 * threshold_1e4 / 10_000)
    return max(1, round(10_000 * BORDER_SHARE * distance / 2))


def sample_rows(steps: Steps, rows: int, seed: int = 0) -> Places:
    """Return places of at most `rows` different vectors, chosen and ordered by a hash of their content."""
    hashes, places = np.unique(content_hashes(steps, seed), return_index=True)
    # Sorted by hash already: the first ones are a sample that the order of the vectors has no part in.
    return places[: min(rows, len(hashes))].astype(np.int64)


def fit_cells(sample: Steps, count: int, seed: int = 0) -> Cells:
    """Return `count` cells fitted to a sample int16 [s, d], in any order; fewer where it has fewer different vectors.

    Raises:
        ValueError: the sample is empty or `count` is under 1.
    """
    if count < 1 or len(sample) < 1:
        raise ValueError(f"{count} cells of {len(sample)} vectors; allowed: at least 1 of each")
    sample = sample[sample_rows(sample, len(sample), seed)]
    routers = sample[:1] if count <= _FLAT else _fitted(sample, sample[:1], round(_ROUTERS * math.sqrt(count))).centres
    return _fitted(sample, routers, count)


def _fitted(sample: Steps, routers: Steps, count: int) -> Cells:
    """Return at most `count` cells after a few rounds, beginning with the first vectors of a sample."""
    cells = _routed(sample[:count], routers)
    for _ in range(_ROUNDS):
        cells = _routed(_moved(cells.centres, sample, assign(sample, cells, 10_000)[:, 0]), routers)
    return cells


def _routed(centres: Steps, routers: Steps) -> Cells:
    """Return cells with the nearest ones of each router on its list; equally near ones by their number."""
    size = len(centres) if len(routers) == 1 else min(len(centres), round(_LISTED * math.sqrt(len(centres))))
    near = as_floats(routers) @ as_floats(centres).T
    lists = np.sort(np.argsort(-near, axis=1, kind="stable")[:, :size], axis=1).astype(np.int32)
    return Cells(centres=centres, routers=routers, lists=lists)


def _moved(centres: Steps, sample: Steps, homes: NDArray[np.int32]) -> Steps:
    """Return centres in the middle of the vectors that are at home there; one that has none stays where it is."""
    moved = centres.copy()
    order = np.argsort(homes, kind="stable")
    cells, starts = np.unique(homes[order], return_index=True)
    for cell, own in zip(cells, np.split(order, starts[1:]), strict=True):
        total = sample[own].sum(axis=0, dtype=np.int64).astype(np.float64)
        length = math.sqrt(float(np.square(total).sum()))
        if length > 0:
            moved[cell] = np.rint(total * (STEPS / length))
    return moved


def assign(steps: Steps, cells: Cells, threshold_1e4: int) -> NDArray[np.int32]:
    """Return int32 [n, MAX_CELLS]: each vector's home, then the cells that it is a guest of, the nearest first.

    -1 stands for none. A function of each vector alone: how vectors are grouped into calls has no part in it, except
    that routers want tens of thousands at a time to be quick. Equally near cells come in the order of their numbers.
    """
    border = border_1e4(threshold_1e4) * _STEP_1E4
    table = np.empty((len(steps), MAX_CELLS), dtype=np.int32)
    for places, listed in _routes(steps, cells):
        centres = as_floats(cells.centres[listed]).T
        for start in range(0, len(places), _ROWS):
            own = places[start : start + _ROWS]
            table[own] = _nearest_cells(as_floats(steps[own]) @ centres, listed, border)
    return table


def _routes(steps: Steps, cells: Cells) -> Iterator[tuple[Places, NDArray[np.int32]]]:
    """Yield (places of vectors, cells to compare them with)."""
    routers = as_floats(cells.routers).T
    if len(cells.routers) == 1:
        yield np.arange(len(steps)), cells.lists[0]
        return
    blocks = [(as_floats(steps[start : start + _ROWS]) @ routers).argmax(1) for start in range(0, len(steps), _ROWS)]
    nearest = np.concatenate([np.empty(0, dtype=np.int64), *blocks])
    order = np.argsort(nearest, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(nearest[order])) + 1):
        if len(own):
            yield own, cells.lists[nearest[own[0]]]


def _nearest_cells(near: Floats, listed: NDArray[np.int32], border: int) -> NDArray[np.int32]:
    """Return int32 [r, MAX_CELLS] for products [r, l] of vectors and the listed cells."""
    bars = near.max(axis=1) - border
    many = np.count_nonzero(near >= bars[:, None], axis=1) > 2 * MAX_CELLS
    if many.any():
        bars[many] = np.partition(near[many], -MAX_CELLS, axis=1)[:, -MAX_CELLS]
    flat = np.flatnonzero(near >= bars[:, None])
    places, columns = np.divmod(flat, len(listed))
    order = np.lexsort((columns, -near.ravel()[flat], places))
    places, columns = places[order], columns[order]
    ranks = np.arange(len(places)) - np.searchsorted(places, places)
    kept = ranks < MAX_CELLS
    table = np.full((len(near), MAX_CELLS), -1, dtype=np.int32)
    table[places[kept], ranks[kept]] = listed[columns[kept]]
    return table
