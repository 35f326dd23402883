"""The judge job: scores -> histograms -> duplicates -> cuts -> tiers -> selection. Reads no media.

Groups of units stay where they are; what travels are their names, numbers of ids, and tables that add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import polars as pl

from curation.judging import tables
from curation.judging.rows import SAMPLES_PER_GROUP, UnitGroup, group_units
from curation.judging.selection import bits_needed
from curation.judging.sums import unpack
from curation.judging.twins import tallied
from curation.statistics import yield_bins
from curation.tiers import resolve_cuts
from pipelines.combiners import AddUp, Packed, parts
from pipelines.engine import EngineOptions, running
from pipelines.judge_steps import (
    CountTiers,
    CountYields,
    DecideTwins,
    FindRepeats,
    JudgeJob,
    MakeFacts,
    MakeMergedFacts,
    MergeTellings,
    ReadBase,
    ReadEdges,
    TellNumbers,
    WriteSelection,
)
from pipelines.scratch import write_scratch, write_table
from schemas.corpus import CorpusConfig
from schemas.run import BASE_FOLDER, EDGES_FOLDER
from schemas.sharding import ShardOptions
from schemas.statistics import ResolvedCuts
from schemas.units import UnitCommit

# Ids that are compared at once: 16 bytes each.
IDS_PER_PARTITION = 2_000_000
MAX_PARTITION_BITS = 12


class JudgeGroups(beam.PTransform):
    """Groups of units, and edges -> everything judged, written to the run and to the stage's scratch folder."""

    def __init__(self, job: JudgeJob) -> None:
        super().__init__()
        self.job = job

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> None:
        """Wire the job: `groups` of units, and paths of `edges` between their clips and of samples of the `base`."""
        job, groups, edges = self.job, inputs["groups"], inputs["edges"]
        named = groups | "ByName" >> beam.Map(lambda group: (group.name, group))
        found = self._repeats(groups)
        facts = (
            {"group": named, "told": found.told}
            | "JoinRepeats" >> beam.CoGroupByKey()
            | "MakeFacts" >> beam.ParDo(MakeFacts(job)).with_outputs("counts", "candidates", "tellings", main="groups")
        )
        merged = self._merged(named, facts.tellings)
        known = inputs["base"] | "ReadBase" >> beam.ParDo(ReadBase(job))
        candidates = (facts.candidates, merged.candidates, known) | "AllCandidates" >> beam.Flatten()
        decided = (
            {"candidates": candidates, "edges": edges | "ReadEdges" >> beam.ParDo(ReadEdges(job))}
            | "ByDuplicateGroup" >> beam.CoGroupByKey()
            | "DecideTwins" >> beam.ParDo(DecideTwins(job)).with_outputs("tallies", main="decisions")
        )
        yields = (
            {"group": facts.groups, "merged": merged.places, "decisions": decided.decisions}
            | "JoinDecisions" >> beam.CoGroupByKey()
            | "CountYields" >> beam.ParDo(CountYields(job)).with_outputs("yields", "concepts", main="groups")
        )
        sums = yields.yields | "AddYields" >> beam.CombinePerKey(AddUp())
        cuts = beam.pvalue.AsDict(sums | "ResolveCuts" >> beam.Map(cuts_of_source, config=job.config))
        tiers = yields.groups | "CountTiers" >> beam.ParDo(CountTiers(job), cuts).with_outputs("sizes", main="counts")
        self._select(yields.groups, cuts, self._bits(tiers.sizes), self._concepts(yields.concepts))
        counts = (found.counts, facts.counts, merged.counts, self._tallies(decided.tallies), tiers.counts)
        added = counts | "AllCounts" >> beam.Flatten() | "AddCounts" >> beam.CombinePerKey(AddUp())
        _ = (
            (sums, added)
            | "AllSums" >> beam.Flatten()
            | "WriteTables"
            >> beam.MapTuple(lambda key, packed: write_table(job.root, job.folder, packed[0], key, packed[1]))
        )

    def _repeats(self, groups: beam.PCollection[UnitGroup]) -> beam.pvalue.DoOutputsTuple:
        return (
            groups
            | "TellNumbers" >> beam.ParDo(TellNumbers(self.job))
            | "ByPartition" >> beam.GroupByKey()
            | "FindRepeats" >> beam.ParDo(FindRepeats(self.job)).with_outputs("told", main="counts")
        )

    def _merged(self, named: beam.PCollection, tellings: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        merged = tellings | "BySample" >> beam.GroupByKey() | "MergeTellings" >> beam.ParDo(MergeTellings())
        return (
            {"group": named, "merged": merged}
            | "JoinMerged" >> beam.CoGroupByKey()
            | "MakeMergedFacts"
            >> beam.ParDo(MakeMergedFacts(self.job)).with_outputs("counts", "candidates", main="places")
        )

    def _tallies(self, tallies: beam.PCollection) -> beam.PCollection:
        return (
            tallies
            | "SumTallies" >> beam.CombinePerKey(sum)
            | "TableOfTally" >> beam.FlatMap(lambda element: parts(*tallied(*element)))
        )

    def _bits(self, sizes: beam.PCollection) -> beam.pvalue.AsDict:
        job = self.job
        bits = (
            sizes
            | "AddSizes" >> beam.CombinePerKey(AddUp())
            | "ByPlace" >> beam.MapTuple(lambda key, packed: (tuple(key.split("/")[1:4]), packed[1]))
            | "AllBlocks" >> beam.GroupByKey()
            | "BitsNeeded" >> beam.Map(bits_of_place, options=job.config.shards)
        )
        _ = bits | "WriteBits" >> beam.MapTuple(
            lambda place, value: write_scratch(job.root, job.folder, "bits-" + "-".join(place), [*place, value])
        )
        return beam.pvalue.AsDict(bits)

    def _concepts(self, concepts: beam.PCollection) -> beam.pvalue.AsDict:
        counted = concepts | "AddConcepts" >> beam.CombinePerKey(AddUp())
        return beam.pvalue.AsDict(counted | "ConceptCounts" >> beam.FlatMap(concept_counts))

    def _select(
        self,
        groups: beam.PCollection[UnitGroup],
        cuts: beam.pvalue.AsDict,
        bits: beam.pvalue.AsDict,
        concepts: beam.pvalue.AsDict,
    ) -> None:
        root, folder = self.job.root, self.job.folder
        _ = (
            groups
            | "WriteSelection" >> beam.ParDo(WriteSelection(self.job), cuts, bits, concepts)
            | "NoteSelection"
            >> beam.Map(lambda path: write_scratch(root, folder, "part-" + path.rsplit("/", 1)[1], path))
        )


def cuts_of_source(element: tuple[str, Packed], config: CorpusConfig) -> tuple[str, ResolvedCuts]:
    """Return (source, its cuts as numbers) from the source's part of the table `yields`."""
    key, packed = element
    name = key.split("/")[1]
    source = next(source for source in config.sources if source.name == name)
    return name, resolve_cuts(config.cuts_of(source), source.origin, yield_bins(unpack(packed[1])))


def bits_of_place(
    element: tuple[tuple[str, str, str], Iterable[bytes]], options: ShardOptions
) -> tuple[tuple[str, str, str], int]:
    """Return ((tier, source, shape), hash bits of its shards)."""
    place, blocks = element
    return place, bits_needed(pl.concat([unpack(block) for block in blocks]), options)


def concept_counts(element: tuple[str, Packed]) -> Iterator[tuple[str, int]]:
    """Yield (concept, in how many sharded samples it is named)."""
    yield from unpack(element[1][1]).select("concept", "samples").iter_rows()


def partition_bits(commits: Iterable[UnitCommit]) -> int:
    """Return how many bits split a corpus's ids into parts that are compared at once."""
    samples, bits = sum(commit.ledger.samples_kept for commit in commits), 0
    while bits < MAX_PARTITION_BITS and samples > IDS_PER_PARTITION << bits:
        bits += 1
    return bits


def run_judge(
    job: JudgeJob, commits: Sequence[UnitCommit], engine: EngineOptions, group_samples: int = SAMPLES_PER_GROUP
) -> None:
    """Run the job over units; afterwards the selection is written, and the job's folder holds the sums."""
    groups = group_units(commits, group_samples)
    with running(engine) as pipeline:
        inputs = {
            "groups": pipeline | "Groups" >> beam.Create(groups, reshuffle=True),
            "base": pipeline | "BaseFiles" >> beam.Create(list(job.units.store.list(BASE_FOLDER)), reshuffle=True),
            "edges": pipeline | "EdgeFiles" >> beam.Create(list(job.units.store.list(EDGES_FOLDER)), reshuffle=True),
        }
        inputs | "JudgeGroups" >> JudgeGroups(job)


def whole_tables(found: dict[str, list[pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    """Return table -> the sum of its parts."""
    return {name: tables.TABLES[name].add_up(pieces) for name, pieces in found.items()}
