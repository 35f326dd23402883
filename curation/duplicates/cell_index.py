"""Which clips lie in which cells, and which contents a run holds, kept so that a later build asks for its own only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.arrays import narrowest
from curation.duplicates.clips import ROW_BITS, references
from curation.duplicates.postings import Keys, Postings

Unsigned = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class CellIndex:
    """The clips in the cells of one part.

    Attributes:
        cell: uint32 [m], ascending.
        group: unsigned [m], place of the clip's group.
        place: uint32 [m], of the clip's vector in its group.
        home: bool [m].
    """

    cell: NDArray[np.uint32]
    group: Unsigned
    place: NDArray[np.uint32]
    home: NDArray[np.bool_]

    def find(self, cells: NDArray[np.uint32]) -> pl.DataFrame:
        """Return `cell`, `group`, `place`, `home` of the clips in some cells, each given once."""
        found = _between(self.cell, cells)
        return pl.DataFrame(
            {
                "cell": self.cell[found].astype(np.int32),
                "group": self.group[found].astype(np.int64),
                "place": self.place[found].astype(np.int64),
                "home": self.home[found],
            }
        )


def index_cells(told: Sequence[tuple[int, pl.DataFrame]]) -> CellIndex:
    """Return the clips of some groups in cells.

    Args:
        told: (place of the group, `cell`, `place` and `home` of its clips).
    """
    rows = pl.concat([frame.select("cell", "place", "home", group=pl.lit(group)) for group, frame in told])
    ordered = rows.sort("cell", "group", "place")
    return CellIndex(
        cell=ordered["cell"].to_numpy().astype(np.uint32),
        group=narrowest(ordered["group"].to_numpy()),
        place=ordered["place"].to_numpy().astype(np.uint32),
        home=ordered["home"].to_numpy(),
    )


@dataclass(frozen=True)
class ContentIndex:
    """Which rows show which content.

    Attributes:
        content: uint64 [p], the first 64 bits of its digest, ascending.
        group: unsigned [p], place of the clip's group.
        row: uint32 [p], in its group.
    """

    content: Keys
    group: Unsigned
    row: NDArray[np.uint32]

    def find(self, contents: Keys) -> Postings:
        """Return where some contents, each given once, are shown: as postings of their only frame."""
        found = _between(self.content, contents)
        clips = references(self.group[found].astype(np.int64), self.row[found].astype(np.int64))
        return Postings(np.asarray(self.content[found]), clips, np.zeros(len(found), dtype=np.int32))


def index_contents(contents: Keys, clips: NDArray[np.int64]) -> ContentIndex:
    """Return contents as they are kept.

    Args:
        clips: the reference of each.
    """
    order = np.lexsort((clips, contents))
    clips = clips[order]
    row = (clips & np.int64((1 << ROW_BITS) - 1)).astype(np.uint32)
    return ContentIndex(content=contents[order], group=narrowest(clips >> ROW_BITS), row=row)


def content_keys(digests: pl.Series) -> Keys:
    """Return the first 64 bits of digests that are written in hexadecimal."""
    return digests.str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()


CELL_ARRAYS = tuple(field.name for field in fields(CellIndex))
CONTENT_ARRAYS = tuple(field.name for field in fields(ContentIndex))


def _between(stored: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Return the places of some values in an ascending array."""
    first = np.searchsorted(stored, wanted)
    counts = np.searchsorted(stored, wanted, side="right") - first
    return np.arange(int(counts.sum())) + np.repeat(first - np.cumsum(counts) + counts, counts)
