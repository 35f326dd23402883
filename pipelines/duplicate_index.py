"""The index that a run keeps of its own clips, and how a build on top of it reads that: by key and by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.arrays import array_bytes, open_array
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.posting_index import INDEX_ARRAYS, PostingIndex
from curation.duplicates.postings import SLOT_BITS, SLOTS, Keys, Postings, join_postings, partition_of
from curation.duplicates.signatures import Clips, Rows, Signatures, take_signatures
from curation.store import LocalStore
from pipelines import scratch
from schemas.canonical import sha256_hex
from schemas.duplicate_index import INDEX_SCHEMA, DuplicateIndex, IndexFile
from schemas.run import INDEX_FOLDER, INDEX_JSON, index_path

SIGNATURE_ARRAYS = ("starts", "words", "quality")
POSTINGS = "postings"
# The scope of clips that are compared over the whole corpus.
CORPUS = "corpus"
NO_POSTINGS = Postings(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int32))


def posting_facts() -> dict[str, int]:
    """Return what decides which hashes are posted, and under which keys."""
    options = PerceptualOptions()
    return {
        "slots": SLOTS,
        "slot_bits": SLOT_BITS,
        "min_quality": options.min_quality,
        "prune_bits": options.prune_bits,
    }


def write_indexed(root: str, folder: str, name: str, array: NDArray[Any]) -> None:
    """Write an array of the index, and note in the scratch folder what lies there."""
    data, path = array_bytes(array), index_path(name)
    LocalStore(root).write(path, data)
    note = hashlib.sha256(path.encode("utf-8")).hexdigest()[:32]
    scratch.write_scratch(root, f"{folder}/indexed", note, [path, len(data), sha256_hex(data)])


def signature_stem(group: str) -> str:
    """Return where the frame hashes of a group of units lie, up to the name of an array."""
    return f"{INDEX_FOLDER}/signatures/{group}"


def finish_index(store: LocalStore, folder: str, index: DuplicateIndex) -> None:
    """Write what makes an index exist.

    Args:
        index: without its files.
    """
    told = (json.loads(store.read(note)) for note in store.list(f"{folder}/indexed"))
    files = {path: IndexFile(bytes=size, sha256=digest) for path, size, digest in told}
    store.write(INDEX_JSON, index.model_copy(update={"files": files}).to_bytes())


def read_index(store: LocalStore) -> DuplicateIndex | None:
    """Return the index of a run; None where it has none, one of another schema, or one that is not whole."""
    if not store.exists(INDEX_JSON) or not index_is_whole(store):
        return None
    told = json.loads(store.read(INDEX_JSON))
    return DuplicateIndex.model_validate(told) if told["schema_name"] == INDEX_SCHEMA else None


def index_is_whole(store: LocalStore) -> bool:
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
        parts: `scope/part` of the parts that hold postings.
        perceptual: whether it tells which clips meet by frame hashes, as this code posts them.
    """

    root: str
    bits: int
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    parts: frozenset[str]
    perceptual: bool

    @classmethod
    def of(cls, root: str, index: DuplicateIndex) -> BaseIndex:
        """Return the index of a run for reading."""
        start = f"{INDEX_FOLDER}/{POSTINGS}/"
        parts = {path.removeprefix(start).rpartition("-")[0] for path in index.files if path.startswith(start)}
        return cls(
            root=root,
            bits=index.bits,
            groups=index.groups,
            scopes=tuple(sorted({part.rpartition("/")[0] for part in parts})),
            parts=frozenset(parts),
            perceptual=index.perceptual == posting_facts(),
        )

    def array(self, name: str) -> NDArray[Any]:
        """Return an array of the index, its rows read when they are asked for."""
        return open_array(LocalStore(self.root), index_path(name))

    def postings(self, keys: Keys, scope: str) -> Postings:
        """Return the postings under some keys, clips told by group and row of the index.

        Args:
            keys: ascending, each once.
            scope: inside what they are compared; clips of other sources may be among those found all the same.
        """
        return join_postings([NO_POSTINGS, *self._found(keys, self.scopes_for(scope))])

    def _found(self, keys: Keys, scopes: tuple[str, ...]) -> Iterator[Postings]:
        parts = partition_of(keys, 1 << self.bits)
        for part in np.unique(parts).tolist():
            own = keys[parts == part]
            for name in (f"{scope}/{part:05d}" for scope in scopes):
                if name in self.parts:
                    arrays = (self.array(f"{POSTINGS}/{name}-{array}") for array in INDEX_ARRAYS)
                    yield PostingIndex(*arrays).find(own)

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
        return take_signatures(signature_arrays(LocalStore(self.root), signature_stem(group)), rows, clips)


def signature_arrays(store: LocalStore, stem: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the arrays of a group's frame hashes, for `take_signatures`.

    Args:
        stem: where they lie, up to the name of an array.
    """
    starts, words, quality = (open_array(store, f"{stem}-{name}.npy") for name in SIGNATURE_ARRAYS)
    return starts, words, quality
