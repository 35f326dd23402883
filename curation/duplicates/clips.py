"""The clips of a group of units as finding duplicates reads them: one node per decoded content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curation.duplicates.signatures import Signatures, pack_signatures
from curation.judging.rows import read_columns, read_samples
from curation.store import Store
from schemas.canonical import digest_of
from schemas.duplicates import DuplicatePolicy
from schemas.units import UnitCommit

# Of a reference: the row in its group; the group's place stands above.
ROW_BITS = 32
HASH_COLUMNS = ("frame_hashes", "hash_quality")
COLUMNS = (
    "sample_id",
    "source",
    "video_sha256",
    "start_us",
    "end_us",
    "duration_us",
    "media_sha256",
    "content_sha256",
    "width_px",
    "height_px",
)


@dataclass(frozen=True, kw_only=True)
class GroupClips:
    """The clips of a group of units.

    Attributes:
        tellings: `sample_id`, `source`, `node`, `pixels`, `video_sha256`, `start_us`, `end_us`, `duration_us`: a row
            per sample and unit.
        nodes: `node`, `media_sha256`, `content_sha256` and, where they are asked for, HASH_COLUMNS: a row per node, by
            content, so that a clip has the same row whatever the scope.
    """

    tellings: pl.DataFrame
    nodes: pl.DataFrame

    def signatures(self, group: int) -> Signatures:
        """Return the frame hashes of the nodes, in their order.

        Args:
            group: the group's place among all, by which its clips are told from those of others.
        """
        return node_signatures(self.nodes, group)


def references(group: int | NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers that tell the rows of a group from those of all others: the group's place, and the row's."""
    found: NDArray[np.int64] = (np.asarray(group, dtype=np.int64) << np.int64(ROW_BITS)) | rows
    return found


def node_signatures(nodes: pl.DataFrame, group: int) -> Signatures:
    """Return the frame hashes of nodes (`frame_hashes`, `hash_quality`) that are the rows of a group."""
    numbers = references(group, np.arange(nodes.height, dtype=np.int64))
    return pack_signatures(nodes["frame_hashes"].to_list(), nodes["hash_quality"].to_list(), numbers)


def node_of(content_sha256: pl.Expr, source: pl.Expr, policy: DuplicatePolicy) -> pl.Expr:
    """Return the node of a clip: its content, and inside sources only, its source as well."""
    if policy.scope != "source":
        return content_sha256
    return pl.struct(source=source, content=content_sha256).map_elements(
        lambda own: digest_of(["node", own["source"], own["content"]]), return_dtype=pl.String
    )


def read_clips(
    store: Store, commits: Sequence[UnitCommit], policy: DuplicatePolicy, *, hashes: bool = True
) -> GroupClips:
    """Return the clips of units, without those that scoring lost.

    Args:
        hashes: with their frame hashes.
    """
    own = HASH_COLUMNS if hashes else ()
    rows = read_samples(store, commits, (*COLUMNS, *own)).with_columns(
        node=node_of(pl.col("content_sha256"), pl.col("source"), policy)
    )
    ordered = rows.sort("content_sha256", "node", "media_sha256", "sample_id", "unit")
    nodes = ordered.unique("node", keep="first", maintain_order=True)
    return GroupClips(
        tellings=rows.select(
            "sample_id",
            "source",
            "node",
            "video_sha256",
            "start_us",
            "end_us",
            "duration_us",
            pixels=pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64),
        ),
        nodes=nodes.select("node", "media_sha256", "content_sha256", *own),
    )


def only_samples(clips: GroupClips, samples: pl.Series) -> GroupClips:
    """Return the clips of some samples.

    Raises:
        ValueError: one of them is not among the clips.
    """
    tellings = clips.tellings.filter(pl.col("sample_id").is_in(samples.implode()))
    missing = len(samples) - tellings["sample_id"].n_unique()
    if missing:
        raise ValueError(f"{missing} samples that are in shards are not among the clips of their units")
    return GroupClips(tellings=tellings, nodes=clips.nodes.filter(pl.col("node").is_in(tellings["node"].implode())))


def kept_rows(clips: GroupClips, kept: GroupClips) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """Return the rows of clips that are among some of them, ascending, and of each row its place among these or -1."""
    among = clips.nodes["node"].is_in(kept.nodes["node"].implode()).to_numpy()
    return np.flatnonzero(among).astype(np.uint32), np.where(among, np.cumsum(among) - 1, -1).astype(np.int32)


def read_embeddings(store: Store, commits: Sequence[UnitCommit]) -> pl.DataFrame:
    """Return `media_sha256` and `vector` (little-endian float16) of units' clips, each once."""
    tables = [read_columns(store, commit, "embeddings", ("media_sha256", "vector")) for commit in commits]
    frame = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    return frame.unique("media_sha256", keep="first", maintain_order=True)


def read_texts(store: Store, commits: Sequence[UnitCommit]) -> pl.DataFrame:
    """Return `text_id` and `text` of units' texts."""
    tables = [read_columns(store, commit, "texts", ("text_id", "text")) for commit in commits]
    return pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))


def as_vectors(column: pl.Series) -> NDArray[np.float16]:
    """Return stored vectors as float16 [n, D]."""
    return np.frombuffer(b"".join(column.to_list()), dtype="<f2").reshape(len(column), -1 if len(column) else 0)


def read_vectors(
    store: Store, commits: Sequence[UnitCommit], clips: GroupClips
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """Return the embeddings of a group's nodes: places in `clips.nodes`, and float16 [n, D]; some have none."""
    placed = clips.nodes.select("media_sha256").with_row_index("place")
    known = read_embeddings(store, commits)
    found = placed.join(known, on="media_sha256", how="inner", maintain_order="left")
    return found["place"].to_numpy().astype(np.int64), as_vectors(found["vector"])
