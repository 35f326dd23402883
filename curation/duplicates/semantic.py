"""Semantic duplicates: clips whose embeddings are near, found inside cells.

In a job: `fit_cells` on a sample, `assign` for each group of clips, then `search_cell` for each cell with all of its
clips. In memory: `near_pairs`, which does the three.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.cell_search import CellPairs, Members, SearchCounts, members_of_cells, search_cell
from curation.duplicates.cells import SAMPLE_PER_CELL, Cells, assign, fit_cells, sample_rows
from curation.duplicates.pairs import joined, unique_pairs
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.tiles import Places
from curation.duplicates.vectors import Steps


def cell_count(clips: int, options: SearchOptions) -> int:
    """Return how many cells so many clips get."""
    return max(1, round(clips / options.cell_clips))


def cells_for(steps: Steps, options: SearchOptions) -> Cells:
    """Return cells for vectors int16 [n, d] of a whole corpus, fitted to a sample of them."""
    count = cell_count(len(steps), options)
    return fit_cells(steps[sample_rows(steps, count * SAMPLE_PER_CELL, options.seed)], count, options.seed)


def near_pairs(
    keys: NDArray[Any],
    steps: Steps,
    options: SearchOptions,
    *,
    cells: Cells | None = None,
    new: NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> CellPairs:
    """Return the pairs of clips at or above the threshold, each once, by their places.

    Args:
        keys: [n] names of the clips, unique and sortable, such as numbers or bytes of one length.
        steps: int16 [n, d] of `curation.duplicates.vectors.quantise`; may be a memory map.
        cells: fitted before; None fits them here.
        new: bool [n]; only pairs with a new clip are looked for. None: all are new.
        threads: cells searched at a time; the result is the same for any. Let BLAS have one thread then.
    """
    if not len(keys):
        return CellPairs(pairs=joined([]), counts=SearchCounts())
    cells = cells_for(steps, options) if cells is None else cells
    assigned = assign(steps, cells, options.threshold_1e4)
    wanted = np.ones(len(keys), dtype=bool) if new is None else new

    def search(cell: tuple[int, Places, NDArray[np.bool_]]) -> CellPairs:
        _, places, home = cell
        members = Members(keys=keys[places], steps=steps[places], home=home, new=wanted[places])
        return search_cell(members, options).at(places)

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(search, members_of_cells(assigned)))
    counts = sum((part.counts for part in found), start=SearchCounts())
    return CellPairs(pairs=unique_pairs(joined(part.pairs for part in found)), counts=counts)
