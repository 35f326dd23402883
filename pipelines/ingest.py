"""The ingest job: sources -> records -> units -> clips, texts, scores and rejects on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from curation.progress import new_reporter
from curation.score_batches import ScoredBatch
from curation.stores import open_store
from curation.suppression import suppressed_of
from curation.unit_parts import finished_scores, read_commit
from curation.unit_scoring import ensure_strips, finish_scores, unit_batches
from pipelines.engine import EngineOptions, running
from pipelines.grouping import GroupRows
from pipelines.scoring import ScoreBatches
from pipelines.unit_workers import INGEST, IngestJob, WorkStored, WorkUnits


class CutBatches(beam.DoFn):
    """Unit name -> its batches to score; the name of a unit that has its scores goes to the output `finished`."""

    def __init__(self, job: IngestJob) -> None:
        self.job = job

    def process(self, unit: str) -> Iterator[Any]:
        store = open_store(self.job.root)
        commit = read_commit(store, unit)
        if commit is None:
            raise FileNotFoundError(f"unit {unit} is not committed; run ingest again")
        if finished_scores(store, commit, self.job.scorer.scoring) is not None:
            yield beam.pvalue.TaggedOutput("finished", unit)
        else:
            ensure_strips(store, commit, self.job.frames)
            yield from unit_batches(store, commit, self.job.scorer, self.job.frames)


class FinishScores(beam.DoFn):
    """(Unit name, its scored batches) -> its scores in the run; yields the name."""

    def __init__(self, job: IngestJob) -> None:
        self.job = job

    def process(self, element: tuple[str, Iterable[ScoredBatch]]) -> Iterator[str]:
        unit, batches = element
        store = open_store(self.job.root)
        commit = read_commit(store, unit)
        if commit is None:
            raise FileNotFoundError(f"unit {unit} is not committed; run ingest again")
        finish_scores(store, commit, self.job.scorer, batches)
        new_reporter(self.job.root, INGEST).report("scored", {"units": 1})
        yield unit


class ScoreUnits(beam.PTransform):
    """Names of units with clips -> the same names, once each has its scores."""

    def __init__(self, job: IngestJob) -> None:
        super().__init__()
        self.job = job

    def expand(self, units: beam.PCollection[str]) -> beam.PCollection[str]:
        """Wire the step; references and integers are shuffled."""
        cut = units | "CutBatches" >> beam.ParDo(CutBatches(self.job)).with_outputs("finished", main="batches")
        written = (
            cut.batches
            # Without it a unit's batches would stay with the worker that cut it, one after the other.
            | "SpreadBatches" >> beam.Reshuffle()
            | "ScoreBatches" >> ScoreBatches(self.job.scoring)
            | "KeyByScoredUnit" >> beam.Map(lambda batch: (batch.unit, batch))
            | "GroupByScoredUnit" >> beam.GroupByKey()
            | "FinishScores" >> beam.ParDo(FinishScores(self.job))
        )
        return (cut.finished, written) | "AllUnits" >> beam.Flatten()


class IngestSources(beam.PTransform):
    """All sources of a corpus -> names of committed units."""

    def __init__(self, job: IngestJob) -> None:
        super().__init__()
        self.job = job

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[str]:
        """Wire the job; names of files are shuffled."""
        if self.job.stored is not None:
            names = pipeline | "Stored" >> beam.Create(self.job.stored.again, reshuffle=True)
            worked = names | "WorkStored" >> beam.ParDo(WorkStored(self.job))
        else:
            worked = pipeline | "GroupRows" >> GroupRows(self.job.grouping) | "WorkUnits" >> WorkUnits(self.job)
        return worked | "ScoreUnits" >> ScoreUnits(self.job)


class WriteNames(beam.DoFn):
    """Leaves the name of a finished unit in the stage's scratch folder, for the stage's last step."""

    def __init__(self, root: str, folder: str) -> None:
        self.root = root
        self.folder = folder

    def process(self, name: str) -> Iterator[Any]:
        open_store(self.root).write(f"{self.folder}/{name}", b"")
        return iter(())


def run_ingest(job: IngestJob, engine: EngineOptions) -> None:
    """Run the job; afterwards its folder holds one empty file per unit of the corpus, named after it.

    Raises:
        ConfigError: a suppression list cannot be read.
    """
    with running(engine) as pipeline:
        add_ingest(pipeline, job)


def add_ingest(pipeline: beam.Pipeline, job: IngestJob) -> None:
    """Add the job to a pipeline.

    Raises:
        ConfigError: a suppression list cannot be read.
    """
    # Workers read the lists for themselves; one that is broken is told of here, where errors keep their type.
    suppressed_of(open_store(job.root), job.config.suppress)
    _ = pipeline | "Ingest" >> IngestSources(job) | beam.ParDo(WriteNames(job.root, job.folder))
