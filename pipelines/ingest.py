"""The ingest job: sources -> records -> units -> clips, texts, scores and rejects on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from curation.fetching import FetchCache, FetcherFamily, HostBrokenError, Reach
from curation.media import FramePlan, MediaSandbox
from curation.media.extras import OCR, TRANSNET, extras_of
from curation.media.with_models import ModelCut
from curation.progress import new_reporter
from curation.row_spool import Block
from curation.score_batches import ScoredBatch
from curation.store import Store
from curation.stored_rows import stored_input
from curation.stores import is_bucket, open_store
from curation.suppression import suppressed_of
from curation.unit_media import MediaTools
from curation.unit_parts import finished_scores, read_commit
from curation.unit_plan import IngestFacts, UnitInput, plan_unit
from curation.unit_scoring import ensure_strips, finish_scores, unit_batches
from curation.unit_work import work_unit
from pipelines.engine import EngineOptions, running
from pipelines.grouping import Grouping, GroupRows, Place
from pipelines.scoring import ScoreBatches, ScoringOptions
from schemas.canonical import sha256_hex
from schemas.corpus import CorpusConfig
from schemas.statistics import ScorerFacts

INGEST = "ingest"


@dataclass(frozen=True, kw_only=True)
class StoredUnits:
    """A run's units in place of its sources.

    Attributes:
        again: names of those to be made again from their parts.
        kept: names of those that stay as they are.
        rows: source -> how many rows both hold.
    """

    again: tuple[str, ...]
    kept: tuple[str, ...]
    rows: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class IngestJob:
    """What every step of the job knows.

    Attributes:
        root: the run.
        facts: what units' bytes depend on beside their rows.
        frames: the score frames to take.
        scorer: what defines the scores.
        scoring: how workers come to them.
        folder: the stage's scratch folder.
        reach: what fetching may connect to.
        grouping: how rows come to their units.
        stored: the run's own units in place of its sources; None where sources are read.
    """

    config: CorpusConfig
    root: str
    facts: IngestFacts
    frames: FramePlan
    scorer: ScorerFacts
    scoring: ScoringOptions
    folder: str
    reach: Reach
    grouping: Grouping
    stored: StoredUnits | None = None


class UnitWorker(beam.DoFn):
    """Does what is not done yet of a unit's fetching, cutting and accounting.

    The media sandbox lives as long as the worker does, and starts when a video needs it.
    """

    def __init__(self, job: IngestJob) -> None:
        self.job = job

    def setup(self) -> None:
        self.sources = {source.name: source for source in self.job.config.sources}
        self.sandbox = MediaSandbox()
        self.cut = with_models(self.sandbox, self.job.config)
        self.store = open_store(self.job.root)
        self.reporter = new_reporter(self.job.root, INGEST)
        cache = fetch_cache(self.job.config, self.store, self.job.grouping.key)
        self.fetchers = FetcherFamily(self.job.config.fetch, cache=cache, world=self.job.reach.world())
        self.suppressed = suppressed_of(self.store, self.job.config.suppress)

    def work(self, unit: UnitInput) -> str:
        """Do what is not done yet of a unit; returns its name.

        Raises:
            HostBrokenError: a host gave up, now or before an engine began this step again: it is not asked anew.
        """
        started, stopped = time.monotonic(), f"{self.job.folder}-stopped"
        if self.store.exists(stopped):
            raise HostBrokenError(self.store.read(stopped).decode("utf-8"))
        plan = plan_unit(unit, self.sources[unit.source], self.job.facts)
        try:
            name = work_unit(plan, self._tools(unit.source)).unit
        except HostBrokenError as error:
            # Beam passes errors on as text; the driver finds what to say here.
            self.store.write(stopped, str(error).encode("utf-8"))
            raise
        self.reporter.report("unit", {"seconds": time.monotonic() - started})
        return name

    def _tools(self, source: str) -> MediaTools:
        config = self.job.config
        return MediaTools(
            config=config,
            store=self.store,
            fetcher=self.fetchers.fetcher(config.fetch_of(self.sources[source])),
            cut=self.cut,
            frames=self.job.frames,
            reporter=self.reporter,
            suppressed=self.suppressed,
            from_parts=self.job.stored is not None,
        )

    def teardown(self) -> None:
        self.reporter.flush()
        self.sandbox.close()


class WorkUnit(UnitWorker):
    """((source, bucket), blocks) of a unit's rows -> the unit's name."""

    def process(self, element: tuple[Place, Iterable[Block]], bits: dict[str, int]) -> Iterator[str]:
        place, blocks = element
        yield self.work(self.job.grouping.unit_input(place, bits[place[0]], blocks))


class WorkStored(UnitWorker):
    """Name of a committed unit -> the name that it has when it is made again from its parts."""

    def process(self, name: str) -> Iterator[str]:
        commit = read_commit(self.store, name)
        if commit is None:
            raise FileNotFoundError(f"unit {name} is not committed; run ingest again")
        yield self.work(stored_input(self.store, commit, self.sources[commit.source]))


def with_models(sandbox: MediaSandbox, config: CorpusConfig) -> ModelCut:
    """Return a sandbox's cut with the models that a corpus asks for; a worker without their packages fails here."""
    from curation.media.shot_model import TransNet
    from curation.media.text_area import RapidTextFinder

    asked = extras_of(config)
    return ModelCut(
        sandbox.cut,
        find_text=RapidTextFinder() if OCR in asked else None,
        predict_shots=TransNet() if TRANSNET in asked else None,
    )


def fetch_cache(config: CorpusConfig, store: Store, key: bytes) -> FetchCache:
    """Return where fetched files lie while an ingest runs, so that a video is fetched once for all that name it.

    Of a run in a bucket each machine has its own, which the driver cannot empty: there a job has one for itself, and
    removes what jobs before it left.

    Args:
        key: of the job.
    """
    folder = store.scratch("fetched")
    if is_bucket(store.address):
        own = sha256_hex(key)[:16]
        for other in folder.iterdir():
            if other.name != own:
                shutil.rmtree(other, ignore_errors=True)
        folder = folder / own
    return FetchCache(folder, config.fetch.kept_mb * 1_000_000)


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
            units, bits = pipeline | "GroupRows" >> GroupRows(self.job.grouping)
            worked = units | "WorkUnit" >> beam.ParDo(WorkUnit(self.job), bits=beam.pvalue.AsDict(bits))
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
