"""The steps of the judge job: each reads or writes one group of units, or decides about ids that meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from curation.duplicates import Candidate, GroupDecision
from curation.judging import counting, merging, repeats, selection, tables, twins
from curation.judging.concepts import Concepts, count_concepts, load_concepts, with_balance, with_concepts
from curation.judging.examples import choose_examples, choose_rejects
from curation.judging.facts import judge_facts
from curation.judging.rows import GroupRows, UnitGroup, read_columns, read_group, read_samples
from curation.stores import open_store
from curation.tiers import YieldBins, resolve_cuts
from pipelines import scratch
from pipelines.combiners import parts
from pipelines.units import ScoredUnits
from schemas.arrow import (
    DUPLICATE_BASE,
    DUPLICATE_EDGES,
    DUPLICATE_MEMBERS,
    DUPLICATE_TEXTS,
    SELECTION,
    read_rows,
    table_bytes,
)
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.run import members_path, selection_path, text_groups_path
from schemas.statistics import ResolvedCuts
from schemas.units import UnitCommit

Joined = tuple[str, Mapping[str, Iterable[Any]]]
ID_COLUMNS = ("sample_id", "source", "video_sha256")
REJECT_PARTS = ("rejects", "score_rejects")
REJECT_COLUMNS = ("stage", "scope", "reason", "record_id", "sample_id", "detail", "input")
# Behind a group's name: the samples that were merged for it.
MERGED = "+merged"
# What `repeats` looks for: samples that several units tell of, and different videos.
SAMPLE, VIDEO = "sample", "video"
# In the place of a group of units: the samples are the base's.
OF_BASE = ""


@dataclass(frozen=True, kw_only=True)
class JudgeJob:
    """What every step needs.

    Attributes:
        folder: the stage's scratch folder, relative to the run.
        partition_bits: ids are compared in 2**bits parts.
    """

    config: CorpusConfig
    units: ScoredUnits
    folder: str
    partition_bits: int

    @property
    def root(self) -> str:
        """The run's folder."""
        return self.units.root

    @property
    def aggregation(self) -> str:
        """Whose scores choose and judge."""
        return self.config.scorer.aggregation

    def commits(self, group: UnitGroup) -> list[UnitCommit]:
        """Return the commits of a group."""
        return [self.units.read(name) for name in group.units]

    def source(self, name: str) -> SourceConfig:
        """Return a source by name."""
        return next(source for source in self.config.sources if source.name == name)

    def leaves_out(self, source: str) -> bool:
        """Return whether a broken rule of a source keeps its clip out of the shards."""
        return self.config.rules_of(self.source(source)).video.action == "leave_out"

    def cuts(self, source: str, resolved: Mapping[str, ResolvedCuts]) -> ResolvedCuts:
        """Return the cuts of a source; one that has no sample is not among those that were resolved."""
        if source in resolved:
            return resolved[source]
        nothing = YieldBins(scored={}, free={}, free_total=0)
        return resolve_cuts(self.config.cuts_of(self.source(source)), self.source(source).origin, nothing)

    def members(self, group: UnitGroup) -> pl.DataFrame:
        """Return DUPLICATE_MEMBERS of a group of units: those of its clips that a duplicate or near group holds."""
        path = members_path(group.name)
        if not self.units.store.exists(path):
            return pl.DataFrame(pl.from_arrow(DUPLICATE_MEMBERS.empty_table()))
        return pl.read_parquet(self.units.store.read(path))

    def text_groups(self, group: UnitGroup) -> pl.DataFrame:
        """Return DUPLICATE_TEXTS of a group of units."""
        path = text_groups_path(group.name)
        if not self.units.store.exists(path):
            return pl.DataFrame(pl.from_arrow(DUPLICATE_TEXTS.empty_table()))
        return pl.read_parquet(self.units.store.read(path))

    def load_concepts(self) -> Concepts | None:
        """Return the concepts that weights are balanced by, where that is asked for."""
        balance = self.config.balance
        return None if balance is None else load_concepts(balance.concepts)


class _Step(beam.DoFn):
    def __init__(self, job: JudgeJob) -> None:
        self.job = job


class TellNumbers(_Step):
    """Group -> (kind, source and partition, (group, numbers)) of its samples and videos."""

    def process(self, group: UnitGroup) -> Iterator[tuple[str, tuple[str, Any]]]:
        ids = read_samples(self.job.units.store, self.job.commits(group), ID_COLUMNS)
        for kind, numbers, rows in self._told(group, ids):
            for part, places in repeats.partitions(numbers, self.job.partition_bits):
                yield f"{kind}/{part}", (group.name, rows[places])

    def _told(self, group: UnitGroup, ids: pl.DataFrame) -> Iterator[tuple[str, repeats.Numbers, Any]]:
        samples = repeats.id_numbers(ids["sample_id"])
        yield f"{SAMPLE}/{group.source}", samples, samples
        videos = ids["video_sha256"].unique(maintain_order=True)
        first = repeats.digest_numbers(videos)
        yield f"{VIDEO}/{group.source}", first, np.stack([first, repeats.digest_numbers(videos, word=1)], axis=1)


class FindRepeats(_Step):
    """(kind, source and partition, all that was told) -> output `told` (group, numbers); counts."""

    def process(self, element: tuple[str, Iterable[tuple[str, Any]]]) -> Iterator[Any]:
        (kind, source, _), told = element[0].split("/"), element[1]
        if kind == VIDEO:
            videos = repeats.count_distinct(numbers for _, numbers in told)
            yield from parts(tables.COUNTS.name, counting.counts(source, {"videos": videos}))
            return
        for found in repeats.repeated(told):
            yield beam.pvalue.TaggedOutput("told", found)


class MakeFacts(_Step):
    """(group, its samples that stand more than once) -> its facts in the scratch folder.

    Samples that several units tell of are left to `MergeTellings`. Yields the group; outputs `tellings` (sample id,
    (group, telling)), `candidates` and `counts`.
    """

    def setup(self) -> None:
        self.concepts = self.job.load_concepts()

    def process(self, element: Joined) -> Iterator[Any]:
        name, joined = element
        for group in joined["group"]:
            commits = self.job.commits(group)
            rows = read_group(self.job.units.store, commits, with_text=self.concepts is not None)
            told = list(joined["told"])
            if told:
                rows, tellings = merging.split_told(rows, np.concatenate(told))
                for sample, telling in tellings:
                    yield beam.pvalue.TaggedOutput("tellings", (sample, (name, telling)))
            yield from self.facts(name, group, rows)
            for adding in self._rejects(group.source, commits):
                yield from _counted(adding)
            yield name, group

    def facts(self, name: str, group: UnitGroup, rows: GroupRows) -> Iterator[Any]:
        """Write the facts of rows of a group under a name; yield candidates and counts."""
        job, source = self.job, self.job.source(group.source)
        facts = judge_facts(rows, job.config.rules_of(source), job.aggregation, job.config.shards.shapes)
        facts = facts.drop("text") if self.concepts is None else with_concepts(facts, self.concepts)
        facts = twins.with_members(facts, job.members(group), job.config.duplicates)
        facts = twins.with_text_copies(facts, job.text_groups(group), job.config.duplicates)
        scratch.write_group(job.root, job.folder, name, facts)
        for adding in counting.count_group(source.name, rows, facts, job.aggregation):
            yield from _counted(adding)
        for key, candidate in twins.candidates(facts, source.origin):
            yield beam.pvalue.TaggedOutput("candidates", (key, (group.name, candidate)))

    def _rejects(self, source: str, commits: list[UnitCommit]) -> Iterator[counting.Adding]:
        store = self.job.units.store
        read = [read_columns(store, commit, kind, REJECT_COLUMNS) for commit in commits for kind in REJECT_PARTS]
        rejects = pl.DataFrame(pl.from_arrow(pa.concat_tables(read)))
        dropped = [pair for commit in commits for pair in commit.dropped_texts.items()]
        yield tables.REJECTS.name, counting.count_rejects(rejects, dropped, source)
        yield tables.REJECT_EXAMPLES.name, choose_rejects(rejects, source)


class MergeTellings(beam.DoFn):
    """(sample id, tellings) -> (group of the unit that owns the sample, (the sample, how many told of it))."""

    def process(
        self, element: tuple[str, Iterable[tuple[str, merging.Telling]]]
    ) -> Iterator[tuple[str, tuple[merging.Telling, int]]]:
        told = sorted(element[1], key=lambda pair: pair[1].unit)
        yield told[0][0], (merging.merge_tellings([telling for _, telling in told]), len(told))


class MakeMergedFacts(MakeFacts):
    """(group, samples that were merged for it) -> their facts beside the group's own; outputs as `MakeFacts`."""

    def process(self, element: Joined) -> Iterator[Any]:
        name, joined = element
        merged = list(joined["merged"])
        for group in joined["group"] if merged else ():
            rows = merging.rows_of([telling for telling, _ in merged])
            yield from self.facts(f"{name}{MERGED}", group, rows)
            again = sum(tellings - 1 for _, tellings in merged)
            yield from _counted((tables.COUNTS.name, counting.counts(group.source, {"samples_merged": again})))
            yield name, f"{name}{MERGED}"


def _counted(adding: counting.Adding) -> Iterator[Any]:
    for part in parts(*adding):
        yield beam.pvalue.TaggedOutput("counts", part)


class ReadEdges(_Step):
    """Path of a file of edges -> (duplicate group, edge) of the kinds that make duplicate groups."""

    def process(self, path: str) -> Iterator[tuple[str, twins.Edge]]:
        columns = ("group", "a", "b", "kind", "similarity_1e4")
        for row in read_rows(self.job.units.store.read(path), DUPLICATE_EDGES, columns=columns):
            if self.job.config.duplicates.groups(row["kind"]):
                yield row["group"], (row["a"], row["b"], row["kind"], row["similarity_1e4"])


class ReadBase(_Step):
    """Path of a file of the base's samples -> (duplicate group, (no group of units, candidate)): they stay."""

    def process(self, path: str) -> Iterator[tuple[str, tuple[str, Candidate]]]:
        for row in read_rows(self.job.units.store.read(path), DUPLICATE_BASE):
            yield row["duplicate_group"], (OF_BASE, twins.base_candidate(row))


class DecideTwins(_Step):
    """(duplicate group, its candidates and edges) -> (group of units, decision) of each sample; output `tallies`.

    Nothing is told of the base's samples themselves, and nothing of groups that hold no others.
    """

    def process(self, element: Joined) -> Iterator[Any]:
        key, joined = element
        told: Iterable[tuple[str, Candidate]] = joined["candidates"]
        group_of = {candidate.sample_id: (name, candidate) for name, candidate in told}
        if all(name == OF_BASE for name, _ in group_of.values()):
            return
        found = [candidate for _, candidate in group_of.values()]
        for decision in twins.decide(key, found, joined["edges"], self.job.config.duplicates):
            if group_of[decision.sample_id][0] != OF_BASE:
                yield group_of[decision.sample_id][0], decision
        for tally in twins.tally_group(found):
            yield beam.pvalue.TaggedOutput("tallies", tally)


class CountYields(_Step):
    """(group, its merged samples, decisions) -> the group, its facts completed; what cuts would yield."""

    def process(self, element: Joined) -> Iterator[Any]:
        name, joined = element
        decisions: list[GroupDecision] = list(joined["decisions"])
        for group in joined["group"]:
            places = [name, *joined["merged"]]
            facts = pl.concat([scratch.read_group(self.job.root, self.job.folder, place) for place in places])
            decided = twins.with_decisions(facts, decisions, self.job.config.duplicates)
            scratch.write_group(self.job.root, self.job.folder, f"{name}-decided", decided)
            yield group
            leave_out = self.job.leaves_out(group.source)
            for part in parts(tables.YIELDS.name, counting.count_yields(decided, leave_out=leave_out)):
                yield beam.pvalue.TaggedOutput("yields", part)
            if self.job.config.balance is not None:
                for part in parts(tables.CONCEPTS.name, count_concepts(decided, leave_out=leave_out)):
                    yield beam.pvalue.TaggedOutput("concepts", part)


class CountTiers(_Step):
    """(group, cuts of all sources) -> counts of tiers and sizes, and examples."""

    def process(self, group: UnitGroup, cuts: Mapping[str, ResolvedCuts]) -> Iterator[Any]:
        judged = judged_group(self.job, group, cuts)
        for part in parts(tables.FINE_SIZES.name, selection.fine_sizes(judged)):
            yield beam.pvalue.TaggedOutput("sizes", part)
        numbers = counting.count_duplicates(judged, leave_out=self.job.leaves_out(group.source))
        for table, rows in (
            (tables.TIERS.name, counting.count_tiers(judged)),
            (tables.JOINT.name, counting.count_joint(judged)),
            (tables.COUNTS.name, counting.counts(group.source, numbers)),
            (tables.EXAMPLES.name, choose_examples(judged, self.job.cuts(group.source, cuts))),
        ):
            yield from parts(table, rows)


class WriteSelection(_Step):
    """(group, cuts, hash bits of shards, counts of concepts) -> path of one Parquet part of the selection."""

    def process(
        self,
        group: UnitGroup,
        cuts: Mapping[str, ResolvedCuts],
        bits: Mapping[tuple[str, str, str], int],
        concepts: Mapping[str, int],
    ) -> Iterator[str]:
        judged, balance = judged_group(self.job, group, cuts), self.job.config.balance
        if balance is not None:
            judged = with_balance(judged, concepts, balance)
        own_bits = {(tier, shape): count for (tier, source, shape), count in bits.items() if source == group.source}
        weights = self.job.config.weights_of(self.job.source(group.source))
        balanced = () if balance is None else balance.stages
        rows = selection.select(judged, own_bits, weights, balanced)
        path = selection_path(group.source, group.part)
        open_store(self.job.root).write(path, table_bytes(rows.to_arrow(), SELECTION))
        yield path


def judged_group(job: JudgeJob, group: UnitGroup, cuts: Mapping[str, ResolvedCuts]) -> pl.DataFrame:
    """Return a group's decided facts with their tiers."""
    decided = scratch.read_group(job.root, job.folder, f"{group.name}-decided")
    return selection.give_tiers(decided, job.cuts(group.source, cuts), leave_out=job.leaves_out(group.source))
