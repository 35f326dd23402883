"""What every step of the duplicates job knows, and where the steps leave rows and arrays for each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.arrays import array_bytes, open_array
from curation.duplicates.clips import ROW_BITS, references
from curation.duplicates.components import partitions
from curation.duplicates.edges import EDGES
from curation.duplicates.perceptual_tasks import LookUp
from curation.duplicates.posting_index import Numbers, renumber
from curation.duplicates.postings import Keys, Postings
from curation.duplicates.signatures import Signatures, take_signatures
from curation.judging.rows import UnitGroup
from curation.store import Store
from pipelines import scratch
from pipelines.base import Base
from pipelines.duplicate_index import (
    CORPUS,
    SIGNATURE_ARRAYS,
    BaseIndex,
    cells_serve,
    signature_arrays,
    signature_stem,
    write_indexed,
)
from pipelines.units import ScoredUnits
from schemas.duplicates import DuplicatePolicy
from schemas.run import index_path

# What is compared: a key of the first shuffle is `kind/scope/part`, one of the second `pairs/group`.
SPANS, CELLS, TEXTS, PAIRS = "spans", "cells", "texts", "pairs"
# Before the place of a base: the run's clips in the cells of that base.
BASE_CELLS = "base_cells"
# What the second job reads, by part of the nodes.
NODES, EDGE_ROWS = "nodes", "edges"
CELLS_FILE = "cells.bin"
# Before the name of a group of the base: no source has a + in its name.
BASE = "base+"
Place = tuple[str, str]


def base_group(place: int, group: UnitGroup) -> str:
    """Return the name of a group of units of a base, by the base's place among the bases."""
    return f"{BASE}{place}-{group.name}"


@dataclass(frozen=True, kw_only=True)
class DuplicatesJob:
    """What every step needs.

    Attributes:
        folder: the stage's scratch folder, relative to the run.
        groups: names of all groups of units, sorted, of those of the base, and of the benchmarks: a clip's group is
            told by its place among these.
        benchmarks: how many of them are benchmarks.
        bits: rows that may meet, and nodes, are shared out into 2**bits parts.
        bases: the earlier builds that new clips are compared with.
    """

    policy: DuplicatePolicy
    units: ScoredUnits
    folder: str
    groups: tuple[str, ...]
    benchmarks: int
    bits: int
    bases: tuple[Base, ...] = ()

    @property
    def root(self) -> str:
        """The run's folder."""
        return self.units.root

    @property
    def store(self) -> Store:
        """The run's store."""
        return self.units.store

    @cached_property
    def number(self) -> dict[str, int]:
        """Name of a group -> its place."""
        return {name: place for place, name in enumerate(self.groups)}

    @cached_property
    def first_known(self) -> int:
        """Groups from this place on are of the base or of benchmarks: their clips are compared with new ones only."""
        return self.first_benchmark - sum(len(base.groups) for base in self.bases)

    @property
    def first_benchmark(self) -> int:
        """Groups from this place on are of benchmarks."""
        return len(self.groups) - self.benchmarks

    def scope(self, source: str) -> str:
        """Return inside what clips of a source are compared."""
        return source if self.policy.scope == "source" else CORPUS

    def owns(self, group: str) -> bool:
        """Return whether a group's clips are the run's own."""
        return self.number[group] < self.first_known

    def base_of(self, group: str) -> tuple[int, str] | None:
        """Return the place of the base that a group is of, and the group's name there; None where it is of none."""
        if not group.startswith(BASE):
            return None
        place, _, name = group.removeprefix(BASE).partition("-")
        return int(place), name

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array that later steps read rows of."""
        self.store.write(self.array_path(name), array_bytes(array))

    def array_path(self, name: str) -> str:
        """Return where an array of the scratch folder lies."""
        return f"{self.folder}/{name}.npy"

    def open_array(self, name: str) -> NDArray[Any]:
        """Return an array of the scratch folder, its rows read when they are asked for."""
        return open_array(self.store, self.array_path(name))

    def write_nodes(self, group: str, nodes: pl.Series) -> None:
        """Write the nodes of a group, in the order of its arrays."""
        self.write_array(f"nodes/{group}", nodes.to_numpy().astype("S64"))

    def write_signatures(self, group: str, signatures: Signatures) -> None:
        """Write the frame hashes of a group's nodes; those of the run's own clips stay in its index."""
        for name in SIGNATURE_ARRAYS:
            self._write_either(group, f"signatures/{group}-{name}", getattr(signatures, name))

    def _write_either(self, group: str, name: str, array: NDArray[Any]) -> None:
        if self.policy.index and self.owns(group):
            write_indexed(self.root, self.folder, name, array)
        else:
            self.write_array(name, array)

    def nodes_of(self, group: str) -> NDArray[np.bytes_]:
        """Return the nodes of a group, in the order of its arrays."""
        return self.open_array(f"nodes/{group}")

    def write_vectors(self, group: str, steps: NDArray[np.int16]) -> None:
        """Write the embeddings of a group; those of the run's own clips stay in its index."""
        self._write_either(group, f"vectors/{group}", steps)

    def vectors_of(self, group: str) -> NDArray[np.int16]:
        """Return the embeddings of a group, as `write_vectors` wrote them."""
        kept = self.policy.index and self.owns(group)
        return open_array(self.store, index_path(f"vectors/{group}") if kept else self.array_path(f"vectors/{group}"))

    def cell_index(self, place: int) -> BaseIndex | None:
        """Return the index of a base where its cells can be searched, by its place among the bases."""
        index, threshold = self.bases[place].index, round(self.policy.semantic.min_cosine * 10_000)
        return index if index is not None and cells_serve(index.semantic, threshold) else None

    def signatures_of(self, group: str) -> Signatures:
        """Return the frame hashes of all nodes of one of the run's groups."""
        starts, words, quality = self._signature_arrays(group)
        return Signatures(starts, words, quality, references(self.number[group], np.arange(len(starts) - 1)))

    def open_signatures(self, group: str, clips: NDArray[np.int64]) -> Signatures:
        """Return the frame hashes of some clips of any group."""
        rows, known = clips & ((1 << ROW_BITS) - 1), self.base_of(group)
        if known is not None and (index := self.bases[known[0]].hash_index) is not None:
            return index.signatures(known[1], self.open_array(f"kept/{group}")[rows].astype(np.int64), clips)
        return take_signatures(self._signature_arrays(group), rows, clips)

    def _signature_arrays(self, group: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        kept = self.policy.index and self.owns(group)
        return signature_arrays(self.store, signature_stem(group) if kept else f"{self.folder}/signatures/{group}")

    def look_ups(self, scope: str) -> list[LookUp]:
        """Return what finds the postings of each indexed base under keys of a scope, by this job's references."""
        indexes = [(place, base.hash_index) for place, base in enumerate(self.bases)]
        return [partial(self._look_up, place, index, scope) for place, index in indexes if index is not None]

    def _look_up(self, place: int, index: BaseIndex, scope: str, keys: Keys) -> Postings:
        return renumber(index.postings(keys, scope), self.numbers_of(place, scope))

    def numbers_of(self, place: int, scope: str) -> Numbers:
        """Return what tells the clips of a base's index by this job's references; other scopes' are left out."""
        base = self.bases[place]

        def numbers(own: int) -> tuple[int, NDArray[np.int32]] | None:
            group = base.groups[own]
            name = base_group(place, group)
            if self.scope(group.source) != scope:
                return None
            return self.number[name], self.open_array(f"numbers/{name}")

        return numbers

    def spool(self, kind: str, scope: str, part: int, name: str, rows: pl.DataFrame) -> Place:
        """Write rows for the task of a part; returns (its key, the name)."""
        key = f"{kind}/{scope}/{part:05d}"
        scratch.write_spool(self.root, self.folder, key, name, rows)
        return key, name

    def write_edges(self, name: str, edges: pl.DataFrame) -> None:
        """Write edges by the part of their first node, and note how many."""
        for part, rows in partitions(edges.rename({"a": "node"}), self.bits):
            key = f"{EDGE_ROWS}/{part:05d}"
            scratch.write_spool(self.root, self.folder, key, name, rows.rename({"node": "a"}).select(list(EDGES)))
            scratch.write_scratch(self.root, f"{self.folder}/edge_files", f"{part:05d}-{name}", rows.height)
