"""Near pairs inside one cell: blocked matrix products, with a bound on what a hot cell may cost and may find.

A cell with too many pairs to compare is made smaller in steps, each of which is counted:

1. Of many equal vectors one stands for all; the others are joined to it.
2. All are compared with the first 256 clips. If most hang together through these, they are a crowd: one component,
   whatever else is compared inside it, and so nothing else is.
3. K-means among the cell's clips, and each in its nearest cells again (`curation.duplicates.cells`).
4. Where that does not help, because vectors hardly differ, each clip is compared with the first 256 only.

Nothing depends on the order in which clips come: they are sorted by key first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.duplicates.cells import SAMPLE_PER_CELL, assign, fit_cells, sample_rows
from curation.duplicates.pairs import Pairs, joined, unique_pairs
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.tiles import Leaf, Places, compared_pairs, every_pair, strongest_and_forest
from curation.duplicates.vectors import Steps, content_hashes, lengths_of

PIVOTS = 256
_MAX_BITS = 8
# A crowd is set apart, and a cell split, if that leaves at most this share of its pairs to compare.
_WORTH = 0.7
_NEW, _HOME, _OLD = 1, 2, 4


@dataclass(frozen=True, kw_only=True)
class Members:
    """The clips of one cell.

    Attributes:
        keys: [m] names of the clips, unique and sortable.
        steps: int16 [m, d].
        home: bool [m]; false for a guest. Two guests are not compared.
        new: bool [m]; two clips that are not new are not compared.
    """

    keys: NDArray[Any]
    steps: Steps
    home: NDArray[np.bool_]
    new: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class SearchCounts:
    """What a search did; counts of cells add up.

    Attributes:
        cells: searched, those that were split not counted.
        compared: pairs of clips that were multiplied.
        split: cells with too many pairs.
        equal: clips for which an equal one stood.
        crowded: clips of a crowd, compared with the first 256 of their cell and with all outside the crowd.
        pivoted: clips of cells that splitting did not help, compared with the first 256 only.
        thinned: cells that found too many pairs, and tell only each clip's strongest one and a forest.
    """

    cells: int = 0
    compared: int = 0
    split: int = 0
    equal: int = 0
    crowded: int = 0
    pivoted: int = 0
    thinned: int = 0

    def __add__(self, other: SearchCounts) -> SearchCounts:
        return SearchCounts(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass(frozen=True, kw_only=True)
class CellPairs:
    """Pairs found, by places of the clips that were given, and what it took."""

    pairs: Pairs
    counts: SearchCounts

    def at(self, places: Places) -> CellPairs:
        """Return the same with places of another list: clip i of this one is at places[i] there."""
        pairs = Pairs(
            first=places[self.pairs.first],
            second=places[self.pairs.second],
            similarity_1e4=self.pairs.similarity_1e4,
        )
        return CellPairs(pairs=pairs, counts=self.counts)


def search_cell(members: Members, options: SearchOptions, *, between: bool = False) -> CellPairs:
    """Return the pairs of a cell at or above the threshold that hold a new clip and one at home; each once.

    A pair whose two clips are each a guest of the other's home is found in both cells (`unique_pairs`).

    Args:
        between: compare new clips with those that are not new only; of many equal ones two new ones may be told too.
    """
    order = np.argsort(members.keys, kind="stable")
    roles = (members.new[order] * _NEW + members.home[order] * _HOME).astype(np.int64)
    if between:
        roles += ~members.new[order] * _OLD
    clips = _Clips(steps=members.steps, lengths=lengths_of(members.steps))
    everyone = _Group(rows=order, roles=roles, bits=3 if between else 2)
    found = list(_search(clips, everyone, options))
    counts = sum((part.counts for part in found), start=SearchCounts())
    pairs = joined(part.pairs for part in found)
    swapped = members.keys[pairs.first] > members.keys[pairs.second]
    by_key = Pairs(
        first=np.where(swapped, pairs.second, pairs.first),
        second=np.where(swapped, pairs.first, pairs.second),
        similarity_1e4=pairs.similarity_1e4,
    )
    return CellPairs(pairs=unique_pairs(by_key), counts=counts)


@dataclass(frozen=True, kw_only=True)
class _Clips:
    """Vectors of the clips of a cell: int16 [m, d], and float64 [m] lengths."""

    steps: Steps
    lengths: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Clips of a cell, or of a part of it.

    Attributes:
        rows: int64 [m] places, in the order of keys.
        roles: int64 [m]; bit 0: new; bit 1: at home in the cell; further bits: old, where two new ones are not
            compared; outside a crowd, at home in a part. Two clips are compared when each bit is set in one of them.
        bits: how many bits roles have.
    """

    rows: Places
    roles: NDArray[np.int64]
    bits: int

    @property
    def full(self) -> int:
        """The role with every bit set."""
        return (1 << self.bits) - 1

    @property
    def pairs(self) -> int:
        """How many pairs there are to compare."""
        return compared_pairs(self.roles, self.full)

    def with_bit(self, rows: Places, bit: NDArray[np.bool_]) -> _Group:
        """Return the clips at some of its places, ascending, with one bit more."""
        roles = self.roles[rows] | np.where(bit, 1 << self.bits, 0)
        return _Group(rows=self.rows[rows], roles=roles, bits=self.bits + 1)


def _search(clips: _Clips, group: _Group, options: SearchOptions) -> Iterator[CellPairs]:
    if not _affordable(group, options):
        group, told = _without_equals(clips, group, options)
        yield told
    if _affordable(group, options):
        leaf, rows = _leaf(clips, group, options)
        pairs = every_pair(leaf, options.pairs_per_clip * len(rows))
        if pairs is not None:
            yield CellPairs(pairs=pairs, counts=SearchCounts(cells=1, compared=group.pairs)).at(rows)
            return
    apart, told = _without_crowd(clips, group, options)
    if apart is not None:
        yield told
        yield from _search(clips, apart, options)
    elif _affordable(group, options):
        yield _thinned(clips, group, options)
    else:
        yield from _search_parts(clips, group, options)


def _affordable(group: _Group, options: SearchOptions) -> bool:
    return group.pairs <= options.compared_per_clip * len(group.rows)


def _search_parts(clips: _Clips, group: _Group, options: SearchOptions) -> Iterator[CellPairs]:
    parts = list(_split(clips, group, options)) if group.bits < _MAX_BITS else []
    if not parts or sum(part.pairs for part in parts) > _WORTH * group.pairs:
        yield _thinned(clips, group, options, PIVOTS)
        return
    yield _counted(SearchCounts(split=1))
    for part in parts:
        yield from _search(clips, part, options)


def _counted(counts: SearchCounts) -> CellPairs:
    return CellPairs(pairs=joined([]), counts=counts)


def _thinned(clips: _Clips, group: _Group, options: SearchOptions, pivots: int | None = None) -> CellPairs:
    """Return each clip's strongest pair and a forest, of all pairs of a group or of those with the first clips only."""
    leaf, rows = _leaf(clips, group, options, pivots)
    counts = SearchCounts(
        cells=1,
        compared=group.pairs if pivots is None else min(pivots, len(rows)) * len(rows),
        pivoted=0 if pivots is None else len(rows),
        thinned=1,
    )
    return CellPairs(pairs=strongest_and_forest(leaf), counts=counts).at(rows)


def _leaf(clips: _Clips, group: _Group, options: SearchOptions, pivots: int | None = None) -> tuple[Leaf, Places]:
    """Return clips ready to compare, and the rows that they are: those with most bits first."""
    order = np.argsort(-group.roles, kind="stable")
    rows = group.rows[order]
    leaf = Leaf(
        steps=clips.steps,
        lengths=clips.lengths,
        rows=rows,
        roles=group.roles[order],
        full=group.full,
        threshold_1e4=options.threshold_1e4,
        first_rows=len(rows) if pivots is None else pivots,
    )
    return leaf, rows


def _without_equals(clips: _Clips, group: _Group, options: SearchOptions) -> tuple[_Group, CellPairs]:
    """Return a group in which at most two of many equal vectors are left, an old one and a new one, and their links.

    The first clip that is not new stands for all, or else the first one. Links are told where the clips are at home;
    equal vectors are at home in one cell.
    """
    order = np.argsort(content_hashes(clips.steps[group.rows]), kind="stable")
    rows, roles = group.rows[order], group.roles[order]
    ordered = clips.steps[rows]
    starts = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    sizes = np.diff(np.append(starts, len(rows)))
    kept = np.ones(len(rows), dtype=bool)
    links: list[tuple[int, int]] = []
    for start, size in zip(starts[sizes > options.equal_clips], sizes[sizes > options.equal_clips], strict=True):
        own = np.arange(start, start + size)
        new = own[roles[own] & _NEW > 0]
        old = own[roles[own] & _NEW == 0]
        kept[own] = False
        kept[old[:1]], kept[new[:1]] = True, True
        if roles[start] & _HOME:
            # The new one that is left is joined too: it may not be compared with the old one (`_search_parts`).
            stands = rows[old[0] if len(old) else new[0]]
            links.extend((int(stands), int(row)) for row in rows[new] if row != stands)
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    pairs = Pairs(first=ends[:, 0], second=ends[:, 1], similarity_1e4=np.full(len(ends), 10_000, dtype=np.int32))
    left = np.sort(order[kept])
    smaller = _Group(rows=group.rows[left], roles=group.roles[left], bits=group.bits)
    return smaller, CellPairs(pairs=pairs, counts=SearchCounts(equal=len(rows) - len(left)))


def _without_crowd(clips: _Clips, group: _Group, options: SearchOptions) -> tuple[_Group | None, CellPairs]:
    """Return a group in which two clips of a crowd are not compared, and the pairs that make it one component.

    None where there is no crowd whose setting apart saves enough.
    """
    size = len(group.rows)
    cost = min(PIVOTS, size) * size
    if group.bits >= _MAX_BITS or cost > _WORTH * group.pairs:
        return None, _counted(SearchCounts())
    leaf, rows = _leaf(clips, group, options, PIVOTS)
    pairs = strongest_and_forest(leaf)
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs.first, pairs.second)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    crowd = rows[labels == np.bincount(labels).argmax()]
    apart = group.with_bit(np.arange(size), ~np.isin(group.rows, crowd))
    if apart.pairs + cost > _WORTH * group.pairs:
        return None, _counted(SearchCounts(compared=cost))
    counts = SearchCounts(compared=cost, crowded=len(crowd))
    return apart, CellPairs(pairs=pairs, counts=counts).at(rows)


def _split(clips: _Clips, group: _Group, options: SearchOptions) -> Iterator[_Group]:
    own = clips.steps[group.rows]
    count = max(2, round(len(own) / options.cell_clips))
    cells = fit_cells(own[sample_rows(own, count * SAMPLE_PER_CELL, options.seed)], count, options.seed)
    for _, members, home in members_of_cells(assign(own, cells, options.threshold_1e4)):
        by_key = np.argsort(members)
        yield group.with_bit(members[by_key], home[by_key])


def members_of_cells(assigned: NDArray[np.int32]) -> Iterator[tuple[int, Places, NDArray[np.bool_]]]:
    """Yield (cell, places, whether at home) of the clips of each cell.

    Args:
        assigned: int32 [n, MAX_CELLS] of `assign`.
    """
    width = assigned.shape[1]
    cells = assigned.ravel()
    order = np.argsort(cells, kind="stable")
    order = order[np.searchsorted(cells[order], 0) :]
    for own in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1):
        if len(own):
            yield int(cells[own[0]]), own // width, own % width == 0
