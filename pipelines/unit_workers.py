"""Workers of the ingest job: units, and pieces of their long videos, each done with a media sandbox of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam

from curation.fetching import FetchCache, FetcherFamily, HostBrokenError, Reach
from curation.long_videos import VideoPiece, VideosHeldError, cut_piece
from curation.media import FramePlan, MediaSandbox
from curation.media.extras import OCR, TRANSNET, extras_of
from curation.media.with_models import ModelCut
from curation.progress import new_reporter
from curation.row_spool import Block, whole_blocks
from curation.store import Store
from curation.stored_rows import stored_input
from curation.stores import is_bucket, open_store
from curation.suppression import suppressed_of
from curation.unit_parts import read_commit
from curation.unit_plan import IngestFacts, UnitInput, plan_unit
from curation.unit_work import work_unit
from curation.video_work import MediaTools
from pipelines.grouping import Grouping, Place
from pipelines.scoring import ScoringOptions
from schemas.canonical import sha256_hex
from schemas.corpus import CorpusConfig
from schemas.ids import stable_id
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

    def work(self, unit: UnitInput, hold_over_us: int | None = None) -> str:
        """Do what is not done yet of a unit; returns its name.

        Args:
            hold_over_us: as `MediaTools` has it.

        Raises:
            HostBrokenError: a host gave up, now or before an engine began this step again: it is not asked anew.
            VideosHeldError: the unit waits for pieces of long videos.
        """
        plan = plan_unit(unit, self.sources[unit.source], self.job.facts)
        with self.told("unit"):
            return work_unit(plan, replace(self.tools(unit.source), hold_over_us=hold_over_us)).unit

    @contextmanager
    def told(self, event: str) -> Iterator[None]:
        """Tell the watcher how long some work took, and the driver of a host that gave up.

        Raises:
            HostBrokenError: as `work` raises it.
        """
        started, stopped = time.monotonic(), f"{self.job.folder}-stopped"
        if self.store.exists(stopped):
            raise HostBrokenError(self.store.read(stopped).decode("utf-8"))
        try:
            yield
        except HostBrokenError as error:
            # Beam passes errors on as text; the driver finds what to say here.
            self.store.write(stopped, str(error).encode("utf-8"))
            raise
        except VideosHeldError:
            self.reporter.report("part", {"seconds": time.monotonic() - started})
            raise
        self.reporter.report(event, {"seconds": time.monotonic() - started})

    def tools(self, source: str) -> MediaTools:
        """Return the world as work on a source's videos sees it."""
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
    """((source, bucket), blocks) of a unit's rows -> the unit's name.

    A unit that waits for pieces of its long videos yields its blocks once more, one by one, to the output `waiting`,
    and a block of each piece to `pieces`, both by its place.
    """

    def process(self, element: tuple[Place, Iterable[Block]], bits: dict[str, int]) -> Iterator[Any]:
        place, grouping = element[0], self.job.grouping
        blocks = whole_blocks(element[1])
        try:
            yield self.work(grouping.unit_input(place, bits[place[0]], blocks), self.job.config.long_video_us)
        except VideosHeldError as held:
            lines = {number: [piece.to_line()] for number, piece in enumerate(held.pieces)}
            written = grouping.spool().write(stable_id("pieces", *place), lines)
            yield from (beam.pvalue.TaggedOutput("waiting", (place, block)) for block in blocks)
            yield from (beam.pvalue.TaggedOutput("pieces", (place, block)) for block in written.values())


class CutPiece(UnitWorker):
    """((source, bucket), block of a piece of a long video) -> (the same place, where what it came to lies)."""

    def process(self, element: tuple[Place, Block]) -> Iterator[tuple[Place, str]]:
        place, block = element
        (line,) = self.job.grouping.spool().read(block)
        piece = VideoPiece.from_line(line)
        with self.told("part"):
            cut_piece(piece, self.job.facts.cutting[place[0]], self.tools(place[0]))
        yield place, piece.path


class FinishUnit(UnitWorker):
    """((source, bucket), blocks of a unit's rows and its pieces) -> the unit's name, once all its pieces are cut."""

    def process(self, element: tuple[Place, dict[str, Iterable[Any]]], bits: dict[str, int]) -> Iterator[str]:
        place, told = element
        yield self.work(self.job.grouping.unit_input(place, bits[place[0]], told["waiting"]))


class WorkStored(UnitWorker):
    """Name of a committed unit -> the name that it has when it is made again from its parts."""

    def process(self, name: str) -> Iterator[str]:
        commit = read_commit(self.store, name)
        if commit is None:
            raise FileNotFoundError(f"unit {name} is not committed; run ingest again")
        yield self.work(stored_input(self.store, commit, self.sources[commit.source]))


class WorkUnits(beam.PTransform):
    """((source, bucket), blocks) of each unit and (source, bits) of each source -> names of committed units.

    Long videos are cut in pieces by whoever is free, and their units finished afterwards.
    """

    def __init__(self, job: IngestJob) -> None:
        super().__init__()
        self.job = job

    def expand(
        self, grouped: tuple[beam.PCollection[tuple[Place, Iterable[Block]]], beam.PCollection[tuple[str, int]]]
    ) -> beam.PCollection[str]:
        """Wire the steps; names of blocks are shuffled."""
        units, bits = grouped[0], beam.pvalue.AsDict(grouped[1])
        worked = units | "WorkUnit" >> beam.ParDo(WorkUnit(self.job), bits=bits).with_outputs(
            "waiting", "pieces", main="done"
        )
        cut = worked.pieces | "SpreadPieces" >> beam.Reshuffle() | "CutPiece" >> beam.ParDo(CutPiece(self.job))
        finished = (
            {"waiting": worked.waiting, "cut": cut}
            | "GroupPieces" >> beam.CoGroupByKey()
            | "FinishUnit" >> beam.ParDo(FinishUnit(self.job), bits=bits)
        )
        return (worked.done, finished) | "DoneUnits" >> beam.Flatten()


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
