"""The semantic side of the duplicates job: the run's clips in cells of their own, and in the cells of each base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.duplicates import tasks
from curation.duplicates.cell_index import (
    CELL_ARRAYS,
    CONTENT_ARRAYS,
    content_keys,
    index_cells,
    index_contents,
)
from curation.duplicates.cells import Cells
from curation.duplicates.clips import GroupClips, references
from curation.duplicates.posting_index import renumber
from curation.duplicates.postings import distinct
from pipelines.duplicate_index import CONTENTS, HOMES, write_indexed
from pipelines.duplicate_job import BASE_CELLS, CELLS, CELLS_FILE, DuplicatesJob, Place

Edges = tuple[pl.DataFrame, tasks.Counts]


def tell_cells(
    job: DuplicatesJob, group: str, scope: str, clips: GroupClips, told: tuple[NDArray[np.int64], NDArray[np.float16]]
) -> Iterator[Place]:
    """Write the embeddings of a group, and in which cells they lie, by part; yields what `TellClips` does.

    Args:
        told: of `read_vectors`.
    """
    places, vectors = told
    if len(places) == 0 or not job.store.exists(f"{job.folder}/{CELLS_FILE}"):
        return
    cells, steps = Cells.from_bytes(job.store.read(f"{job.folder}/{CELLS_FILE}")), tasks.steps_of(vectors)
    job.write_vectors(group, steps)
    homes = tasks.cell_rows(steps, places, cells, job.policy.semantic, job.bits)
    yield from _spooled(job, CELLS, scope, group, homes)
    if not job.owns(group):
        return
    contents = content_keys(clips.nodes["content_sha256"])
    job.write_array(f"contents/{group}", contents)
    if job.policy.index:
        write_indexed(job.root, job.folder, f"vectors/{group}-rows", places.astype(np.uint32))
        rows = references(job.number[group], np.arange(len(contents)))
        shown = pl.DataFrame({"part": tasks.spread(contents, job.bits), "content": contents, "clip": rows})
        yield from _spooled(job, CONTENTS, scope, group, shown)
    for place in range(len(job.bases)):
        index = job.cell_index(place)
        if index is not None:
            homes = tasks.cell_rows(steps, places, index.cells, job.policy.semantic, index.bits)
            yield from _spooled(job, f"{BASE_CELLS}{place}", scope, group, homes)


def _spooled(job: DuplicatesJob, kind: str, scope: str, group: str, rows: pl.DataFrame) -> Iterator[Place]:
    for (part,), own in sorted(rows.partition_by("part", as_dict=True, include_key=False).items()):
        yield job.spool(kind, scope, int(part), group, own)


def keep_contents(job: DuplicatesJob, name: str, frames: Sequence[pl.DataFrame]) -> None:
    """Write the contents of a part of the run's clips to the index."""
    rows = pl.concat(list(frames))
    index = index_contents(rows["content"].to_numpy(), rows["clip"].to_numpy())
    for array in CONTENT_ARRAYS:
        write_indexed(job.root, job.folder, f"{CONTENTS}/{name}-{array}", getattr(index, array))


def search_own_cells(job: DuplicatesJob, scope: str, part: str, told: Sequence[tuple[str, pl.DataFrame]]) -> Edges:
    """Return the edges of the run's clips, and of bases without an index, in a part's cells; keep who lies there."""
    own = [(group, rows) for group, rows in told if job.owns(group)]
    if job.policy.index and own:
        index = index_cells([(job.number[group], rows) for group, rows in own])
        for array in CELL_ARRAYS:
            write_indexed(job.root, job.folder, f"{HOMES}/{scope}/{part}-{array}", getattr(index, array))
    sides = [_side(job, group, rows.with_columns(known=_known(job, group, scope, rows))) for group, rows in told]
    return tasks.search_cells(sides, job.policy.semantic)


def search_base_cells(
    job: DuplicatesJob, place: int, scope: str, part: str, told: Sequence[tuple[str, pl.DataFrame]]
) -> Edges:
    """Return the edges between the run's clips and those of a base in the base's own cells."""
    index = job.cell_index(place)
    assert index is not None
    sides = [_side(job, group, rows.with_columns(known=False)) for group, rows in told]
    cells = np.unique(np.concatenate([rows["cell"].to_numpy() for _, rows in told])).astype(np.uint32)
    found = index.clips_of_cells(int(part), cells, scope)
    numbers = job.numbers_of(place, scope)
    for (group,), rows in sorted(found.partition_by("group", as_dict=True, include_key=False).items()):
        known = numbers(int(group))
        if known is None:
            continue
        name = index.groups[int(group)]
        nodes = known[1][index.array(f"vectors/{name}-rows")[rows["place"].to_numpy()]]
        kept = rows.with_columns(node=pl.Series(nodes.astype(np.int64)), known=True).filter(pl.col("node") >= 0)
        steps = index.array(f"vectors/{name}")
        sides.append(tasks.CellSide(rows=_ordered(kept), nodes=job.nodes_of(job.groups[known[0]]), steps=steps))
    return tasks.search_cells(sides, job.policy.semantic, between=True)


def _side(job: DuplicatesJob, group: str, rows: pl.DataFrame) -> tasks.CellSide:
    return tasks.CellSide(rows=_ordered(rows), nodes=job.nodes_of(group), steps=job.vectors_of(group))


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    types = {"cell": pl.Int32, "place": pl.Int64, "node": pl.Int64, "home": pl.Boolean, "known": pl.Boolean}
    return rows.select([pl.col(name).cast(kind) for name, kind in types.items()])


def _known(job: DuplicatesJob, group: str, scope: str, rows: pl.DataFrame) -> Any:
    """Return which of some clips of a group show what is in the shards of a base."""
    if not job.owns(group):
        return pl.lit(True)
    contents = job.open_array(f"contents/{group}")[rows["node"].to_numpy()]
    keys, found = distinct(contents), [np.empty(0, np.uint64)]
    for place in range(len(job.bases)):
        index = job.cell_index(place)
        if index is not None:
            found.append(renumber(index.contents(keys, scope), job.numbers_of(place, scope)).key)
    return pl.Series(np.isin(contents, np.concatenate(found)))
