"""Connected components of edge files of any size: small Beam pipelines in a loop, until no file changes any more.

Few edges are labelled in this process. For many, each round is one pipeline over files in the scratch folder (see
`curation.duplicates.components`); what its steps changed stands in files beside the stars, so that the loop ends the
same on every runner.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import apache_beam as beam
import polars as pl

from curation.duplicates.components import (
    CHUNK_ROWS,
    LABELS,
    StarStep,
    label_components,
    labels_of,
    lowest_of,
    partition_bits,
    partitions,
    stars_of,
    take_lowest,
    told_of,
)
from curation.duplicates.edges import check_edges
from curation.judging.sums import pack, unpack
from curation.store import Store
from curation.stores import open_store
from pipelines.engine import EngineOptions, running
from pipelines.scratch import write_scratch

# Rows about nodes that are compared at once: about 500 MB.
ROWS_PER_PARTITION = 1_000_000
# Paths that travel as one element.
PATHS_PER_FILE = 300


class ComponentsNotSettled(RuntimeError):
    """Files still change after the last round that is allowed."""


@dataclass(frozen=True, kw_only=True)
class ComponentOptions:
    """When edges are labelled in this process, and how large pieces are.

    Attributes:
        local_edges: so many edges at most are labelled in this process: about 400 MB.
        edges_per_file: edges of one file of stars, about: a worker holds one at a time, 300 MB.
        max_rounds: after so many rounds the loop gives up. Rounds grow with the logarithm of the longest chain.
    """

    local_edges: int = 2_000_000
    edges_per_file: int = 500_000
    max_rounds: int = 40

    def __post_init__(self) -> None:
        for name, least in (("local_edges", 0), ("edges_per_file", 1), ("max_rounds", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed {least} or more; leave it out")


@dataclass(frozen=True, kw_only=True)
class EdgeFile:
    """A packed table of EDGES in the run's folder, and how many rows it has."""

    path: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Components:
    """What was found.

    Attributes:
        files: packed LABELS, each node in exactly one of them; the same rows whichever way was taken.
        nodes, groups: how many there are.
        way: `local`, or `stars` with the rows that changed in each round, the last of which changed none.
    """

    files: tuple[str, ...]
    nodes: int
    groups: int
    way: Literal["local", "stars"]
    changes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where edges of some kinds are joined, and into how many parts nodes are shared out."""

    root: str
    folder: str
    kinds: tuple[str, ...]
    bits: int

    @property
    def store(self) -> Store:
        return open_store(self.root)

    def read_edges(self, paths: Sequence[str]) -> Iterator[pl.DataFrame]:
        for path in paths:
            edges = unpack(self.store.read(path))
            check_edges(edges, path)
            yield edges.filter(pl.col("kind").is_in(self.kinds))

    def write_stars(self, turn: str, name: str, stars: pl.DataFrame, changed: int) -> None:
        self.store.write(f"{self.folder}/stars/{turn}/{name}.arrow", pack(stars))
        write_scratch(self.root, f"{self.folder}/stars/{turn}", name, changed)

    def read_stars(self, turn: str, name: str) -> pl.DataFrame:
        return unpack(self.store.read(f"{self.folder}/stars/{turn}/{name}.arrow"))

    def changed(self, turn: str, names: Iterable[str]) -> int:
        return sum(int(json.loads(self.store.read(f"{self.folder}/stars/{turn}/{name}.json"))) for name in names)

    def drop_stars(self, turn: str) -> None:
        for path in list(self.store.list(f"{self.folder}/stars/{turn}")):
            self.store.delete(path)

    def write_labels(self, partition: int, labels: pl.DataFrame) -> None:
        name = f"{partition:03x}"
        self.store.write(f"{self.folder}/labels/{name}.arrow", pack(labels))
        counts = [labels.height, labels.filter(pl.col("node") == pl.col("label")).height]
        write_scratch(self.root, f"{self.folder}/counts", name, counts)

    def found(self) -> Components:
        counts = [json.loads(self.store.read(path)) for path in self.store.list(f"{self.folder}/counts")]
        return Components(
            files=tuple(self.store.list(f"{self.folder}/labels")),
            nodes=sum(nodes for nodes, _ in counts),
            groups=sum(groups for _, groups in counts),
            way="local",
        )


def find_components(
    root: str,
    folder: str,
    files: Sequence[EdgeFile],
    kinds: Sequence[str],
    engine: EngineOptions,
    options: ComponentOptions | None = None,
) -> Components:
    """Label the components that edges of some kinds make.

    Args:
        root: the run's folder.
        folder: an empty scratch folder in it, relative.
        kinds: of EdgeKind; edges of other kinds are passed over.

    Raises:
        ComponentsNotSettled: files still change after `max_rounds`.
        curation.duplicates.edges.BadEdges: a file holds something else.
    """
    options = options or ComponentOptions()
    rows = sum(file.rows for file in files)
    # Both ends of each edge are nodes.
    where = _Place(root=root, folder=folder, kinds=tuple(kinds), bits=partition_bits(2 * rows, ROWS_PER_PARTITION))
    if rows <= options.local_edges:
        labels = label_components(where.read_edges([file.path for file in files]))
        for partition, own in partitions(labels, where.bits):
            where.write_labels(partition, own)
        return where.found()
    changes = _settle(where, _star_files(files, options.edges_per_file), engine, options.max_rounds)
    return replace(where.found(), way="stars", changes=changes)


def _star_files(files: Sequence[EdgeFile], edges_per_file: int) -> dict[str, tuple[str, ...]]:
    """Return name of a file of stars -> the edge files that it is made of: neighbours, up to a number of edges."""
    taken: list[list[str]] = []
    rows = 0
    for file in files:
        if not taken or rows + file.rows > edges_per_file or len(taken[-1]) == PATHS_PER_FILE:
            taken.append([])
            rows = 0
        taken[-1].append(file.path)
        rows += file.rows
    return {f"{number:05d}": tuple(paths) for number, paths in enumerate(taken)}


def _settle(
    where: _Place, star_files: Mapping[str, tuple[str, ...]], engine: EngineOptions, max_rounds: int
) -> tuple[int, ...]:
    """Run rounds until none changes a file, then write the labels; return what each round changed."""
    names, turn = list(star_files), "start"
    changes: list[int] = []
    with running(engine) as pipeline:
        _ = pipeline | "Files" >> beam.Create(list(star_files.items())) | "MakeStars" >> beam.ParDo(MakeStars(where))
    while not changes or changes[-1]:
        if len(changes) == max_rounds:
            raise ComponentsNotSettled(
                f"{where.folder}: groups of duplicates still change after {max_rounds} rounds, which changed {changes} "
                "rows; if the numbers fall, allow more rounds (max_rounds); if not, report it"
            )
        half, whole = f"{len(changes):03d}-large", f"{len(changes):03d}-small"
        with running(engine) as pipeline:
            _ = (
                pipeline
                | "Files" >> beam.Create(names)
                | "LargeStar" >> OneStep(where, StarStep.LARGE, turn, half)
                | "SmallStar" >> OneStep(where, StarStep.SMALL, half, whole)
            )
        changes.append(where.changed(half, names) + where.changed(whole, names))
        for old in (turn, half):
            where.drop_stars(old)
        turn = whole
    with running(engine) as pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create(names)
            | "TellLabels" >> beam.ParDo(TellLabels(where, turn))
            | "ByPartition" >> beam.GroupByKey()
            | "WriteLabels" >> beam.ParDo(WriteLabels(where))
        )
    return tuple(changes)


class OneStep(beam.PTransform):
    """Names of files of stars -> the same names, once their stars after one step are written.

    Args:
        before, after: the turns that are read and written; a repeat of any part writes the same files again.
    """

    def __init__(self, where: _Place, step: StarStep, before: str, after: str) -> None:
        super().__init__()
        self.where, self.step, self.before, self.after = where, step, before, after

    def expand(self, names: beam.PCollection[str]) -> beam.PCollection[str]:
        """Wire the step."""
        lowest = (
            names
            | "Tell" >> beam.ParDo(TellRoots(self.where, self.step, self.before))
            | "ByPartition" >> beam.GroupByKey()
            | "FindLowest" >> beam.ParDo(FindLowest(self.step))
        )
        return (
            {"file": names | "ByName" >> beam.Map(lambda name: (name, name)), "lowest": lowest}
            | "JoinLowest" >> beam.CoGroupByKey()
            | "TakeLowest" >> beam.ParDo(TakeLowest(self.where, self.step, self.before, self.after))
        )


class MakeStars(beam.DoFn):
    """(name, paths of edge files) -> their stars in the scratch folder."""

    def __init__(self, where: _Place) -> None:
        self.where = where

    def process(self, element: tuple[str, tuple[str, ...]]) -> None:
        name, paths = element
        pieces = [stars_of(edges.select(leaf="a", root="b")) for edges in self.where.read_edges(paths)]
        self.where.write_stars("start", name, stars_of(pl.concat(pieces)), 0)


class TellRoots(beam.DoFn):
    """Name of a file of stars -> (partition, (name, packed TOLD))."""

    def __init__(self, where: _Place, step: StarStep, turn: str) -> None:
        self.where, self.step, self.turn = where, step, turn

    def process(self, name: str) -> Iterator[tuple[int, tuple[str, bytes]]]:
        told = told_of(self.where.read_stars(self.turn, name), self.step)
        for partition, rows in partitions(told, self.where.bits):
            for chunk in rows.iter_slices(CHUNK_ROWS):
                yield partition, (name, pack(chunk))


class FindLowest(beam.DoFn):
    """(partition, all that was told about its nodes) -> (name of a file, packed TOLD that it must learn)."""

    def __init__(self, step: StarStep) -> None:
        self.step = step

    def process(self, element: tuple[int, Iterable[tuple[str, bytes]]]) -> Iterator[tuple[str, bytes]]:
        told = ((name, unpack(data)) for name, data in element[1])
        for name, chunk in lowest_of(told, self.step):
            yield name, pack(chunk)


class TakeLowest(beam.DoFn):
    """(name, what its file must learn) -> the name, its stars after the step written."""

    def __init__(self, where: _Place, step: StarStep, before: str, after: str) -> None:
        self.where, self.step, self.before, self.after = where, step, before, after

    def process(self, element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[str]:
        name, joined = element
        news = (unpack(data) for data in joined["lowest"])
        stars, changed = take_lowest(self.where.read_stars(self.before, name), news, self.step)
        self.where.write_stars(self.after, name, stars, changed)
        yield name


class TellLabels(beam.DoFn):
    """Name of a file of stars that changes no more -> (partition, packed LABELS)."""

    def __init__(self, where: _Place, turn: str) -> None:
        self.where, self.turn = where, turn

    def process(self, name: str) -> Iterator[tuple[int, bytes]]:
        for partition, rows in partitions(labels_of(self.where.read_stars(self.turn, name)), self.where.bits):
            for chunk in rows.iter_slices(CHUNK_ROWS):
                yield partition, pack(chunk)


class WriteLabels(beam.DoFn):
    """(partition, packed LABELS) -> one file of the result."""

    def __init__(self, where: _Place) -> None:
        self.where = where

    def process(self, element: tuple[int, Iterable[bytes]]) -> None:
        partition, told = element
        labels = pl.concat([LABELS.to_frame(), *(unpack(data) for data in told)]).unique().sort("node", "label")
        if labels["node"].n_unique() != labels.height:
            raise ComponentsNotSettled(
                f"{self.where.folder}: a node has two labels in partition {partition}; report it"
            )
        self.where.write_labels(partition, labels)
