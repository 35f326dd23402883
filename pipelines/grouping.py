"""Pieces -> units: the rows of a source brought together by the videos that they name, through files and not through
the engine (docs/design/0009).

Readers spool rows by slice: one of 256 hash buckets of a source's places. How many places a source names says how many
units it is split into. Where these are no more than slices, a unit is some whole slices; else each slice is spooled
once more, by unit.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam

from curation.progress import new_reporter
from curation.row_lines import from_line, id_in, to_line
from curation.row_spool import Block, RowsLostError, RowSpool, portions, rows_told, whole_blocks
from curation.sources import read_piece
from curation.sources.pieces import PIECE_BYTES, Piece
from curation.stores import open_store
from curation.unit_plan import UnitInput
from pipelines.reading import FindPieces
from pipelines.scratch import write_scratch
from schemas.corpus import CorpusConfig
from schemas.ids import bucket_of, stable_id
from schemas.units import unit_bits

SLICE_BITS = 8
Place = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """What the steps that bring rows together know.

    Attributes:
        root: the run.
        folder: inside the run, for spooled rows and for how many were read; whoever runs the job removes it.
        key: what spooled rows are encrypted with.
        piece_bytes: how much of a file is read at once.
    """

    config: CorpusConfig
    root: str
    folder: str
    key: bytes = field(repr=False)
    piece_bytes: int = PIECE_BYTES

    def spool(self) -> RowSpool:
        """Return the job's spool."""
        return RowSpool(store=open_store(self.root), folder=f"{self.folder}/rows", key=self.key)

    def rows_read(self) -> dict[str, int]:
        """Return source -> how many rows readers found, once the job is over; a source without rows is not in it."""
        store = open_store(self.root)
        told = [json.loads(store.read(path)) for path in store.list(f"{self.folder}/read")]
        return {source["source"]: source["rows"] for source in told}

    def unit_input(self, place: Place, bits: int, blocks: Iterable[Block]) -> UnitInput:
        """Return a unit with its rows, in no order."""
        source, bucket = place
        spool = self.spool()
        lines = (line for block in whole_blocks(blocks) for line in spool.read(block))
        return UnitInput(
            source=source, bucket=bucket, bits=bits, items=tuple(from_line(source, line) for line in lines)
        )


class SpoolRows(beam.DoFn):
    """Piece -> ((source, slice), block) of its rows; output `read`: (source, (portion, path, rows))."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping

    def setup(self) -> None:
        self.sources = {source.name: source for source in self.grouping.config.sources}
        self.spool = self.grouping.spool()

    def process(self, piece: Piece) -> Iterator[Any]:
        source = piece.file.source
        items = read_piece(piece, self.sources[source], self.grouping.config)
        origin = stable_id("piece", source, piece.file.url, piece.start, piece.end)
        for portion, lines in portions(origin, map(to_line, items)):
            blocks = self.spool.write(portion, by_bucket(lines, SLICE_BITS))
            for number, block in blocks.items():
                yield (source, number), block
            yield beam.pvalue.TaggedOutput("read", (source, (portion, block.path, len(lines))))


def by_bucket(lines: Iterable[bytes], bits: int) -> dict[int, list[bytes]]:
    """Return bucket -> the lines whose places are in it."""
    buckets: dict[bytes, int] = {}
    found: dict[int, list[bytes]] = defaultdict(list)
    for line in lines:
        place = id_in(line)
        if place not in buckets:
            buckets[place] = bucket_of(place.decode("ascii"), bits)
        found[buckets[place]].append(line)
    return found


class CountPlaces(beam.DoFn):
    """((source, slice), blocks) -> (source, (places, rows))."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping

    def process(self, element: tuple[Place, Iterable[Block]]) -> Iterator[tuple[str, tuple[int, int]]]:
        (source, _), blocks = element
        spool, places, rows = self.grouping.spool(), set[bytes](), 0
        for block in whole_blocks(blocks):
            places.update(map(id_in, spool.read(block)))
            rows += block.rows
        yield source, (len(places), rows)


class DecideBits(beam.DoFn):
    """(source, what readers told and what slices hold) -> (source, bits of its units).

    Leaves how many rows were read in the job's folder, and tells the watcher how many videos there are.

    Raises:
        RowsLostError: slices do not hold what was read.
    """

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, int]]:
        source, told = element
        read, counts = rows_told(told["read"]), list(told["found"])
        places, found = sum(count for count, _ in counts), sum(rows for _, rows in counts)
        if read != found:
            raise RowsLostError(f"source {source}: {read} rows were read, and {found} were grouped; run again")
        write_scratch(self.grouping.root, f"{self.grouping.folder}/read", source, {"source": source, "rows": read})
        new_reporter(self.grouping.root, "ingest").report("planned", {"videos": places})
        yield source, unit_bits(places, self.grouping.config.videos_per_unit)


class SplitSlice(beam.DoFn):
    """((source, slice), blocks) -> ((source, bucket of a unit), block); bits says how many units there are."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping

    def process(self, element: tuple[Place, Iterable[Block]], bits: dict[str, int]) -> Iterator[tuple[Place, Block]]:
        (source, number), blocks = element
        whole = whole_blocks(blocks)
        if bits[source] <= SLICE_BITS:
            for block in whole:
                yield (source, number >> (SLICE_BITS - bits[source])), block
            return
        spool = self.grouping.spool()
        lines = (line for block in whole for line in spool.read(block))
        units = by_bucket(lines, bits[source])
        for bucket, block in self.grouping.spool().write(stable_id("slice", source, number), units).items():
            yield (source, bucket), block


class GroupRows(beam.PTransform):
    """All sources of a corpus -> ((source, bucket), blocks) of each unit, and (source, bits) of each source."""

    def __init__(self, grouping: Grouping) -> None:
        super().__init__()
        self.grouping = grouping

    def expand(
        self, pipeline: beam.Pipeline
    ) -> tuple[beam.PCollection[tuple[Place, Iterable[Block]]], beam.PCollection[tuple[str, int]]]:
        """Wire the steps; names of blocks are shuffled."""
        grouping = self.grouping
        spooled = (
            pipeline
            | "FindPieces" >> FindPieces(grouping.config, grouping.piece_bytes)
            | "SpoolRows" >> beam.ParDo(SpoolRows(grouping)).with_outputs("read", main="blocks")
        )
        slices = spooled.blocks | "GroupBySlice" >> beam.GroupByKey()
        found = slices | "CountPlaces" >> beam.ParDo(CountPlaces(grouping))
        bits = (
            {"read": spooled.read, "found": found}
            | "GroupBySource" >> beam.CoGroupByKey()
            | "DecideBits" >> beam.ParDo(DecideBits(grouping))
        )
        units = (
            slices
            | "SplitSlice" >> beam.ParDo(SplitSlice(grouping), bits=beam.pvalue.AsDict(bits))
            | "GroupByUnit" >> beam.GroupByKey()
        )
        return units, bits
