"""Clips of one video whose spans overlap: edges from times alone, without a look at a frame.

Spans are compared along each video in the order of their starts, so that the cost follows the overlaps that there are.
A video whose spans all lie on each other would have a square of them; it is capped, see `overlap_edges`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.duplicates.edges import SAME_1E4, EdgeKind, strongest

SPANS = pl.Schema(
    {
        "video_sha256": pl.String,
        "start_us": pl.Int64,
        "end_us": pl.Int64,
        "duration_us": pl.Int64,
        "node": pl.String,
    }
)
# Pairs that are held at once: some 100 MB.
BLOCK_PAIRS = 1_000_000
US_PER_MS = 1_000

Integers = NDArray[np.int64]
Pairs = tuple[Integers, Integers]


@dataclass(frozen=True, kw_only=True)
class OverlapOptions:
    """When two spans of a video are copies of each other.

    Attributes:
        min_share_1e4: the least share of the shorter span that both have, 1 to 10,000.
        max_neighbours: a video in which a span meets more others than this on average, counted once per pair, is
            capped. A window of 10 s that moves on by 0.25 s meets 40.
    """

    min_share_1e4: int
    max_neighbours: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.min_share_1e4 <= SAME_1E4:
            raise ValueError(
                f"min_share_1e4 is {self.min_share_1e4}; allowed 1 to {SAME_1E4} (5000 is half of the shorter span)"
            )
        if self.max_neighbours < 1:
            raise ValueError(f"max_neighbours is {self.max_neighbours}; allowed 1 or more; leave it out for 64")


@dataclass(frozen=True, kw_only=True)
class Overlaps:
    """What was found.

    Attributes:
        edges: EDGES of kind `overlap`; the similarity is the share of the shorter span that both have, rounded down.
        videos_capped: videos of which not every pair was compared; their groups are whole nevertheless.
        pairs_skipped: pairs of spans in them that share a time and were not compared.
    """

    edges: pl.DataFrame
    videos_capped: int
    pairs_skipped: int


@dataclass(frozen=True)
class _Spans:
    """Rows sorted by video, start and end; `video` counts videos, times are microseconds."""

    video: Integers
    start: Integers
    end: Integers
    node: pl.Series


def overlap_edges(spans: pl.DataFrame, options: OverlapOptions) -> Overlaps:
    """Return the edges between spans that share enough of their time.

    In a capped video each span is compared with the next `max_neighbours` by start, and edges through pivots (see
    `spanning_pairs`) join what all pairs would join: at most `max_neighbours + 3` edges per span. Who is kept in such
    a group may then overlap with another that is kept.

    Args:
        spans: SPANS; a null start is the video's start, a null end lies `duration_us` after the start. A video's rows
            must all be there.

    Raises:
        ValueError: a span ends before it starts, or lacks what it needs.
    """
    rows = _sorted(spans)
    meets = _meets(rows)
    videos = int(rows.video[-1]) + 1 if len(rows.video) else 0
    sizes = np.bincount(rows.video, minlength=videos)
    pairs = np.bincount(rows.video, weights=meets, minlength=videos).astype(np.int64)
    capped = pairs > sizes * options.max_neighbours
    compared = np.where(capped[rows.video], np.minimum(meets, options.max_neighbours), meets)
    found = [_edges(rows, pair, options) for pair in next_pairs(compared)]
    found += [_edges(rows, pair, options) for pair in _pivot_pairs(rows, capped, options.min_share_1e4)]
    return Overlaps(
        edges=strongest(found),
        videos_capped=int(capped.sum()),
        pairs_skipped=int((meets - compared).sum()),
    )


def _sorted(spans: pl.DataFrame) -> _Spans:
    start = pl.col("start_us").fill_null(0)
    filled = spans.select(list(SPANS)).cast(SPANS).with_columns(start_us=start)
    filled = filled.with_columns(end_us=pl.coalesce("end_us", pl.col("start_us") + pl.col("duration_us")))
    fits = (pl.col("end_us") > pl.col("start_us")) & pl.col("video_sha256").is_not_null() & pl.col("node").is_not_null()
    wrong = filled.filter(~fits.fill_null(False))
    if wrong.height:
        raise ValueError(
            f"{wrong.height} spans are none, the first is {wrong.row(0, named=True)}; "
            "a span has a video, a node, and ends after it starts; ingest the source again"
        )
    rows = filled.drop("duration_us").unique().sort("video_sha256", "start_us", "end_us", "node")
    return _Spans(
        video=rows["video_sha256"].rle_id().cast(pl.Int64).to_numpy(),
        start=rows["start_us"].to_numpy(),
        end=rows["end_us"].to_numpy(),
        node=rows["node"],
    )


def _meets(rows: _Spans) -> Integers:
    """Return how many of the spans that follow each one in its video start before it ends; they are the next ones."""
    count = len(rows.video)
    times, places = np.unique(np.concatenate([rows.start, rows.end]), return_inverse=True)
    # The place of a time among all times, behind the video: one sorted number for both.
    base = rows.video * (len(times) + 1)
    starts, ends = base + places[:count], base + places[count:]
    return np.searchsorted(starts, ends, side="left") - np.arange(count) - 1


def next_pairs(counts: Integers, block_pairs: int = BLOCK_PAIRS) -> Iterator[Pairs]:
    """Yield (places, places) of each row with as many of those that follow it as it counts.

    Args:
        counts: int64 [n], at least 0; what follows must be there.
        block_pairs: pairs of one yield at most, or those of one row.
    """
    before = np.concatenate([[0], np.cumsum(counts)])
    start = 0
    while start < len(counts):
        stop = int(np.searchsorted(before, before[start] + block_pairs, side="right")) - 1
        stop = min(max(stop, start + 1), len(counts))
        own = counts[start:stop]
        left = np.repeat(np.arange(start, stop), own)
        yield left, left + 1 + np.arange(len(left)) - np.repeat(before[start:stop] - before[start], own)
        start = stop


def _pivot_pairs(rows: _Spans, capped: NDArray[np.bool_], min_share_1e4: int) -> Iterator[Pairs]:
    edges = np.searchsorted(rows.video, np.arange(len(capped) + 1))
    for video in np.flatnonzero(capped):
        first, last = edges[video], edges[video + 1]
        left, right = spanning_pairs(rows.start[first:last], rows.end[first:last], min_share_1e4)
        yield left + first, right + first


def spanning_pairs(start: Integers, end: Integers, min_share_1e4: int) -> Pairs:
    """Return at most three pairs per span that join what all pairs with enough overlap join, in O(n log n).

    The pivots are the spans that lie in no other; by start they are sorted by end, too. Each span lies in a pivot: that
    pair is taken. Two spans with enough overlap: the shorter one has it with the longer one's pivot as well, and the
    pivots with which a span shares what it needs follow each other. So the group is whole once neighbouring pivots are
    joined through one span whose run of pivots holds both.

    Args:
        start, end: int64 [n], sorted by start; each span is not empty.
        min_share_1e4: the least overlap, as a share of the shorter span.

    Returns:
        Places in the arrays, int64 [m] each; each pair has enough overlap.
    """
    order = np.lexsort((-end, start))
    high = np.maximum.accumulate(end[order])
    is_pivot = np.concatenate([[True], end[order][1:] > high[:-1]])
    pivots = order[is_pivot]
    needed = -(-min_share_1e4 * (end - start) // SAME_1E4)
    low = np.searchsorted(end[pivots], start + needed, side="left")
    top = np.searchsorted(start[pivots], end - needed, side="right") - 1
    # For each gap between pivots the span that reaches farthest right among those that begin at its left or before.
    reach = np.full(len(pivots), -1, dtype=np.int64)
    np.maximum.at(reach, low, top * len(start) + np.arange(len(start)))
    reach = np.maximum.accumulate(reach)
    gaps = np.flatnonzero(reach[:-1] // len(start) > np.arange(len(pivots) - 1))
    through = reach[gaps] % len(start)
    left = np.concatenate([order, through, through])
    right = np.concatenate([pivots[np.cumsum(is_pivot) - 1], pivots[gaps], pivots[gaps + 1]])
    other = left != right
    return left[other], right[other]


def _edges(rows: _Spans, pairs: Pairs, options: OverlapOptions) -> pl.DataFrame:
    """Return the edges of those pairs that share enough."""
    left, right = pairs
    shared = np.minimum(rows.end[left], rows.end[right]) - np.maximum(rows.start[left], rows.start[right])
    shorter = np.minimum(rows.end[left] - rows.start[left], rows.end[right] - rows.start[right])
    similarity = shared * SAME_1E4 // shorter
    near = similarity >= options.min_share_1e4
    left, right = left[near], right[near]
    later = rows.start[right] - rows.start[left]
    # Rounded by its size, so that turning the edge turns the offset.
    offset = np.sign(later) * ((np.abs(later) + US_PER_MS // 2) // US_PER_MS)
    return pl.DataFrame(
        {
            "a": rows.node.gather(left),
            "b": rows.node.gather(right),
            "kind": pl.repeat(EdgeKind.OVERLAP.value, len(left), dtype=pl.String, eager=True),
            "similarity_1e4": similarity[near],
            "offset_ms": offset,
        }
    )
