"""The shard job: selection + samples -> tars, one per place of `ShardPlace`. References are shuffled, never media."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from curation.moved_texts import MovedText, texts_to_move
from curation.packing import PackedSample, pack_sample
from curation.progress import new_reporter
from curation.shard_writing import write_shard
from curation.stores import open_store
from curation.unit_reading import WholeSample, merge_whole, read_whole
from pipelines.engine import EngineOptions, running
from pipelines.scratch import write_scratch
from pipelines.units import ScoredUnits
from schemas.arrow import SELECTION, read_rows
from schemas.corpus import CorpusConfig
from schemas.manifest import ShardFacts
from schemas.records import Selection
from schemas.shards import ShardPlace, shard_stem

SHARD = "shard"
PlaceKey = tuple[str, str, str, int]


class ReadWhole(beam.DoFn):
    """Unit name -> (sample id, whole sample)."""

    def __init__(self, units: ScoredUnits, *, embeddings: bool) -> None:
        self.units = units
        self.embeddings = embeddings

    def process(self, unit: str) -> Iterator[tuple[str, WholeSample]]:
        for whole in read_whole(self.units.store, self.units.read(unit), with_embeddings=self.embeddings):
            yield whole.row["sample_id"], whole


class ReadSelection(beam.DoFn):
    """Path of a selection part -> (sample id, row) of the rows that go into a shard.

    Output `left_out`: (sample id, keeper) of those that a keeper stands for, where their texts are to be moved.
    """

    def __init__(self, root: str, *, move_texts: bool) -> None:
        self.root = root
        self.move_texts = move_texts

    def process(self, path: str) -> Iterator[Any]:
        for row in read_rows(open_store(self.root).read(path), SELECTION):
            if row["shard_bucket"] is not None:
                yield row["sample_id"], Selection(**row)
            elif self.move_texts and row["keeper"] != row["sample_id"]:
                yield beam.pvalue.TaggedOutput("left_out", (row["sample_id"], row["keeper"]))


def move_texts(element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, MovedText]]:
    """Yield (keeper, text) of the texts of a sample that was left out."""
    _, joined = element
    for keeper in joined["keeper"]:
        for text in texts_to_move(list(joined["samples"])):
            yield keeper, text


def pack(element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[PlaceKey, PackedSample]]:
    """Yield ((tier, source, shape, bucket), packed sample) of a sample that was selected.

    Raises:
        LookupError: the selection names a sample that no unit has.
    """
    sample, joined = element
    for row in joined["selection"]:
        tellings = list(joined["samples"])
        if not tellings:
            raise LookupError(f"sample {sample} is selected, but no unit holds it; run judge again")
        packed = pack_sample(merge_whole(tellings), row, joined.get("moved", ()))
        yield (row.tier, row.source, row.shape, row.shard_bucket), packed


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """What goes into shards.

    Attributes:
        selection: paths of its parts.
    """

    config: CorpusConfig
    units: ScoredUnits
    selection: tuple[str, ...]


class PlanShards(beam.PTransform):
    """A judged run -> (place, its packed samples) of each shard."""

    def __init__(self, job: ShardJob) -> None:
        super().__init__()
        self.job = job

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[tuple[PlaceKey, Iterable[PackedSample]]]:
        """Wire the steps; rows are shuffled, and no media."""
        units, moves = self.job.units, self.job.config.duplicates.move_texts
        samples = (
            pipeline
            | "Units" >> beam.Create(units.names, reshuffle=True)
            | "ReadWhole" >> beam.ParDo(ReadWhole(units, embeddings=self.job.config.shards.embeddings))
        )
        rows = (
            pipeline
            | "Parts" >> beam.Create(self.job.selection, reshuffle=True)
            | "ReadSelection"
            >> beam.ParDo(ReadSelection(units.root, move_texts=moves)).with_outputs("left_out", main="selected")
        )
        joined = {"samples": samples, "selection": rows.selected}
        if moves:
            left_out = {"samples": samples, "keeper": rows.left_out} | "JoinLeftOut" >> beam.CoGroupByKey()
            joined["moved"] = left_out | "MoveTexts" >> beam.FlatMap(move_texts)
        packed = joined | "Join" >> beam.CoGroupByKey() | "Pack" >> beam.FlatMap(pack)
        return packed | "GroupByShard" >> beam.GroupByKey()


class WriteShard(beam.DoFn):
    """(place, samples) -> one tar with its side-car, where the content is new; yields its facts."""

    def __init__(self, root: str, corpus: str) -> None:
        self.root = root
        self.corpus = corpus

    def setup(self) -> None:
        self.reporter = new_reporter(self.root, SHARD)

    def process(self, element: tuple[PlaceKey, Iterable[PackedSample]]) -> Iterator[tuple[str, ShardFacts]]:
        (tier, source, shape, bucket), samples = element
        place = ShardPlace(tier=tier, source=source, shape=shape, bucket=bucket)
        written = write_shard(samples, open_store(self.root), self.corpus, place)
        facts = written.facts
        self.reporter.report("shard", {"samples": facts.samples, "bytes": facts.bytes, "reused": int(written.reused)})
        yield shard_stem(self.corpus, place), facts


def run_shard(job: ShardJob, engine: EngineOptions, folder: str) -> None:
    """Run the job; afterwards the tars lie in the run, and `folder` holds the facts of each."""
    root = job.units.root
    with running(engine) as pipeline:
        _ = (
            pipeline
            | "PlanShards" >> PlanShards(job)
            | "WriteShard" >> beam.ParDo(WriteShard(root, job.config.corpus))
            | "NoteShards"
            >> beam.MapTuple(lambda stem, facts: write_scratch(root, folder, stem, facts.model_dump(mode="json")))
        )
