"""Verify what was left out as a duplicate: each such sample names a kept one that it resembles as much as it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from curation.duplicates.clips import node_of
from curation.judging.rows import read_samples
from curation.store import Store
from schemas.arrow import DUPLICATE_BASE, DUPLICATE_EDGES, DUPLICATE_MEMBERS, SELECTION
from schemas.duplicates import DuplicatePolicy
from schemas.run import BASE_FOLDER, EDGES_FOLDER, MEMBERS_FOLDER
from schemas.units import UnitCommit

# Problems of one kind that are told in full.
TOLD = 3
_COLUMNS = ("sample_id", "keeper", "duplicate_kind", "similarity_1e4", "shard_bucket", "rule")


def duplicate_problems(store: Store, commits: Sequence[UnitCommit], policy: DuplicatePolicy) -> Iterator[str]:
    """Yield a line for each sample that was left out without a kept one like it, and for what leaks a benchmark."""
    selection = _read(store, "selection", SELECTION).select(_COLUMNS)
    nodes = _nodes(store, commits, policy)
    base = _read(store, BASE_FOLDER, DUPLICATE_BASE).select("sample_id", "node")
    yield from _without_keeper(selection, pl.concat([nodes, base]), base["sample_id"], _edges(store), policy)
    members = _read(store, MEMBERS_FOLDER, DUPLICATE_MEMBERS)
    marked = members.filter(pl.col("benchmark").is_not_null()).select("node", "benchmark").unique()
    leaked = selection.filter(pl.col("shard_bucket").is_not_null()).join(nodes, on="sample_id").join(marked, on="node")
    yield from _told(leaked, lambda row: f"sample {row['sample_id']}: goes into a shard, but is of {row['benchmark']}")


def _without_keeper(
    selection: pl.DataFrame, nodes: pl.DataFrame, base: pl.Series, edges: pl.DataFrame, policy: DuplicatePolicy
) -> Iterator[str]:
    removing = [kind for kind in ("exact", "overlap", "perceptual", "semantic") if policy.removes(kind)]
    removed = pl.col("duplicate_kind").is_in(removing).fill_null(False)
    left_out = selection.filter(removed)
    kept = pl.concat([selection.filter(~removed)["sample_id"], base]).to_frame("keeper").with_columns(kept=pl.lit(True))
    found = (
        left_out.join(kept, on="keeper", how="left")
        .join(nodes, on="sample_id", how="left")
        .join(nodes.rename({"sample_id": "keeper", "node": "keeper_node"}), on="keeper", how="left")
        .with_columns(a=pl.min_horizontal("node", "keeper_node"), b=pl.max_horizontal("node", "keeper_node"))
        .join(edges, left_on=["a", "b", "duplicate_kind"], right_on=["a", "b", "kind"], how="left")
    )
    same = (pl.col("duplicate_kind") == "exact") & (pl.col("node") == pl.col("keeper_node"))
    near = (pl.col("edge_1e4") == pl.col("similarity_1e4")) & (pl.col("edge_1e4") >= _thresholds(policy))
    alone = found.filter(pl.col("kept").is_null() | ~(same | near).fill_null(False))
    yield from _told(
        alone,
        lambda row: (
            f"sample {row['sample_id']}: left out as {row['duplicate_kind']} duplicate of {row['keeper']}, which "
            "is not kept or does not resemble it so much"
        ),
    )


def _thresholds(policy: DuplicatePolicy) -> pl.Expr:
    least = {
        "overlap": round(policy.overlap.min_share * 10_000),
        "perceptual": round(policy.perceptual.min_similarity * 10_000),
        "semantic": round(policy.semantic.min_cosine * 10_000),
    }
    return pl.col("duplicate_kind").replace_strict(least, default=10_000, return_dtype=pl.Int32)


def _nodes(store: Store, commits: Sequence[UnitCommit], policy: DuplicatePolicy) -> pl.DataFrame:
    rows = read_samples(store, commits, ("sample_id", "source", "content_sha256"))
    node = node_of(pl.col("content_sha256"), pl.col("source"), policy)
    # Two units that tell one sample tell the same clip.
    return rows.select("sample_id", node=node).unique("sample_id", keep="first", maintain_order=True)


def _edges(store: Store) -> pl.DataFrame:
    return _read(store, EDGES_FOLDER, DUPLICATE_EDGES).select("a", "b", "kind", edge_1e4="similarity_1e4")


def _read(store: Store, folder: str, schema: pa.Schema) -> pl.DataFrame:
    frames = [pl.DataFrame(pl.from_arrow(schema.empty_table()))]
    frames += [pl.read_parquet(store.read(path)) for path in store.list(folder) if path.endswith(".parquet")]
    return pl.concat(frames)


def _told(rows: pl.DataFrame, line: Callable[[dict[str, Any]], str]) -> Iterator[str]:
    for row in rows.head(TOLD).iter_rows(named=True):
        yield line(row)
    if rows.height > TOLD:
        yield f"and {rows.height - TOLD} samples more like the last one"
