"""Rows come to the units that one process would put them into, whatever the pieces, the order and the workers."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from curation.row_spool import Block, RowsLostError, new_key
from curation.sources import list_source, split_source_file
from curation.store import LocalStore
from curation.unit_plan import UnitInput, UnitPlan, plan_unit
from pipelines.engine import EngineOptions, running
from pipelines.grouping import SLICE_BITS, CountPlaces, DecideBits, Grouping, GroupRows, Place, SplitSlice, SpoolRows
from schemas.corpus import CorpusConfig, load_corpus
from tests.builders import IN_PROCESS, fake_facts, unit_inputs, write_corpus

THREADS = EngineOptions(flags=("--direct_num_workers=2",))
CORPUS = """
corpus: many
sources:
  - {name: many, origin: noisy, format: csv, location: many.csv, text_kinds: [caption], licence: &l
      {name: CC0-1.0, basis: own, terms: made for a test}}
  - {name: few, origin: clean, format: csv, location: few.csv, text_kinds: [caption], licence: *l}
  - {name: none, origin: clean, format: csv, location: none.csv, text_kinds: [caption], licence: *l}
videos_per_unit: 1
"""
HEADER = "video,start_s,end_s,caption\n"
ROWS, VIDEOS = 800, 300


def write_many(folder: Path, seed: int | None = None) -> CorpusConfig:
    """Write a corpus whose first source has more units than there are slices; a seed shuffles its rows."""
    folder.mkdir()
    rows = [f'v/{n % VIDEOS}.mp4,{n % 7},{n % 5},"words\nof {n}"\n' for n in range(ROWS)]
    rows += rows[:20]
    if seed is not None:
        random.Random(seed).shuffle(rows)
    (folder / "many.csv").write_text(HEADER + "".join(rows))
    (folder / "few.csv").write_text(HEADER + "".join(f"v/{n % 3}.mp4,0,1,words {n}\n" for n in range(9)))
    (folder / "none.csv").write_text(HEADER)
    (folder / "corpus.yaml").write_text(CORPUS)
    return load_corpus(folder / "corpus.yaml")


def grouping_in(folder: Path, config: CorpusConfig, **options: Any) -> Grouping:
    return Grouping(config=config, root=str(folder), folder="tmp/rows", key=new_key(), **options)


def plans_of(units: Iterable[UnitInput], config: CorpusConfig) -> dict[str, UnitPlan]:
    sources = {source.name: source for source in config.sources}
    facts = fake_facts(config)
    plans = (plan_unit(unit, sources[unit.source], facts) for unit in units)
    return {plan.name: plan for plan in plans}


class PlanUnit(beam.DoFn):
    """(Unit, its blocks) -> its plan."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping

    def setup(self) -> None:
        config = self.grouping.config
        self.facts = fake_facts(config)
        self.sources = {source.name: source for source in config.sources}

    def process(self, element: tuple[Place, Iterable[Block]], bits: dict[str, int]) -> Iterator[UnitPlan]:
        place, blocks = element
        unit = self.grouping.unit_input(place, bits[place[0]], blocks)
        yield plan_unit(unit, self.sources[unit.source], self.facts)


def plan_by_beam(grouping: Grouping, engine: EngineOptions, expected: dict[str, UnitPlan]) -> None:
    def same(plans: list[UnitPlan]) -> None:
        assert len(plans) == len(expected)
        assert {plan.name: plan for plan in plans} == expected

    with running(engine) as pipeline:
        units, bits = pipeline | GroupRows(grouping)
        assert_that(units | beam.ParDo(PlanUnit(grouping), bits=beam.pvalue.AsDict(bits)), same)


# (how much of a file is read at once, engine)
WAYS = {"one piece": (1 << 20, IN_PROCESS), "many pieces": (3_000, IN_PROCESS), "two threads": (5_000, THREADS)}


@pytest.mark.parametrize("way", WAYS)
def test_units_are_those_of_one_process(way: str, tmp_path: Path) -> None:
    piece_bytes, engine = WAYS[way]
    config = write_many(tmp_path / "in")
    expected = plans_of(unit_inputs(config), config)
    assert len([name for name in expected if name.startswith("many-")]) > 1 << SLICE_BITS
    grouping = grouping_in(tmp_path / "run", config, piece_bytes=piece_bytes)
    plan_by_beam(grouping, engine, expected)
    assert grouping.rows_read() == {"many": ROWS + 20, "few": 9}


@pytest.mark.parametrize("videos_per_unit", [1, 4, 4096])
def test_the_order_of_rows_does_not_matter(videos_per_unit: int, tmp_path: Path) -> None:
    config = write_many(tmp_path / "in").model_copy(update={"videos_per_unit": videos_per_unit})
    expected = plans_of(unit_inputs(config), config)
    shuffled = write_many(tmp_path / "shuffled", seed=1).model_copy(update={"videos_per_unit": videos_per_unit})
    # What a reject says of its place, and where a file lies, are not the same; what a unit is, is.
    found = plans_of(unit_inputs(shuffled), shuffled)
    assert sorted(found) == sorted(expected)
    plan_by_beam(grouping_in(tmp_path / "run", shuffled, piece_bytes=2_000), IN_PROCESS, found)


def test_rows_of_every_kind_and_rejects_come_to_their_units(tmp_path: Path) -> None:
    config = load_corpus(write_corpus(tmp_path / "in"))
    plan_by_beam(grouping_in(tmp_path / "run", config), IN_PROCESS, plans_of(unit_inputs(config), config))


@dataclass
class Steps:
    """The steps of the first source, run by hand, so that something can go wrong between them."""

    grouping: Grouping
    pieces: list[Any]
    read: list[tuple[str, str, int]] = field(default_factory=list)
    slices: dict[Place, list[Block]] = field(default_factory=dict)

    def spool(self) -> None:
        step = SpoolRows(self.grouping)
        step.setup()
        for found in (found for piece in self.pieces for found in step.process(piece)):
            if isinstance(found, beam.pvalue.TaggedOutput):
                self.read.append(found.value[1])
            else:
                self.slices.setdefault(found[0], []).append(found[1])

    def decide(self) -> list[tuple[str, int]]:
        counts = [count for slice in self.slices.items() for _, count in CountPlaces(self.grouping).process(slice)]
        return list(DecideBits(self.grouping).process(("many", {"read": self.read, "found": counts})))

    def split(self) -> dict[Place, list[Block]]:
        units: dict[Place, list[Block]] = {}
        for slice in self.slices.items():
            for place, block in SplitSlice(self.grouping).process(slice, {"many": 9}):
                units.setdefault(place, []).append(block)
        return units


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    config = write_many(tmp_path / "in")
    source = config.sources[0]
    pieces = [
        piece
        for file in list_source(source, config.fetch_of(source))
        for piece in split_source_file(file, source, 6_000)
    ]
    assert len(pieces) > 3
    return Steps(grouping_in(tmp_path / "run", config), pieces)


def test_a_block_that_an_engine_loses_stops_the_job(steps: Steps) -> None:
    steps.spool()
    next(iter(steps.slices.values())).pop()
    with pytest.raises(RowsLostError, match=r"source many: 820 rows were read, and 8\d\d were grouped"):
        steps.decide()


def test_a_shard_that_an_engine_loses_stops_the_job(steps: Steps) -> None:
    steps.spool()
    del steps.slices[next(iter(steps.slices))]
    with pytest.raises(RowsLostError):
        steps.decide()


def test_a_bundle_that_is_run_again_changes_nothing(steps: Steps) -> None:
    steps.spool()
    once = {place: [*blocks] for place, blocks in steps.slices.items()}, steps.decide(), steps.split()
    files = list(LocalStore(steps.grouping.root).list("tmp/rows/rows"))
    steps.spool()
    assert {place: sorted(set(blocks)) for place, blocks in steps.slices.items()} == {
        place: sorted(blocks) for place, blocks in once[0].items()
    }
    assert (steps.decide(), steps.split()) == once[1:]
    assert list(LocalStore(steps.grouping.root).list("tmp/rows/rows")) == files


def test_a_bundle_that_is_run_again_and_reads_other_rows_stops_the_job(steps: Steps) -> None:
    steps.spool()
    path = Path(steps.pieces[0].file.url)
    path.write_bytes(path.read_bytes().replace(b"words", b"other"))
    steps.spool()
    for step in (steps.decide, steps.split):
        with pytest.raises(RowsLostError, match="changed while it was read"):
            step()


def test_a_reader_holds_so_much_and_no_more(steps: Steps) -> None:
    steps.spool()
    names = {block.path for blocks in steps.slices.values() for block in blocks}
    assert len(names) == len(steps.pieces) == len(steps.read)


def test_threads_share_a_spool(steps: Steps) -> None:
    """The same piece read by two workers at once, as an engine may that takes one for lost, is the same file."""
    attempts = [Steps(steps.grouping, steps.pieces) for _ in range(2)]
    threads = [threading.Thread(target=attempt.spool) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert attempts[0].slices == attempts[1].slices
    assert attempts[0].decide() == attempts[1].decide()
