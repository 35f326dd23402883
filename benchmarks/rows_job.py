"""The ingest's own reading, grouping by video and planning of units, on the default engine, without any media work."""

from __future__ import annotations

import importlib
import json
import resource
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam

from benchmarks.memory import own_peak_bytes
from benchmarks.rows import Reading, config_of
from curation.row_spool import Block, new_key
from curation.unit_plan import ingest_facts, plan_unit
from pipelines.engine import EngineOptions, running
from pipelines.grouping import Grouping, GroupRows, Place
from schemas.corpus import CorpusConfig

# The job that does the media work is not run here; its libraries (torch among them) weigh on every ingest.
importlib.import_module("pipelines.ingest")


class PlanUnit(beam.DoFn):
    """(Unit, its blocks) -> (what, how many): units, records, and rejects by reason."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping

    def setup(self) -> None:
        self.source = self.grouping.config.sources[0]
        self.facts = ingest_facts(self.grouping.config, {})

    def process(self, element: tuple[Place, Iterable[Block]], bits: dict[str, int]) -> Iterator[tuple[str, int]]:
        place, blocks = element
        plan = plan_unit(self.grouping.unit_input(place, bits[place[0]], blocks), self.source, self.facts)
        yield "units", 1
        yield "records", len(plan.records)
        for reject in plan.rejects:
            yield reject.reason.value, 1


class WriteCounts(beam.DoFn):
    """(What, how many) -> a file of a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def process(self, count: tuple[str, int]) -> Iterator[None]:
        (Path(self.folder) / count[0]).write_text(json.dumps(count[1]))
        return iter(())


def count_units(config: CorpusConfig, folder: Path) -> dict[str, int]:
    """Read, group and plan a corpus of one source, with an empty folder for a run; return what -> how many."""
    counts = folder / "counts"
    counts.mkdir()
    grouping = Grouping(config=config, root=str(folder / "run"), folder="tmp/ingest-rows", key=new_key())
    with running(EngineOptions()) as pipeline:
        units, bits = pipeline | GroupRows(grouping)
        _ = (
            units
            | "PlanUnit" >> beam.ParDo(PlanUnit(grouping), bits=beam.pvalue.AsDict(bits))
            | "Sum" >> beam.CombinePerKey(sum)
            | "Write" >> beam.ParDo(WriteCounts(str(counts)))
        )
    return {path.name: json.loads(path.read_text()) for path in counts.iterdir()}


def plan_table(path: Path) -> Reading:
    """Read, group and plan a table in this process."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        rejects = count_units(config_of(path), Path(scratch))
    units, records = rejects.pop("units", 0), rejects.pop("records", 0)
    spent = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Reading(
        records=records,
        rejects=rejects,
        units=units,
        cpu_s=sum(used.ru_utime + used.ru_stime for used in spent),
        peak_mb=own_peak_bytes() / 1e6,
    )
