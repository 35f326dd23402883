"""The steps of the duplicates job. Rows lie in files of the stage's scratch folder; only their places are shuffled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl

from curation.duplicates import perceptual_tasks, tasks
from curation.duplicates.clips import (
    HASH_COLUMNS,
    GroupClips,
    kept_rows,
    only_samples,
    read_clips,
    read_texts,
    read_vectors,
)
from curation.duplicates.components import partitions
from curation.duplicates.posting_index import INDEX_ARRAYS, index_postings
from curation.duplicates.signatures import Signatures
from curation.judging.rows import UnitGroup
from curation.judging.sums import unpack
from pipelines import scratch
from pipelines.duplicate_cells import keep_contents, search_base_cells, search_own_cells, tell_cells
from pipelines.duplicate_index import CONTENTS, POSTINGS, write_indexed
from pipelines.duplicate_job import (
    BASE,
    BASE_CELLS,
    CELLS,
    EDGE_ROWS,
    NODES,
    PAIRS,
    SPANS,
    TEXTS,
    DuplicatesJob,
    base_group,
)
from pipelines.units import ScoredUnits
from schemas.arrow import DUPLICATE_TEXTS, table_bytes
from schemas.duplicates import BASE_MARK
from schemas.run import EDGES_FOLDER, base_members_path, members_path, text_groups_path
from schemas.units import UnitCommit


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
        if policy.perceptual.action != "off" and set(HASH_COLUMNS).issubset(clips.nodes.columns):
            yield from tell_signatures(job, name, scope, clips.signatures(job.number[name]))
        if policy.semantic.action != "off" and not self.cells_are_kept(name):
            found = read_vectors(units.store, commits, clips)
            yield from _counted({"clips_without_embedding": clips.nodes.height - len(found[0])})
            yield from tell_cells(job, name, scope, clips, found)

    def cells_are_kept(self, name: str) -> bool:
        """Return whether a group is of a base whose embeddings lie in cells already."""
        known = self.job.base_of(name)
        return known is not None and self.job.cell_index(known[0]) is not None


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
        looked_up = base.hash_index is not None
        whole = read_clips(base.units.store, commits, job.policy, hashes=not looked_up)
        clips = only_samples(whole, kept["sample_id"])
        name = base_group(place, group)
        for told_as, array in zip(("kept", "numbers"), kept_rows(whole, clips), strict=True):
            job.write_array(f"{told_as}/{name}", array)
        samples = clips.tellings.select("sample_id", "source", "node", "pixels").unique("sample_id", keep="first")
        known = samples.join(kept, on="sample_id").with_columns(
            sample_id=pl.lit(BASE_MARK) + pl.col("sample_id"), origin=pl.lit(base.origins[group.source])
        )
        scratch.write_group(job.root, job.folder, name, known)
        anew = job.policy.perceptual.action != "off" and not looked_up
        anew |= job.policy.semantic.action != "off" and not self.cells_are_kept(name)
        counts = {"base_clips": clips.nodes.height, "base_clips_without_index": anew * clips.nodes.height}
        yield from _counted(counts)
        yield from self.tell(name, group.source, base.units, commits, clips)


def tell_signatures(job: DuplicatesJob, group: str, scope: str, signatures: Signatures) -> Iterator[Any]:
    """Write a group's frame hashes, and their postings by part; yields what `TellClips` does."""
    job.write_signatures(group, signatures)
    rows, counts = perceptual_tasks.posting_rows(signatures, job.policy.perceptual, job.bits)
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
            yield from self._collide(scope, part, dict(zip(sorted(names), frames, strict=True)))
        elif kind == CONTENTS:
            keep_contents(self.job, f"{scope}/{part}", frames)
        else:
            yield from self._search(key, list(zip(sorted(names), frames, strict=True)))

    def _collide(self, scope: str, part: str, told: dict[str, pl.DataFrame]) -> Iterator[Any]:
        job, name = self.job, f"{scope}-{part}"
        own = [frame for group, frame in told.items() if job.owns(group)]
        if job.policy.index and own:
            index = index_postings(perceptual_tasks.postings_of(pl.concat(own)))
            for array in INDEX_ARRAYS:
                write_indexed(job.root, job.folder, f"{POSTINGS}/{scope}/{part}-{array}", getattr(index, array))
        firsts = job.first_known, job.first_benchmark
        pairs, counts = perceptual_tasks.collide_postings(
            list(told.values()), firsts, job.policy.perceptual, job.look_ups(scope)
        )
        yield from _counted(counts)
        for (group,), rows in sorted(pairs.partition_by("group", as_dict=True, include_key=False).items()):
            key = f"{PAIRS}/{job.groups[int(group)]}"
            scratch.write_spool(job.root, job.folder, key, name, rows)
            yield beam.pvalue.TaggedOutput("pairs", (key, name))

    def _search(self, key: str, told: list[tuple[str, pl.DataFrame]]) -> Iterator[Any]:
        kind, scope, part = key.split("/")
        if kind == CELLS:
            edges, counts = search_own_cells(self.job, scope, part, told)
        else:
            edges, counts = search_base_cells(self.job, int(kind.removeprefix(BASE_CELLS)), scope, part, told)
        self.job.write_edges(f"{kind}-{scope}-{part}", edges)
        yield from _counted(counts)


class VerifyPairs(_Step):
    """(`pairs/group`, names) -> edges of the pairs whose frames lie on each other as the policy wants."""

    def process(self, element: tuple[str, Iterable[str]]) -> Iterator[Any]:
        job, (key, names) = self.job, element
        group = key.split("/")[1]
        frames = [scratch.read_spooled(job.root, job.folder, key, name) for name in sorted(names)]
        left, own = job.signatures_of(group), job.nodes_of(group)
        for other, rows in perceptual_tasks.pairs_by_group(frames):
            seconds = np.unique(rows["other_clip"].to_numpy())
            right = None if job.groups[other] == group else job.open_signatures(job.groups[other], seconds)
            edges, counts = perceptual_tasks.verify_pairs(rows, left, right, job.policy.perceptual)
            named = perceptual_tasks.name_nodes(edges, own, job.nodes_of(job.groups[other]))
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
