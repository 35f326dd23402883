"""Connected components: which nodes hang together, in memory, or in rounds over files that each fit in memory.

The rounds are the alternating large-star and small-star of Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii,
"Connected Components in MapReduce and Beyond" (SoCC 2014), laid out so that no worker ever holds the neighbours of a
node that has very many. Edges stay in the file where they are; what travels is one row per node and file:

    each file           is kept as stars: every node but the smallest of its component hangs on that one (`stars_of`)
    told                each file tells the root of each of its nodes
    lowest              where a node's rows meet, the smallest of its roots goes back to the files that hold another
    large star          a root that hangs on a smaller node elsewhere hands its leaves to that node
    small star          a leaf that hangs on a smaller root elsewhere is let go; its root here hangs on that one

A file never grows. When no file changes any more, a root is a leaf nowhere and a leaf has one root everywhere: the
stars are the components.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# A node and the smallest node of its component.
LABELS = pl.Schema({"node": pl.String, "label": pl.String})
# Leaves and the root that each hangs on, which is smaller; a root has no row.
STARS = pl.Schema({"leaf": pl.String, "root": pl.String})
# A node and the smallest known node that it hangs on; null asks for it.
TOLD = pl.Schema({"node": pl.String, "lowest": pl.String})
# Rows of TOLD in one element of a shuffle: two digests each, under 50 kB when packed.
CHUNK_ROWS = 600
# Nodes are shared out by their first three hexadecimal digits at most.
PARTITION_DIGITS = 3
MAX_PARTITION_BITS = 4 * PARTITION_DIGITS


class StarStep(StrEnum):
    """The two halves of a round."""

    LARGE = "large"
    SMALL = "small"


def label_components(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return LABELS of all nodes of edges, sorted by node, in memory.

    Args:
        frames: each with String columns `a` and `b`; an edge of a node with itself counts for nothing.
    """
    pieces = [stars_of(frame.select(leaf="a", root="b")) for frame in frames]
    return labels_of(stars_of(pl.concat([STARS.to_frame(), *pieces])))


def stars_of(edges: pl.DataFrame) -> pl.DataFrame:
    """Return STARS with the same components as edges, sorted by leaf: at most as many rows.

    Args:
        edges: String columns `leaf` and `root`, in either order; an edge of a node with itself is left out.
    """
    edges = edges.filter(pl.col("leaf") != pl.col("root"))
    if not edges.height:
        return STARS.to_frame()
    nodes = pl.concat([edges["leaf"], edges["root"]]).unique().sort()
    roots = _lowest_places(_places(edges["leaf"], nodes), _places(edges["root"], nodes), len(nodes))
    leaves = np.flatnonzero(roots != np.arange(len(nodes)))
    return pl.DataFrame({"leaf": nodes.gather(leaves), "root": nodes.gather(roots[leaves])}, schema=STARS)


def _places(column: pl.Series, nodes: pl.Series) -> NDArray[np.int32]:
    """Return the place of each value among sorted nodes."""
    known = pl.DataFrame({"node": nodes, "place": np.arange(len(nodes), dtype=np.int32)})
    return pl.DataFrame({"node": column}).join(known, on="node", how="left", maintain_order="left")["place"].to_numpy()


def _lowest_places(left: NDArray[np.int32], right: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return for each of `count` nodes the lowest one of its component."""
    edges = coo_array((np.ones(len(left), dtype=np.bool_), (left, right)), shape=(count, count))
    _, labels = connected_components(edges, directed=False)
    _, first = np.unique(labels, return_index=True)
    return first[labels]


def labels_of(stars: pl.DataFrame) -> pl.DataFrame:
    """Return LABELS of the leaves and the roots of stars, sorted by node."""
    roots = stars["root"].unique()
    both = pl.concat([stars.select(node="leaf", label="root"), pl.DataFrame({"node": roots, "label": roots})])
    return both.cast(LABELS).sort("node")


def told_of(stars: pl.DataFrame, step: StarStep) -> pl.DataFrame:
    """Return TOLD of one file's stars: each leaf with its root and, before a large star, the roots that ask."""
    told = stars.select(node="leaf", lowest="root")
    if step is StarStep.SMALL:
        return told
    asking = pl.DataFrame({"node": stars["root"].unique(maintain_order=True)}).with_columns(
        lowest=pl.lit(None, dtype=pl.String)
    )
    return pl.concat([told, asking])


def lowest_of(told: Iterable[tuple[str, pl.DataFrame]], step: StarStep) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (file, TOLD) of the nodes for which a file must learn a smaller one, in chunks, sorted.

    Args:
        told: (file, TOLD), in any order: all rows there are about their nodes.
    """
    pieces = [frame.with_columns(file=pl.lit(file)) for file, frame in told]
    rows = pl.concat([pl.DataFrame(schema={**TOLD, "file": pl.String}), *pieces])
    lowest = rows.group_by("node").agg(found=pl.col("lowest").min())
    # A root asks with null; what it gets is smaller than itself, since what a node hangs on always is.
    late = pl.col("lowest").is_null() if step is StarStep.LARGE else pl.col("found") < pl.col("lowest")
    news = rows.join(lowest, on="node").filter(late & pl.col("found").is_not_null())
    for (file,), frame in news.sort("file", "node").partition_by("file", as_dict=True, maintain_order=True).items():
        for chunk in frame.select(node="node", lowest="found").iter_slices(CHUNK_ROWS):
            yield str(file), chunk


def take_lowest(stars: pl.DataFrame, news: Iterable[pl.DataFrame], step: StarStep) -> tuple[pl.DataFrame, int]:
    """Return a file's STARS after one step, and how many of its rows changed.

    Args:
        news: TOLD as `lowest_of` yields them for this file, in any order.
    """
    lowest = pl.concat([TOLD.to_frame(), *news])
    if not lowest.height:
        return stars, 0
    side = "root" if step is StarStep.LARGE else "leaf"
    known = stars.join(lowest, left_on=side, right_on="node", how="left", maintain_order="left")
    news_of = pl.col("lowest").is_not_null()
    if step is StarStep.LARGE:
        moved = known.select("leaf", root=pl.coalesce("lowest", "root"))
    else:
        # The leaf hangs on the smaller root in the file that told of it.
        moved = known.select(leaf=pl.when(news_of).then("root").otherwise("leaf"), root=pl.coalesce("lowest", "root"))
    return stars_of(moved), int(known.select(news_of.sum()).item())


def partition_bits(rows: int, partition_rows: int) -> int:
    """Return how many bits share rows out into parts of about `partition_rows` at most."""
    bits = 0
    while bits < MAX_PARTITION_BITS and rows > partition_rows << bits:
        bits += 1
    return bits


def partitions(frame: pl.DataFrame, bits: int, column: str = "node") -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield (partition, rows) of a frame by the first bits of a column of digests."""
    digits = pl.col(column).str.slice(0, PARTITION_DIGITS).str.to_integer(base=16, dtype=pl.Int64)
    keyed = frame.with_columns(partition=digits // (1 << (MAX_PARTITION_BITS - bits)))
    parts = keyed.partition_by("partition", as_dict=True, include_key=False, maintain_order=True)
    for (partition,), rows in sorted(parts.items()):
        yield int(partition), rows
