"""The ingest job: sources -> records -> units -> clips, texts, scores and rejects on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from curation.media import MediaSandbox
from curation.progress import FileReporter
from curation.scorers import load_open_clip
from curation.seen_files import changed_files, look_at, remember
from curation.sources import read_source
from curation.store import LocalStore
from curation.unit_parts import finished_commit
from curation.unit_plan import UnitInput, plan_unit
from curation.unit_work import UnitTools, work_unit
from pipelines.engine import EngineOptions, running
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.records import Record, Reject
from schemas.run import unit_path
from schemas.units import unit_bits, unit_bucket

INGEST = "ingest"
Item = Record | Reject
Keyed = tuple[tuple[str, str], Item]


def place_of(item: Item) -> str:
    """Return what an item's bucket is a hash of: its locator, or for a row that became no record its own id."""
    return item.locator if isinstance(item, Record) else item.record_id or ""


class ReadSource(beam.DoFn):
    """Reads a source into ((source, locator), record or reject)."""

    def __init__(self, config: CorpusConfig) -> None:
        self.config = config

    def process(self, source: SourceConfig) -> Iterator[Keyed]:
        for item in read_source(source, self.config):
            yield (source.name, place_of(item)), item


class WorkUnit(beam.DoFn):
    """Does a unit's work unless it is committed, and yields the unit's name.

    The scorer and the media sandbox live as long as the worker does.
    """

    def __init__(self, config: CorpusConfig, root: str, facts: dict[str, object]) -> None:
        self.config = config
        self.root = root
        self.facts = facts

    def setup(self) -> None:
        self.store = LocalStore(self.root)
        self.reporter = FileReporter(self.root, INGEST)
        self.sources = {source.name: source for source in self.config.sources}
        self.sandbox: MediaSandbox | None = None
        self.tools: UnitTools | None = None

    def process(self, element: tuple[tuple[str, int], Iterable[Item]], bits: dict[str, int]) -> Iterator[str]:
        (source, bucket), items = element
        unit = UnitInput(source=source, bucket=bucket, bits=bits[source], items=tuple(items))
        plan = plan_unit(unit, self.sources[source], self.facts)
        if finished_commit(self.store, plan) is None or changed_files(self.store, plan):
            seen = look_at(plan)
            # The commit goes first: parts that are being replaced must not look finished.
            self.store.delete(unit_path(plan.name))
            work_unit(plan, self._tools())
            remember(self.store, plan, seen)
        else:
            self.reporter.report("resumed", {"videos": len(plan.videos)})
        yield plan.name

    def _tools(self) -> UnitTools:
        """Return the tools, made at the first unit that needs them: a finished run loads no model."""
        if self.tools is None:
            import torch

            # Results of a matrix product may depend on the number of threads; processes run in parallel here.
            torch.set_num_threads(1)
            self.sandbox = MediaSandbox()
            self.tools = UnitTools(
                config=self.config,
                store=self.store,
                cut=self.sandbox.cut,
                scorer=load_open_clip(self.config.scorer.model, self.config.scorer.pretrained),
                reporter=self.reporter,
            )
        return self.tools

    def teardown(self) -> None:
        if self.sandbox is not None:
            self.sandbox.close()


class ReportPlanned(beam.DoFn):
    """Tells the watcher how many videos a source has; passes the count on."""

    def __init__(self, root: str) -> None:
        self.root = root

    def process(self, element: tuple[str, int]) -> Iterator[tuple[str, int]]:
        FileReporter(self.root, INGEST).report("planned", {"videos": element[1]})
        yield element


class IngestSources(beam.PTransform):
    """All sources of a corpus -> names of committed units."""

    def __init__(self, config: CorpusConfig, root: str, facts: dict[str, object]) -> None:
        super().__init__()
        self.config = config
        self.root = root
        self.facts = facts

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[str]:
        """Wire the job; only records, which are references, are shuffled."""
        items = (
            pipeline
            | "Sources" >> beam.Create(list(self.config.sources), reshuffle=True)
            | "ReadSource" >> beam.ParDo(ReadSource(self.config))
        )
        grouped = items | "GroupByLocator" >> beam.GroupByKey()
        locators = (
            grouped
            | "SourceOfLocator" >> beam.Map(lambda group: (group[0][0], 1))
            | "LocatorsPerSource" >> beam.CombinePerKey(sum)
            | "ReportPlanned" >> beam.ParDo(ReportPlanned(self.root))
        )
        per_unit = self.config.videos_per_unit
        bits = locators | "UnitBits" >> beam.MapTuple(lambda source, count: (source, unit_bits(count, per_unit)))
        as_dict = beam.pvalue.AsDict(bits)
        return (
            grouped
            | "KeyByUnit" >> beam.FlatMap(key_by_unit, bits=as_dict)
            | "GroupByUnit" >> beam.GroupByKey()
            | "WorkUnit" >> beam.ParDo(WorkUnit(self.config, self.root, self.facts), bits=as_dict)
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


def run_ingest(config: CorpusConfig, root: str, facts: dict[str, object], engine: EngineOptions, folder: str) -> None:
    """Run the job; afterwards `folder` holds one empty file per unit of the corpus, named after it."""
    with running(engine) as pipeline:
        _ = pipeline | "Ingest" >> IngestSources(config, root, facts) | beam.ParDo(WriteNames(root, folder))
