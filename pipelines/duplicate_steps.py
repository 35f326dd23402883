"""The steps of the duplicates job. Rows lie in files of the stage's scratch folder; only their places are shuffled."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
from numpy.typing import NDArray

from curation.duplicates import tasks
from curation.duplicates.cells import Cells
from curation.duplicates.clips import GroupClips, only_samples, read_clips, read_texts, read_vectors
from curation.duplicates.components import partitions
from curation.duplicates.edges import EDGES
from curation.duplicates.signatures import Signatures
from curation.judging.rows import UnitGroup
from curation.judging.sums import pack, unpack
from curation.store import Store
from curation.stores import is_bucket
from pipelines import scratch
from pipelines.base import Base
from pipelines.units import ScoredUnits
from schemas.arrow import DUPLICATE_TEXTS, table_bytes
from schemas.duplicates import BASE_MARK, DuplicatePolicy
from schemas.run import EDGES_FOLDER, base_members_path, members_path, text_groups_path
from schemas.units import UnitCommit

# What is compared: a key of the first shuffle is `kind/scope/part`, one of the second `pairs/group`.
SPANS, POSTINGS, CELLS, TEXTS, PAIRS = "spans", "postings", "cells", "texts", "pairs"
# What the second job reads, by part of the nodes.
NODES, EDGE_ROWS = "nodes", "edges"
CELLS_FILE = "cells.bin"
# Before the name of a group of the base: no source has a + in its name.
BASE = "base+"
SIGNATURE_ARRAYS = ("starts", "words", "quality", "clips")
Place = tuple[str, str]


def base_group(place: int, group: UnitGroup) -> str:
    """Return the name of a group of units of a base, by the base's place among the bases."""
    return f"{BASE}{place}-{group.name}"


@dataclass(frozen=True, kw_only=True)
class DuplicatesJob:
    """What every step needs.

    Attributes:
        folder: the stage's scratch folder, relative to the run.
        groups: names of all groups of units, sorted, of those of the base, and of the benchmarks: a clip's group is
            told by its place among these.
        benchmarks: how many of them are benchmarks.
        bits: rows that may meet, and nodes, are shared out into 2**bits parts.
        bases: the earlier builds that new clips are compared with.
    """

    policy: DuplicatePolicy
    units: ScoredUnits
    folder: str
    groups: tuple[str, ...]
    benchmarks: int
    bits: int
    bases: tuple[Base, ...] = ()

    @property
    def root(self) -> str:
        """The run's folder."""
        return self.units.root

    @property
    def store(self) -> Store:
        """The run's store."""
        return self.units.store

    @cached_property
    def number(self) -> dict[str, int]:
        """Name of a group -> its place."""
        return {name: place for place, name in enumerate(self.groups)}

    @cached_property
    def first_known(self) -> int:
        """Groups from this place on are of the base or of benchmarks: their clips are compared with new ones only."""
        return self.first_benchmark - sum(len(base.groups) for base in self.bases)

    @property
    def first_benchmark(self) -> int:
        """Groups from this place on are of benchmarks."""
        return len(self.groups) - self.benchmarks

    def scope(self, source: str) -> str:
        """Return inside what clips of a source are compared."""
        return source if self.policy.scope == "source" else "corpus"

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array that later steps read rows of."""
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        self.store.write(f"{self.folder}/{name}.npy", file.getvalue())

    def open_array(self, name: str) -> NDArray[Any]:
        """Return an array of the folder; in a local run its rows are read when they are asked for."""
        path = f"{self.folder}/{name}.npy"
        found: NDArray[Any]
        if is_bucket(self.root):
            found = np.load(io.BytesIO(self.store.read(path)), allow_pickle=False)
        else:
            found = np.load(Path(self.root) / path, mmap_mode="r", allow_pickle=False)
        return found

    def write_nodes(self, group: str, nodes: pl.Series) -> None:
        """Write the nodes of a group, in the order of its arrays."""
        self.store.write(f"{self.folder}/nodes/{group}.arrow", pack(pl.DataFrame({"node": nodes})))

    def write_signatures(self, group: str, signatures: Signatures) -> None:
        """Write the frame hashes of a group's nodes."""
        for name in SIGNATURE_ARRAYS:
            self.write_array(f"signatures/{group}-{name}", getattr(signatures, name))

    def nodes_of(self, group: str) -> pl.Series:
        """Return the nodes of a group, in the order of its arrays."""
        return unpack(self.store.read(f"{self.folder}/nodes/{group}.arrow"))["node"]

    def open_signatures(self, group: str) -> Signatures:
        """Return the frame hashes of a group's nodes."""
        arrays = {name: self.open_array(f"signatures/{group}-{name}") for name in SIGNATURE_ARRAYS}
        return Signatures(**arrays)

    def spool(self, kind: str, scope: str, part: int, name: str, rows: pl.DataFrame) -> Place:
        """Write rows for the task of a part; returns (its key, the name)."""
        key = f"{kind}/{scope}/{part:05d}"
        scratch.write_spool(self.root, self.folder, key, name, rows)
        return key, name

    def write_edges(self, name: str, edges: pl.DataFrame) -> None:
        """Write edges by the part of their first node, and note how many."""
        for part, rows in partitions(edges.rename({"a": "node"}), self.bits):
            key = f"{EDGE_ROWS}/{part:05d}"
            scratch.write_spool(self.root, self.folder, key, name, rows.rename({"node": "a"}).select(list(EDGES)))
            scratch.write_scratch(self.root, f"{self.folder}/edge_files", f"{part:05d}-{name}", rows.height)


class _Step(beam.DoFn):
    def __init__(self, job: DuplicatesJob) -> None:
        self.job = job


def _counted(counts: dict[str, int]) -> Iterator[Any]:
    for name, number in counts.items():
        if number:
            yield beam.pvalue.TaggedOutput("counts", (name, number))


class _Tell(_Step):
    """What both kinds of clips have in common."""

    def tell(
        self, name: str, source: str, units: ScoredUnits, commits: list[UnitCommit], clips: GroupClips
    ) -> Iterator[Any]:
        """Write what is compared of some clips of a source under the name of their group."""
        job, policy, scope = self.job, self.job.policy, self.job.scope(source)
        told = clips.tellings.group_by("node").agg(samples=pl.col("sample_id").n_unique())
        for part, rows in partitions(told.sort("node"), job.bits):
            scratch.write_spool(job.root, job.folder, f"{NODES}/{part:05d}", name, rows)
        job.write_nodes(name, clips.nodes["node"])
        if policy.overlap.action != "off":
            for part, rows in tasks.span_rows(clips, job.bits):
                yield job.spool(SPANS, scope, part, name, rows)
        if policy.perceptual.action != "off":
            yield from tell_signatures(job, name, scope, clips.signatures(job.number[name]))
        if policy.semantic.action != "off":
            yield from self._cells(name, scope, read_vectors(units.store, commits, clips), clips.nodes.height)

    def _cells(
        self, name: str, scope: str, told: tuple[NDArray[np.int64], NDArray[np.float16]], clips: int
    ) -> Iterator[Any]:
        job, (places, vectors) = self.job, told
        yield from _counted({"clips_without_embedding": clips - len(places)})
        if len(places) == 0 or not job.store.exists(f"{job.folder}/{CELLS_FILE}"):
            return
        cells = Cells.from_bytes(job.store.read(f"{job.folder}/{CELLS_FILE}"))
        steps = tasks.steps_of(vectors)
        job.write_array(f"vectors/{name}", steps)
        homes = tasks.cell_rows(steps, places, cells, job.policy.semantic, job.bits)
        for (part,), rows in sorted(homes.partition_by("part", as_dict=True, include_key=False).items()):
            yield job.spool(CELLS, scope, int(part), name, rows)


class TellClips(_Tell):
    """Group of units -> (key of a task, the group's name) of the rows that it wrote for that task."""

    def process(self, group: UnitGroup) -> Iterator[Any]:
        job, units = self.job, self.job.units
        commits = [units.read(name) for name in group.units]
        yield from self.tell(group.name, group.source, units, commits, read_clips(units.store, commits, job.policy))
        if job.policy.texts.action != "off":
            # A source's texts are compared in one task, whatever the scope.
            yield job.spool(TEXTS, group.source, 0, group.name, read_texts(job.store, commits))


class TellBase(_Tell):
    """(place of a base, a group of its units) -> as `TellClips`, of its samples that are in the base's shards."""

    def process(self, told: tuple[int, UnitGroup]) -> Iterator[Any]:
        job, (place, group) = self.job, told
        base = job.bases[place]
        kept = base.kept(group)
        commits = [base.units.read(name) for name in group.units]
        clips = only_samples(read_clips(base.units.store, commits, job.policy), kept["sample_id"])
        name = base_group(place, group)
        samples = clips.tellings.select("sample_id", "source", "node", "pixels").unique("sample_id", keep="first")
        known = samples.join(kept, on="sample_id").with_columns(
            sample_id=pl.lit(BASE_MARK) + pl.col("sample_id"), origin=pl.lit(base.origins[group.source])
        )
        scratch.write_group(job.root, job.folder, name, known)
        yield from _counted({"base_clips": clips.nodes.height})
        yield from self.tell(name, group.source, base.units, commits, clips)


def tell_signatures(job: DuplicatesJob, group: str, scope: str, signatures: Signatures) -> Iterator[Any]:
    """Write a group's frame hashes, and their postings by part; yields what `TellClips` does."""
    job.write_signatures(group, signatures)
    rows, counts = tasks.posting_rows(signatures, job.policy.perceptual, job.bits)
    yield from _counted(counts)
    for (part,), own in sorted(rows.partition_by("part", as_dict=True, include_key=False).items()):
        yield job.spool(POSTINGS, scope, int(part), group, own)


class FindPairs(_Step):
    """(key of a task, names) -> edges in the scratch folder; output `pairs`: (key, name) of pairs to be verified."""

    def process(self, element: tuple[str, Iterable[str]]) -> Iterator[Any]:
        key, names = element
        kind, scope, part = key.split("/")
        frames = [scratch.read_spooled(self.job.root, self.job.folder, key, name) for name in sorted(names)]
        if kind == SPANS:
            known = [frame for name, frame in zip(sorted(names), frames, strict=True) if name.startswith(BASE)]
            edges, counts = tasks.find_overlaps(frames, known, self.job.policy.overlap)
            self.job.write_edges(f"{kind}-{scope}-{part}", edges)
            yield from _counted(counts)
        elif kind == TEXTS:
            for group, rows in tasks.group_texts(list(zip(sorted(names), frames, strict=True)), self.job.policy.texts):
                self.job.store.write(text_groups_path(group), table_bytes(rows.to_arrow(), DUPLICATE_TEXTS))
                yield from _counted({"texts_with_others": rows.height})
        elif kind == POSTINGS:
            yield from self._collide(f"{scope}-{part}", frames)
        else:
            yield from self._search(f"{kind}-{scope}-{part}", list(zip(sorted(names), frames, strict=True)))

    def _collide(self, name: str, frames: list[pl.DataFrame]) -> Iterator[Any]:
        firsts = self.job.first_known, self.job.first_benchmark
        pairs, counts = tasks.collide_postings(frames, firsts, self.job.policy.perceptual)
        yield from _counted(counts)
        for (group,), rows in sorted(pairs.partition_by("group", as_dict=True, include_key=False).items()):
            key = f"{PAIRS}/{self.job.groups[int(group)]}"
            scratch.write_spool(self.job.root, self.job.folder, key, name, rows)
            yield beam.pvalue.TaggedOutput("pairs", (key, name))

    def _search(self, name: str, told: list[tuple[str, pl.DataFrame]]) -> Iterator[Any]:
        job = self.job
        sides = [
            tasks.CellSide(
                rows=rows,
                nodes=job.nodes_of(group),
                steps=job.open_array(f"vectors/{group}"),
                new=job.number[group] < job.first_known,
            )
            for group, rows in told
        ]
        edges, counts = tasks.search_cells(sides, job.policy.semantic)
        job.write_edges(name, edges)
        yield from _counted(counts)


class VerifyPairs(_Step):
    """(`pairs/group`, names) -> edges of the pairs whose frames lie on each other as the policy wants."""

    def process(self, element: tuple[str, Iterable[str]]) -> Iterator[Any]:
        job, (key, names) = self.job, element
        group = key.split("/")[1]
        frames = [scratch.read_spooled(job.root, job.folder, key, name) for name in sorted(names)]
        left, own = job.open_signatures(group), job.nodes_of(group)
        for other, rows in tasks.pairs_by_group(frames):
            right = None if job.groups[other] == group else job.open_signatures(job.groups[other])
            edges, counts = tasks.verify_pairs(rows, left, right, job.policy.perceptual)
            named = tasks.name_nodes(edges, own, job.nodes_of(job.groups[other]))
            job.write_edges(f"{PAIRS}-{group}-{job.groups[other]}", named)
            yield from _counted(counts)


class LabelNodes(_Step):
    """Part of the nodes -> its edges in the run, and (group, part) of the members that it wrote for a group.

    Args:
        labels: kind of group (`duplicate` or `near`) -> files of LABELS and the bits that they are shared out by.
    """

    def __init__(self, job: DuplicatesJob, labels: dict[str, tuple[tuple[str, ...], int]]) -> None:
        super().__init__(job)
        self.labels = labels

    def process(self, part: int) -> Iterator[tuple[str, str]]:
        job, key = self.job, f"{part:05d}"
        edges = [rows for _, rows in scratch.read_spool(job.root, job.folder, f"{EDGE_ROWS}/{key}")]
        labels = {kind: self._labels(kind, part) for kind in self.labels}
        grouped = tasks.group_edges(edges, labels, job.policy)
        if grouped.height:
            job.store.write(f"{EDGES_FOLDER}/{key}.parquet", tasks.edges_parquet(grouped))
        told = list(scratch.read_spool(job.root, job.folder, f"{NODES}/{key}"))
        facts = unpack(job.store.read(f"{job.folder}/label_facts.arrow"))
        for group, rows in tasks.members_by_group(told, labels, facts):
            scratch.write_spool(job.root, job.folder, f"members/{group}", key, rows)
            yield group, key

    def _labels(self, kind: str, part: int) -> pl.DataFrame:
        files, bits = self.labels[kind]
        wanted = {f"{other:03x}" for other in tasks.meeting_parts(part, self.job.bits, bits)}
        frames = [
            unpack(self.job.store.read(path))
            for path in files
            if path.rsplit("/", 1)[1].removesuffix(".arrow") in wanted
        ]
        return tasks.labels_frame(frames)


class WriteMembers(_Step):
    """(group, parts) -> the members of duplicate and near groups among its clips, as one file of the run.

    Of a group of the base, its samples in duplicate groups: they take part in deciding who is kept.
    """

    def process(self, element: tuple[str, Iterable[str]]) -> Iterator[Any]:
        group, parts = element
        job = self.job
        frames = [scratch.read_spooled(job.root, job.folder, f"members/{group}", part) for part in sorted(parts)]
        if group.startswith(BASE):
            samples = scratch.read_group(job.root, job.folder, group)
            job.store.write(base_members_path(group.removeprefix(BASE)), tasks.base_parquet(frames, samples))
        else:
            job.store.write(members_path(group), tasks.members_parquet(frames))
        return iter(())
