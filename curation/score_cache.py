"""What a scorer has computed already: frame embeddings of clips, and scores of (clip, text) pairs.

`scores/<scorer>/cache/<group>/` holds segments: Parquet files named after their content, written once and never
changed. A group is any name under which somebody will look again; ingest takes the name of a unit's media work, which
another text column leaves as it is. Inside, everything is keyed by content: a segment may serve any other group too.

Embeddings are kept as the float32 that the model gave, because a score must not depend on whether it was computed from
a stored embedding; half precision would change the last digit of about every tenth score (docs/scoring.md).
"""

from __future__ import annotations

import threading
from collections import ChainMap, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.store import Store
from schemas.arrow import parquet_bytes, read_rows
from schemas.canonical import sha256_hex
from schemas.ids import stable_id

CLIPS = pa.schema(
    [("media_sha256", pa.string()), ("frame_plan", pa.string()), ("frames", pa.int32()), ("vectors", pa.binary())]
)
_SCORE = pa.struct([("aggregation", pa.string()), ("score_1e4", pa.int32())])
PAIRS = pa.schema([("pair", pa.string()), ("scores", pa.list_(_SCORE)), ("tokens_cut", pa.int32())])
_SCHEMAS = {"clips": CLIPS, "pairs": PAIRS}
_NAME_HEX = 32
_CACHE = "cache"

ClipKey = tuple[str, str]
"""(SHA-256 of the clip's bytes, name of the frame plan)."""


@dataclass(frozen=True, kw_only=True)
class PairScore:
    """What is known of a (clip, text) pair: aggregation -> score in 1e-4, and how many tokens the scorer cut off."""

    scores_1e4: tuple[tuple[str, int], ...]
    tokens_cut: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """Contents of some segments.

    Attributes:
        frames: clip -> float32 [frames, D] embeddings.
        pairs: `pair_key` -> score.
        damaged: paths of segments that do not read back as written; what they held is computed again.
    """

    frames: Mapping[ClipKey, NDArray[np.float32]] = field(default_factory=dict)
    pairs: Mapping[str, PairScore] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()


@dataclass
class _Group:
    """What was read of a group.

    Attributes:
        paths: segments that are in it.
    """

    paths: set[str] = field(default_factory=set)
    frames: dict[ClipKey, NDArray[np.float32]] = field(default_factory=dict)
    pairs: dict[str, PairScore] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def pair_key(clip: ClipKey, prompted: str, top_k: int) -> str:
    """Return the key of a pair under one scorer: clip, frame plan, the text as the model sees it, and k."""
    return stable_id("pair", *clip, prompted, top_k)


def cache_group(path: str) -> str | None:
    """Return the group of a segment, or None for another file of a run. Removing a segment costs time only."""
    parts = path.split("/")
    return parts[3] if len(parts) == 5 and parts[0] == "scores" and parts[2] == _CACHE else None


def cache_folder(scorer_digest: str) -> str:
    """Return where the groups of a scorer lie."""
    return f"scores/{scorer_digest[:16]}/{_CACHE}"


class ScoreCache:
    """The segments of one scorer in one run. Several threads and processes may share them: segments never change.

    Args:
        scorer_digest: of model, device and dtype.
        held: groups whose contents this object keeps in memory, the latest ones; fewer than a batch names are read anew
            for each batch.
    """

    def __init__(self, store: Store, scorer_digest: str, held: int = 16) -> None:
        self._store = store
        self._folder = cache_folder(scorer_digest)
        self._held = held
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, groups: Sequence[str]) -> Known:
        """Return everything that some groups' segments hold; a group without segments holds nothing."""
        with self._lock:
            found = [self._read(group) for group in groups]
        return Known(
            frames=ChainMap(*(group.frames for group in found)),
            pairs=ChainMap(*(group.pairs for group in found)),
            damaged=tuple(path for group in found for path in group.damaged),
        )

    def _read(self, name: str) -> _Group:
        """Return a group with all its segments read; those that were read before are not read again."""
        group = self._groups.pop(name, None) or _Group()
        self._groups[name] = group
        while len(self._groups) > self._held:
            self._groups.popitem(last=False)
        group.damaged.clear()
        for path in self._store.list(f"{self._folder}/{name}"):
            if path not in group.paths:
                self._take(group, path, self._store.read(path))
        return group

    @staticmethod
    def _take(group: _Group, path: str, data: bytes) -> None:
        kind, _, digest = path.rsplit("/", 1)[1].removesuffix(".parquet").partition("-")
        if kind not in _SCHEMAS or sha256_hex(data)[:_NAME_HEX] != digest:
            group.damaged.append(path)
            return
        group.paths.add(path)
        rows = read_rows(data, _SCHEMAS[kind])
        if kind == "clips":
            group.frames.update({(row["media_sha256"], row["frame_plan"]): _from_row(row) for row in rows})
        else:
            group.pairs.update({row["pair"]: _pair_from_row(row) for row in rows})

    def add(
        self,
        group: str,
        frames: Mapping[ClipKey, NDArray[np.float32]],
        pairs: Mapping[str, PairScore],
    ) -> Sequence[str]:
        """Write what is new as at most two segments and return their paths; equal contents make equal files.

        Embeddings that are not finite are left out: whoever needs them computes them again, and sees that they are not.
        """
        clip_rows = [
            {"media_sha256": key[0], "frame_plan": key[1], "frames": len(vectors), "vectors": _to_bytes(vectors)}
            for key, vectors in sorted(frames.items(), key=lambda item: item[0])
            if np.isfinite(vectors).all()
        ]
        pair_rows = [
            {
                "pair": key,
                "scores": [{"aggregation": name, "score_1e4": value} for name, value in pair.scores_1e4],
                "tokens_cut": pair.tokens_cut,
            }
            for key, pair in sorted(pairs.items())
        ]
        written = []
        for kind, rows in (("clips", clip_rows), ("pairs", pair_rows)):
            if rows:
                data = parquet_bytes(rows, _SCHEMAS[kind])
                path = f"{self._folder}/{group}/{kind}-{sha256_hex(data)[:_NAME_HEX]}.parquet"
                self._store.write(path, data)
                written.append(path)
        return written


def _pair_from_row(row: Mapping[str, Any]) -> PairScore:
    scores = tuple((score["aggregation"], score["score_1e4"]) for score in row["scores"])
    return PairScore(scores_1e4=scores, tokens_cut=row["tokens_cut"])


def _to_bytes(vectors: NDArray[np.float32]) -> bytes:
    return vectors.astype("<f4", copy=False).tobytes()


def _from_row(row: Mapping[str, Any]) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = np.frombuffer(row["vectors"], "<f4").reshape(row["frames"], -1)
    return vectors.astype(np.float32, copy=False)


def drop_from_segment(store: Store, path: str, media: frozenset[str]) -> None:
    """Take clips out of a segment; one that holds pairs is removed: they are computed again when they are asked for."""
    folder, _, name = path.rpartition("/")
    data = store.read(path)
    # What does not read back as it was written serves nobody, and may hold anything: it goes whole.
    if name.startswith("clips-") and sha256_hex(data)[:_NAME_HEX] in name:
        before = read_rows(data, CLIPS)
        rows = [row for row in before if row["media_sha256"] not in media]
        if len(rows) == len(before):
            return
        if rows:
            data = parquet_bytes(rows, CLIPS)
            store.write(f"{folder}/clips-{sha256_hex(data)[:_NAME_HEX]}.parquet", data)
    store.delete(path)
