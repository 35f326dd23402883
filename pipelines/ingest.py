"""The ingest job: sources -> records -> units -> clips, texts, scores and rejects on disk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from curation.fetching import FetchCache, FetcherFamily, HostBrokenError
from curation.media import FramePlan, MediaSandbox
from curation.progress import FileReporter
from curation.score_batches import ScoredBatch
from curation.store import LocalStore
from curation.unit_media import MediaTools
from curation.unit_parts import finished_scores, read_commit
from curation.unit_plan import IngestFacts, UnitInput, plan_unit
from curation.unit_scoring import ensure_strips, finish_scores, unit_batches
from curation.unit_work import work_unit
from pipelines.engine import EngineOptions, running
from pipelines.reading import ReadSources
from pipelines.scoring import ScoreBatches, ScoringOptions
from schemas.corpus import CorpusConfig
from schemas.records import Record, Reject
from schemas.statistics import ScorerFacts
from schemas.units import unit_bits, unit_bucket

INGEST = "ingest"
Item = Record | Reject
Keyed = tuple[tuple[str, str], Item]


def place_of(item: Item) -> str:
    """Return what an item's bucket is a hash of: its locator, or for a row that became no record its own id."""
    return item.locator if isinstance(item, Record) else item.record_id or ""


def by_place(item: Item) -> Keyed:
    """Return ((source, place), item)."""
    return (item.source, place_of(item)), item


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
    """

    config: CorpusConfig
    root: str
    facts: IngestFacts
    frames: FramePlan
    scorer: ScorerFacts
    scoring: ScoringOptions
    folder: str


class WorkUnit(beam.DoFn):
    """Does what is not done yet of a unit's fetching, cutting and accounting, and yields the unit's name.

    The media sandbox lives as long as the worker does, and starts when a video needs it.
    """

    def __init__(self, job: IngestJob) -> None:
        self.job = job

    def setup(self) -> None:
        self.sources = {source.name: source for source in self.job.config.sources}
        self.sandbox = MediaSandbox()
        self.store = LocalStore(self.job.root)
        self.reporter = FileReporter(self.job.root, INGEST)
        self.fetchers = FetcherFamily(self.job.config.fetch, cache=fetch_cache(self.job.config, self.store))

    def process(self, element: tuple[tuple[str, int], Iterable[Item]], bits: dict[str, int]) -> Iterator[str]:
        (source, bucket), items = element
        started = time.monotonic()
        unit = UnitInput(source=source, bucket=bucket, bits=bits[source], items=tuple(items))
        plan = plan_unit(unit, self.sources[source], self.job.facts)
        try:
            work_unit(plan, self._tools(source))
        except HostBrokenError as error:
            # Beam passes errors on as text; the driver finds what to say here.
            self.store.write(f"{self.job.folder}-stopped", str(error).encode("utf-8"))
            raise
        self.reporter.report("unit", {"seconds": time.monotonic() - started})
        yield plan.name

    def _tools(self, source: str) -> MediaTools:
        config = self.job.config
        return MediaTools(
            config=config,
            store=self.store,
            fetcher=self.fetchers.fetcher(config.fetch_of(self.sources[source])),
            cut=self.sandbox.cut,
            frames=self.job.frames,
            reporter=self.reporter,
        )

    def teardown(self) -> None:
        self.sandbox.close()


def fetch_cache(config: CorpusConfig, store: LocalStore) -> FetchCache:
    """Return where fetched files lie while an ingest runs, so that a video is fetched once for all that name it."""
    return FetchCache(store.scratch("fetched"), config.fetch.kept_mb * 1_000_000)


class CutBatches(beam.DoFn):
    """Unit name -> its batches to score; the name of a unit that has its scores goes to the output `finished`."""

    def __init__(self, job: IngestJob) -> None:
        self.job = job

    def process(self, unit: str) -> Iterator[Any]:
        store = LocalStore(self.job.root)
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
        store = LocalStore(self.job.root)
        commit = read_commit(store, unit)
        if commit is None:
            raise FileNotFoundError(f"unit {unit} is not committed; run ingest again")
        finish_scores(store, commit, self.job.scorer, batches)
        FileReporter(self.job.root, INGEST).report("scored", {"units": 1})
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


class ReportPlanned(beam.DoFn):
    """Tells the watcher how many videos a source has; passes the count on."""

    def __init__(self, root: str) -> None:
        self.root = root

    def process(self, element: tuple[str, int]) -> Iterator[tuple[str, int]]:
        FileReporter(self.root, INGEST).report("planned", {"videos": element[1]})
        yield element


class IngestSources(beam.PTransform):
    """All sources of a corpus -> names of committed units."""

    def __init__(self, job: IngestJob) -> None:
        super().__init__()
        self.job = job

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[str]:
        """Wire the job; only records, which are references, are shuffled."""
        items = pipeline | "ReadSources" >> ReadSources(self.job.config) | "KeyByLocator" >> beam.Map(by_place)
        grouped = items | "GroupByLocator" >> beam.GroupByKey()
        locators = (
            grouped
            | "SourceOfLocator" >> beam.Map(lambda group: (group[0][0], 1))
            | "LocatorsPerSource" >> beam.CombinePerKey(sum)
            | "ReportPlanned" >> beam.ParDo(ReportPlanned(self.job.root))
        )
        per_unit = self.job.config.videos_per_unit
        bits = locators | "UnitBits" >> beam.MapTuple(lambda source, count: (source, unit_bits(count, per_unit)))
        as_dict = beam.pvalue.AsDict(bits)
        return (
            grouped
            | "KeyByUnit" >> beam.FlatMap(key_by_unit, bits=as_dict)
            | "GroupByUnit" >> beam.GroupByKey()
            | "WorkUnit" >> beam.ParDo(WorkUnit(self.job), bits=as_dict)
            | "ScoreUnits" >> ScoreUnits(self.job)
        )


def key_by_unit(
    group: tuple[tuple[str, str], Iterable[Item]], bits: dict[str, int]
) -> Iterator[tuple[tuple[str, int], Item]]:
    """Yield ((source, bucket), item) for each item of a locator."""
    (source, locator), items = group
    bucket = unit_bucket(source, locator, bits[source])
    for item in items:
        yield (source, bucket), item


class WriteNames(beam.DoFn):
    """Leaves the name of a finished unit in the stage's scratch folder, for the stage's last step."""

    def __init__(self, root: str, folder: str) -> None:
        self.root = root
        self.folder = folder

    def process(self, name: str) -> Iterator[Any]:
        LocalStore(self.root).write(f"{self.folder}/{name}", b"")
        return iter(())


def run_ingest(job: IngestJob, engine: EngineOptions) -> None:
    """Run the job; afterwards its folder holds one empty file per unit of the corpus, named after it."""
    with running(engine) as pipeline:
        _ = pipeline | "Ingest" >> IngestSources(job) | beam.ParDo(WriteNames(job.root, job.folder))
