"""The index that a run keeps of its own clips, and how a build on top of it reads that: by key and by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.arrays import array_bytes, open_array
from curation.duplicates.cell_index import CELL_ARRAYS, CONTENT_ARRAYS, CellIndex, ContentIndex
from curation.duplicates.cells import MAX_CELLS, Cells, border_1e4
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.posting_index import INDEX_ARRAYS, PostingIndex
from curation.duplicates.postings import SLOT_BITS, SLOTS, Keys, Postings, join_postings, partition_of
from curation.duplicates.signatures import Clips, Rows, Signatures, take_signatures
from curation.duplicates.tasks import spread
from curation.duplicates.vectors import STEPS
from curation.store import Store
from curation.stores import open_store
from pipelines import scratch
from schemas.canonical import sha256_hex
from schemas.duplicate_index import INDEX_SCHEMA, DuplicateIndex, IndexFile
from schemas.run import INDEX_FOLDER, INDEX_JSON, index_path

SIGNATURE_ARRAYS = ("starts", "words", "quality")
POSTINGS, HOMES, CONTENTS, CELLS = "postings", "homes", "contents", "cells"
CELLS_ARRAYS = ("centres", "routers", "lists")
# The scope of clips that are compared over the whole corpus.
CORPUS = "corpus"
NO_POSTINGS = Postings(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int32))
NO_CELLS = (np.empty(0, np.uint32), np.empty(0, np.uint8), np.empty(0, np.uint32), np.empty(0, np.bool_))


def posting_facts() -> dict[str, int]:
    """Return what decides which hashes are posted, and under which keys."""
    options = PerceptualOptions()
    return {
        "slots": SLOTS,
        "slot_bits": SLOT_BITS,
        "min_quality": options.min_quality,
        "prune_bits": options.prune_bits,
    }


def cell_facts(threshold_1e4: int) -> dict[str, int]:
    """Return what decides how embeddings are stored, and in which cells they lie."""
    return {"steps": STEPS, "max_cells": MAX_CELLS, "border_1e4": border_1e4(threshold_1e4)}


def cells_serve(facts: dict[str, int] | None, threshold_1e4: int) -> bool:
    """Return whether clips in cells can be searched for pairs at a threshold: a lower one needs wider borders."""
    wanted = cell_facts(threshold_1e4)
    return (
        facts is not None
        and facts["border_1e4"] >= wanted["border_1e4"]
        and facts == wanted | {"border_1e4": facts["border_1e4"]}
    )


def write_indexed(root: str, folder: str, name: str, array: NDArray[Any]) -> None:
    """Write an array of the index, and note in the scratch folder what lies there."""
    data, path = array_bytes(array), index_path(name)
    open_store(root).write(path, data)
    note = hashlib.sha256(path.encode("utf-8")).hexdigest()[:32]
    scratch.write_scratch(root, f"{folder}/indexed", note, [path, len(data), sha256_hex(data)])


def signature_stem(group: str) -> str:
    """Return where the frame hashes of a group of units lie, up to the name of an array."""
    return f"{INDEX_FOLDER}/signatures/{group}"


def finish_index(store: Store, folder: str, index: DuplicateIndex) -> None:
    """Write what makes an index exist.

    Args:
        index: without its files.
    """
    told = (json.loads(store.read(note)) for note in store.list(f"{folder}/indexed"))
    files = {path: IndexFile(bytes=size, sha256=digest) for path, size, digest in told}
    store.write(INDEX_JSON, index.model_copy(update={"files": files}).to_bytes())


def read_index(store: Store) -> DuplicateIndex | None:
    """Return the index of a run; None where it has none, one of another schema, or one that is not whole."""
    if not store.exists(INDEX_JSON) or not index_is_whole(store):
        return None
    told = json.loads(store.read(INDEX_JSON))
    return DuplicateIndex.model_validate(told) if told["schema_name"] == INDEX_SCHEMA else None


def index_is_whole(store: Store) -> bool:
    """Return whether the files of a run's index are there in their sizes, and no others; none at all are whole, too."""
    files = json.loads(store.read(INDEX_JSON))["files"] if store.exists(INDEX_JSON) else {}
    there = {path: store.size(path) for path in store.list(INDEX_FOLDER) if path != INDEX_JSON}
    return there == {path: file["bytes"] for path, file in files.items()}


@dataclass(frozen=True, kw_only=True)
class BaseIndex:
    """The index of a base.

    Attributes:
        root: the base's folder.
        bits: its keys are shared out into 2**bits parts.
        groups: names of its groups of units.
        scopes: inside what the base compared clips; for each there is a folder of parts.
        parts: names of what holds something, `kind/scope/part`.
        perceptual: whether it tells which clips meet by frame hashes, as this code posts them.
        semantic: how its embeddings lie in cells.
    """

    root: str
    bits: int
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    parts: frozenset[str]
    perceptual: bool
    semantic: dict[str, int] | None

    @classmethod
    def of(cls, root: str, index: DuplicateIndex) -> BaseIndex:
        """Return the index of a run for reading."""
        names = (path.removeprefix(f"{INDEX_FOLDER}/").rpartition("-")[0] for path in index.files)
        parts = {name for name in names if name.partition("/")[0] in (POSTINGS, HOMES, CONTENTS)}
        return cls(
            root=root,
            bits=index.bits,
            groups=index.groups,
            scopes=tuple(sorted({part.split("/")[1] for part in parts})),
            parts=frozenset(parts),
            perceptual=index.perceptual == posting_facts(),
            semantic=index.semantic,
        )

    def array(self, name: str) -> NDArray[Any]:
        """Return an array of the index, its rows read when they are asked for."""
        return open_array(open_store(self.root), index_path(name))

    def postings(self, keys: Keys, scope: str) -> Postings:
        """Return the postings under some keys, clips told by group and row of the index.

        Args:
            keys: ascending, each once.
            scope: inside what they are compared; clips of other sources may be among those found all the same.
        """
        parts = partition_of(keys, 1 << self.bits)
        found = [
            PostingIndex(*arrays).find(keys[parts == part])
            for part in np.unique(parts).tolist()
            for arrays in self._parts(POSTINGS, scope, part, INDEX_ARRAYS)
        ]
        return join_postings([NO_POSTINGS, *found])

    def contents(self, keys: Keys, scope: str) -> Postings:
        """Return where some contents are shown, as `postings` does."""
        parts = spread(keys, self.bits)
        found = [
            ContentIndex(*arrays).find(keys[parts == part])
            for part in np.unique(parts).tolist()
            for arrays in self._parts(CONTENTS, scope, part, CONTENT_ARRAYS)
        ]
        return join_postings([NO_POSTINGS, *found])

    def clips_of_cells(self, part: int, cells: NDArray[np.uint32], scope: str) -> pl.DataFrame:
        """Return `cell`, `group`, `place`, `home` of the clips in some cells of a part, each given once."""
        found = [CellIndex(*arrays).find(cells) for arrays in self._parts(HOMES, scope, part, CELL_ARRAYS)]
        return pl.concat([CellIndex(*NO_CELLS).find(cells), *found])

    @property
    def cells(self) -> Cells:
        """The cells of its embeddings."""
        return Cells(**{name: np.asarray(self.array(f"{CELLS}/{name}")) for name in CELLS_ARRAYS})

    def _parts(self, kind: str, scope: str, part: int, arrays: tuple[str, ...]) -> Iterator[tuple[NDArray[Any], ...]]:
        for name in (f"{kind}/{own}/{part:05d}" for own in self.scopes_for(scope)):
            if name in self.parts:
                yield tuple(self.array(f"{name}-{array}") for array in arrays)

    def scopes_for(self, scope: str) -> tuple[str, ...]:
        """Return in which folders clips lie that those of a scope are compared with."""
        if scope == CORPUS or self.scopes == (CORPUS,):
            return self.scopes
        return tuple(own for own in self.scopes if own == scope)

    def signatures(self, group: str, rows: Rows, clips: Clips) -> Signatures:
        """Return the frame hashes of some rows of a group.

        Args:
            clips: numbers that the rows get.
        """
        return take_signatures(signature_arrays(open_store(self.root), signature_stem(group)), rows, clips)


def signature_arrays(store: Store, stem: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the arrays of a group's frame hashes, for `take_signatures`.

    Args:
        stem: where they lie, up to the name of an array.
    """
    starts, words, quality = (open_array(store, f"{stem}-{name}.npy") for name in SIGNATURE_ARRAYS)
    return starts, words, quality
