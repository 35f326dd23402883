"""Edges: two contents that resemble each other, how much, and why it is thought so.

A node is the digest of what a clip shows (64 characters, hexadecimal); all samples whose clips show the same are one
node, so that no edge is needed between them. An edge stands once, with its smaller node in `a`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import polars as pl

# Similarities are integers of 1e-4: 10,000 is "the same".
SAME_1E4 = 10_000
NODE_PATTERN = "^[0-9a-f]{64}$"


class EdgeKind(StrEnum):
    """What joins two nodes, the surest first."""

    OVERLAP = "overlap"
    PERCEPTUAL = "perceptual"
    SEMANTIC = "semantic"


# offset_ms: how much later b starts on a's clock (what a shows at t, b shows at t - offset_ms); null where no time was
# compared.
EDGES = pl.Schema(
    {"a": pl.String, "b": pl.String, "kind": pl.String, "similarity_1e4": pl.Int32, "offset_ms": pl.Int32}
)


class BadEdges(ValueError):
    """A row is no edge."""


def ordered(edges: pl.DataFrame) -> pl.DataFrame:
    """Return EDGES with the smaller node in `a` and offsets turned with it; an edge of a node with itself goes."""
    turned = pl.col("a") > pl.col("b")
    return (
        edges.select(list(EDGES))
        .cast(EDGES)
        .filter(pl.col("a") != pl.col("b"))
        .with_columns(
            a=pl.min_horizontal("a", "b"),
            b=pl.max_horizontal("a", "b"),
            offset_ms=pl.when(turned).then(-pl.col("offset_ms")).otherwise(pl.col("offset_ms")),
        )
    )


def strongest(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return one row per (a, b, kind), sorted: the highest similarity, then the smaller |offset|, then the offset.

    An offset that is known comes before none. Neither the split into frames nor the order of rows matters.
    """
    rows = pl.concat([EDGES.to_frame(), *(ordered(frame) for frame in frames)])
    distance = pl.col("offset_ms").cast(pl.Int64).abs()
    by = ["a", "b", "kind", -pl.col("similarity_1e4"), distance, pl.col("offset_ms")]
    return rows.sort(by, nulls_last=True).unique(["a", "b", "kind"], keep="first", maintain_order=True)


def check_edges(edges: pl.DataFrame, where: str) -> None:
    """Check that rows are edges as `ordered` leaves them.

    Args:
        where: the file or the step that they come from, for the message.

    Raises:
        BadEdges: other columns, a node that is no digest, nodes out of order, an unknown kind, or a similarity that is
            no number from 1 to 10,000; the message says which row, and what is allowed.
    """
    if edges.schema != EDGES:
        raise BadEdges(f"{where}: columns are {dict(edges.schema)}; expected {dict(EDGES)}; find the edges again")
    rules = {
        "nodes are two digests of 64 hexadecimal characters, the smaller one in a": (
            pl.col("a").str.contains(NODE_PATTERN)
            & pl.col("b").str.contains(NODE_PATTERN)
            & (pl.col("a") < pl.col("b"))
        ),
        f"kind is one of {', '.join(EdgeKind)}": pl.col("kind").is_in(list(EdgeKind)),
        f"similarity_1e4 is from 1 to {SAME_1E4}": pl.col("similarity_1e4").is_between(1, SAME_1E4),
    }
    for allowed, rule in rules.items():
        wrong = edges.filter(~rule.fill_null(False))
        if wrong.height:
            found = wrong.row(0, named=True)
            raise BadEdges(
                f"{where}: {wrong.height} rows are no edges, the first is {found}; {allowed}; find them again"
            )
