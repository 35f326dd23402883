"""What is kept of clips in cells and of contents is found again, and nothing else is."""

from __future__ import annotations

import numpy as np
import polars as pl

from curation.duplicates.cell_index import content_keys, index_cells, index_contents
from curation.duplicates.cells import Cells
from curation.duplicates.clips import references
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.semantic import cells_for
from curation.duplicates.tasks import CellSide, cell_rows, search_cells
from curation.duplicates.vectors import Steps
from schemas.duplicates import SemanticOptions
from tests.curation.duplicates.embeddings import all_pairs, around, strangers

# Groups of near copies, and as many that are near nothing.
CLUSTERED = np.concatenate([around(strangers(80, 32, 1), 8, 0.98, 2), strangers(600, 32, 3)])


def cells(*told: tuple[int, int, bool]) -> pl.DataFrame:
    return pl.DataFrame(told, schema=["cell", "place", "home"], orient="row")


def test_the_clips_of_some_cells_are_found() -> None:
    index = index_cells([(0, cells((7, 0, True), (2, 0, False), (2, 1, True))), (300, cells((2, 9, True)))])
    assert index.cell.tolist() == [2, 2, 2, 7]
    found = index.find(np.array([2, 5], dtype=np.uint32))
    assert found.rows() == [(2, 0, 0, False), (2, 0, 1, True), (2, 300, 9, True)]
    assert index.find(np.array([0, 3, 9], dtype=np.uint32)).height == 0
    assert index.find(np.array([7], dtype=np.uint32)).rows() == [(7, 0, 0, True)]


def test_groups_in_any_order_give_the_same_arrays() -> None:
    told = [(1, cells((3, 4, True), (1, 2, False))), (0, cells((3, 8, True)))]
    one, other = index_cells(told), index_cells(told[::-1])
    for name, array in vars(one).items():
        assert array.tolist() == getattr(other, name).tolist(), name
    assert str(one.group.dtype) == "uint8"


def test_contents_are_found_wherever_they_are_shown() -> None:
    contents = np.array([9, 2**63, 9, 4], dtype=np.uint64)
    clips = np.concatenate([references(1, np.array([5, 6])), references(0, np.array([3, 1]))])
    index = index_contents(contents, clips)
    found = index.find(np.array([4, 9, 11], dtype=np.uint64))
    assert list(zip(found.key.tolist(), found.clip.tolist(), strict=True)) == [
        (4, references(0, np.array([1]))[0]),
        (9, references(0, np.array([3]))[0]),
        (9, references(1, np.array([5]))[0]),
    ]


def test_a_content_is_told_by_the_first_bits_of_its_digest() -> None:
    digests = pl.Series(["0" * 15 + "a" + "f" * 48, "f" * 64])
    assert content_keys(digests).tolist() == [10, 2**64 - 1]


NEW = np.arange(len(CLUSTERED)) % 4 == 0
POLICY = SemanticOptions(min_cosine=0.95)


def rows_in(cells: Cells, steps: Steps) -> pl.DataFrame:
    return cell_rows(steps, np.arange(len(steps)), cells, POLICY, 0).drop("part")


def names(places: np.ndarray) -> np.ndarray:
    return np.array([f"{place:05d}" for place in places], dtype="S64")


def test_new_clips_meet_those_of_a_base_in_its_own_cells() -> None:
    """As many as cells fitted to both find: nothing that is not there, and nearly all that is."""
    old, new = CLUSTERED[~NEW], CLUSTERED[NEW]
    cells = cells_for(old, SearchOptions(cell_clips=40))
    own = rows_in(cells, new)
    found = index_cells([(0, rows_in(cells, old))]).find(own["cell"].unique().sort().to_numpy().astype(np.uint32))
    known = found.select("cell", "place", "home", node="place", known=True)
    told = own.with_columns(known=False).select(known.columns).cast(known.schema)
    sides = [
        CellSide(rows=told, nodes=names(np.flatnonzero(NEW)), steps=new),
        CellSide(rows=known, nodes=names(np.flatnonzero(~NEW)), steps=old),
    ]
    edges, counts = search_cells(sides, POLICY, between=True)
    met = {(int(a), int(b)) for a, b in edges.select("a", "b").iter_rows()}
    everyone = np.arange(len(CLUSTERED))
    wanted = {tuple(sorted(pair)) for pair in all_pairs(everyone, CLUSTERED, 9_500) if NEW[pair[0]] != NEW[pair[1]]}
    assert len(wanted) > 500
    assert met <= wanted
    assert len(met) >= 0.98 * len(wanted)
    assert counts["semantic_compared"] < 0.6 * len(old) * len(new)
