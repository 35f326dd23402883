"""The work of the duplicates job as functions of tables: what each task reads, compares and leaves.

What it does with frame hashes stands in `curation.duplicates.perceptual_tasks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.duplicates.cell_search import Members, search_cell
from curation.duplicates.cells import Cells, assign
from curation.duplicates.clips import GroupClips
from curation.duplicates.components import LABELS, partitions
from curation.duplicates.edges import EDGES, EdgeKind, strongest
from curation.duplicates.overlap import SPANS, OverlapOptions, overlap_edges
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.texts import GROUPS, near_texts
from curation.duplicates.vectors import quantise
from schemas import duplicates as policies
from schemas.arrow import DUPLICATE_BASE, DUPLICATE_EDGES, DUPLICATE_MEMBERS, table_bytes
from schemas.statistics import ThresholdYield

Counts = dict[str, int]
# 2**64 / golden ratio: multiplying by it spreads numbers that differ in any bit over the upper ones.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
MEMBERS = pl.Schema(
    {
        "node": pl.String,
        "duplicate_group": pl.String,
        "near_group": pl.String,
        "near_size": pl.Int64,
        "benchmark": pl.String,
    }
)
# Of a label of one kind of group (`duplicate`, `near`): how many nodes it joins, and the benchmark that it holds a clip
# of. Of kind `node`: a node that a benchmark shows as well.
LABEL_FACTS = pl.Schema({"kind": pl.String, "label": pl.String, "size": pl.Int64, "benchmark": pl.String})


def spread(numbers: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Return the part of each number, one of 2**bits."""
    if bits == 0:
        return np.zeros(len(numbers), dtype=np.int64)
    return ((numbers * _SPREAD) >> np.uint64(64 - bits)).astype(np.int64)


def meeting_parts(part: int, bits: int, other_bits: int) -> range:
    """Return the parts of 2**other_bits that hold nodes of a part of 2**bits: both are first bits of the node."""
    if other_bits <= bits:
        return range(part >> (bits - other_bits), (part >> (bits - other_bits)) + 1)
    return range(part << (other_bits - bits), (part + 1) << (other_bits - bits))


def span_rows(clips: GroupClips, bits: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield (part, SPANS) of a group's clips, by their video."""
    rows = clips.tellings.select(list(SPANS)).unique().sort(list(SPANS))
    return partitions(rows, bits, column="video_sha256")


def find_overlaps(
    frames: Sequence[pl.DataFrame], known: Sequence[pl.DataFrame], policy: policies.OverlapOptions
) -> tuple[pl.DataFrame, Counts]:
    """Return the EDGES between clips that overlap, and what was capped.

    Args:
        known: of the frames, those of the base: two clips of them have no edge.
    """
    rows = pl.concat(list(frames)).unique().sort(list(SPANS))
    found = overlap_edges(rows, OverlapOptions(min_share_1e4=round(policy.min_share * 10_000)))
    nodes = pl.concat([SPANS.to_frame(), *known])["node"].unique()
    old = pl.col("a").is_in(nodes.implode()) & pl.col("b").is_in(nodes.implode())
    return found.edges.filter(~old), {
        "overlap_videos_capped": found.videos_capped,
        "overlap_pairs_skipped": found.pairs_skipped,
    }


@dataclass(frozen=True, kw_only=True)
class CellSide:
    """Clips of one group in cells.

    Attributes:
        rows: `cell`, `place` (of the clip's vector), `node` (its place among the nodes), `home`, and `known`: whether
            a base has it: two such clips are not compared.
        nodes: bytes [n], of the group; may be a memory map.
        steps: int16 [n, D] vectors of the group; may be a memory map.
    """

    rows: pl.DataFrame
    nodes: NDArray[np.bytes_]
    steps: NDArray[np.int16]


def search_options(policy: policies.SemanticOptions) -> SearchOptions:
    """Return the kernel's options."""
    return SearchOptions(threshold_1e4=round(policy.min_cosine * 10_000))


def steps_of(vectors: NDArray[np.float16]) -> NDArray[np.int16]:
    """Return embeddings as the integers that are compared; they are normalised, so that each has a direction."""
    return quantise(vectors) if len(vectors) else np.empty((0, 0), dtype=np.int16)


def cell_rows(
    steps: NDArray[np.int16], nodes: NDArray[np.int64], cells: Cells, policy: policies.SemanticOptions, bits: int
) -> pl.DataFrame:
    """Return the cells of a group's vectors: `part`, `cell`, `place`, `node`, `home`.

    Args:
        nodes: of each vector, the place of its clip among the group's nodes.
    """
    assigned = assign(steps, cells, search_options(policy).threshold_1e4)
    places, columns = np.nonzero(assigned >= 0)
    found = assigned[places, columns]
    return pl.DataFrame(
        {
            "part": spread(found.astype(np.uint64), bits),
            "cell": found,
            "place": places,
            "node": nodes[places],
            "home": columns == 0,
        }
    )


def search_cells(
    sides: Sequence[CellSide], policy: policies.SemanticOptions, *, between: bool = False
) -> tuple[pl.DataFrame, Counts]:
    """Return the EDGES between clips of the same cells, and what was counted on the way.

    Args:
        between: compare new clips with known ones only.
    """
    options = search_options(policy)
    rows = pl.concat([side.rows.with_columns(side=pl.lit(place)) for place, side in enumerate(sides)])
    columns = {name: rows[name].to_numpy() for name in ("cell", "side", "place", "node", "home", "known")}
    order = np.lexsort((columns["side"], columns["cell"]))
    columns = {name: column[order] for name, column in columns.items()}
    counts: Counts = {}
    found = []
    for start, end in _runs(columns["cell"]):
        members = _members(sides, {name: column[start:end] for name, column in columns.items()})
        own = search_cell(members, options, between=between)
        for name, number in asdict(own.counts).items():
            counts[f"semantic_{name}"] = counts.get(f"semantic_{name}", 0) + number
        found.append((members.keys[own.pairs.first], members.keys[own.pairs.second], own.pairs.similarity_1e4))
    a, b, similarity_1e4 = (np.concatenate(column) for column in zip(*found, strict=True))
    edges = pl.DataFrame(
        {"a": a.astype("U64"), "b": b.astype("U64"), "similarity_1e4": similarity_1e4},
        schema={name: EDGES[name] for name in ("a", "b", "similarity_1e4")},
    )
    told = edges.with_columns(kind=pl.lit(EdgeKind.SEMANTIC.value), offset_ms=pl.lit(None))
    return strongest([told.select(list(EDGES)).cast(EDGES)]), counts


def _runs(ordered: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the runs of equal values."""
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    yield from zip(starts.tolist(), [*starts[1:].tolist(), len(ordered)], strict=False)


def _members(sides: Sequence[CellSide], columns: Mapping[str, NDArray[Any]]) -> Members:
    """Return the members of one cell; a content that several groups have is one, and known if one of them is.

    Args:
        columns: of the cell's rows, by side.
    """
    runs = [(sides[int(columns["side"][start])], slice(start, end)) for start, end in _runs(columns["side"])]
    keys = np.concatenate([side.nodes[columns["node"][own]] for side, own in runs])
    steps = np.concatenate([side.steps[columns["place"][own]] for side, own in runs])
    names, first, places = np.unique(keys, return_index=True, return_inverse=True)
    known = np.zeros(len(names), dtype=bool)
    known[places[columns["known"]]] = True
    return Members(keys=names, steps=steps[first], home=columns["home"][first], new=~known)


def labels_frame(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return LABELS of several files as one table."""
    return pl.concat([LABELS.to_frame(), *frames])


def label_facts(
    kind: str, labels: Iterable[pl.DataFrame], benchmarks: Mapping[str, str], sizes: bool
) -> Iterator[pl.DataFrame]:
    """Yield LABEL_FACTS of the labels of one kind that something is to be known of.

    Args:
        benchmarks: node of a benchmark's clip -> the benchmark.
        sizes: whether the sizes of all groups are wanted.
    """
    named = pl.DataFrame(
        {"node": list(benchmarks), "benchmark": list(benchmarks.values())},
        schema={"node": pl.String, "benchmark": pl.String},
    )
    for frame in labels:
        known = frame.join(named, on="node", how="left")
        rows = known.group_by("label").agg(size=pl.len().cast(pl.Int64), benchmark=pl.col("benchmark").min())
        wanted = rows if sizes else rows.filter(pl.col("benchmark").is_not_null())
        yield wanted.with_columns(kind=pl.lit(kind)).select(list(LABEL_FACTS))


def add_label_facts(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return LABEL_FACTS added up: a group's nodes may lie in several files."""
    rows = pl.concat([LABEL_FACTS.to_frame(), *frames])
    added = rows.group_by("kind", "label").agg(pl.col("size").sum(), pl.col("benchmark").min())
    return added.select(list(LABEL_FACTS)).sort("kind", "label")


def group_edges(
    frames: Sequence[pl.DataFrame], labels: Mapping[str, pl.DataFrame], policy: policies.DuplicatePolicy
) -> pl.DataFrame:
    """Return each edge once with `group`: the label of the duplicate or near group that it is part of."""
    edges = strongest(frames)
    parts = [edges.clear().with_columns(group=pl.lit(None, dtype=pl.String))]
    for kind in EdgeKind:
        group = "duplicate" if policy.groups(kind.value) else "near"
        own = edges.filter(pl.col("kind") == kind.value)
        parts.append(own.join(labels[group].rename({"node": "a", "label": "group"}), on="a", how="left"))
    return pl.concat(parts, how="diagonal").sort("group", "a", "b", "kind")


def edges_parquet(edges: pl.DataFrame) -> bytes:
    """Return the Parquet file of grouped edges."""
    return table_bytes(edges.to_arrow(), DUPLICATE_EDGES)


def group_texts(
    told: Sequence[tuple[str, pl.DataFrame]], policy: policies.TextOptions
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (group of units, GROUPS) of the texts of a source that have others nearly like them.

    Args:
        told: (group of units, `text_id` and `text` of its texts), all of one source.
    """
    rows = pl.concat([frame.with_columns(units=pl.lit(name)) for name, frame in told])
    # Two units may tell one text.
    once = rows.unique("text_id", keep="first", maintain_order=True)
    found = near_texts(once.select("text_id", "text").iter_rows(), policy.min_jaccard)
    own = rows.select("text_id", "units").join(found, on="text_id", how="inner")
    for (units,), frame in sorted(own.partition_by("units", as_dict=True, include_key=False).items()):
        yield str(units), frame.select(list(GROUPS)).unique().sort("text_id")


def benchmark_nodes(hashes: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Return node -> benchmark of the clips of benchmarks; what stands in two is of the first by name."""
    return {node: name for name in sorted(hashes, reverse=True) for node in hashes[name]["content_sha256"]}


def members_by_group(
    told: Sequence[tuple[str, pl.DataFrame]], labels: Mapping[str, pl.DataFrame], facts: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (group of units, MEMBERS) of the nodes that some group holds.

    Args:
        told: (group of units, `node` and `samples` of its clips), all nodes of one part.
    """
    if not told:
        return
    rows = pl.concat([frame.with_columns(units=pl.lit(name)) for name, frame in told])
    many = rows.group_by("node").agg(many=pl.col("samples").sum() > 1)
    own = (
        rows.join(many, on="node")
        .join(labels["duplicate"].rename({"label": "duplicate_group"}), on="node", how="left")
        .join(labels["near"].rename({"label": "near_group"}), on="node", how="left")
    )
    near = facts.filter(pl.col("kind") == "near").select(near_group="label", near_size="size")
    marked = facts.filter(pl.col("kind") == "duplicate").select(duplicate_group="label", benchmark="benchmark")
    shown = facts.filter(pl.col("kind") == "node").select(node="label", same="benchmark")
    own = (
        own.join(near, on="near_group", how="left")
        .join(marked, on="duplicate_group", how="left")
        .join(shown, on="node", how="left")
        .with_columns(
            duplicate_group=pl.coalesce("duplicate_group", pl.when("many").then("node")),
            benchmark=pl.coalesce("benchmark", "same"),
        )
        .filter(pl.any_horizontal(pl.col("duplicate_group", "near_group", "benchmark").is_not_null()))
    )
    for (units,), frame in sorted(own.partition_by("units", as_dict=True, include_key=False).items()):
        yield str(units), frame.select(list(MEMBERS)).sort("node")


def base_parquet(frames: Sequence[pl.DataFrame], samples: pl.DataFrame) -> bytes:
    """Return the Parquet file of the samples of a base's group that new clips resemble, by id.

    Args:
        frames: MEMBERS of the group.
        samples: the group's samples as DUPLICATE_BASE has them, without `duplicate_group`.
    """
    members = pl.concat(list(frames)).select("node", "duplicate_group").filter(pl.col("duplicate_group").is_not_null())
    found = samples.join(members, on="node", how="inner").select(DUPLICATE_BASE.names).sort("sample_id")
    return table_bytes(found.to_arrow(), DUPLICATE_BASE)


def members_parquet(frames: Sequence[pl.DataFrame]) -> bytes:
    """Return the Parquet file of a group's members, by node."""
    return table_bytes(pl.concat(list(frames)).sort("node").to_arrow(), DUPLICATE_MEMBERS)


def threshold_yields(frames: Iterable[pl.DataFrame], policy: policies.DuplicatePolicy) -> Iterator[ThresholdYield]:
    """Yield what thresholds of each kind would join: the policy's own one, and ten steps above it."""
    rows = pl.concat([EDGES.to_frame(), *frames])
    own = {
        EdgeKind.OVERLAP: policy.overlap.min_share,
        EdgeKind.PERCEPTUAL: policy.perceptual.min_similarity,
        EdgeKind.SEMANTIC: policy.semantic.min_cosine,
    }
    for kind in EdgeKind:
        edges = rows.filter(pl.col("kind") == kind.value)
        ends = pl.concat([edges.select("similarity_1e4", node=side) for side in ("a", "b")])
        best = ends.group_by("node").agg(pl.col("similarity_1e4").max())
        lowest = round(own[kind] * 10_000)
        for threshold in range(lowest, 10_001, max(1, (10_000 - lowest) // 10)):
            reached = pl.col("similarity_1e4") >= threshold
            pairs, contents = edges.filter(reached).height, best.filter(reached).height
            yield ThresholdYield(kind=kind.value, threshold_1e4=threshold, pairs=pairs, contents=contents)
