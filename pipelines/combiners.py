"""Beam's face of curation's tables that add up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import polars as pl

from curation.judging.sums import pack, shares, unpack
from curation.judging.tables import TABLES

# (table, packed rows): tables travel as compressed Arrow bytes, which every coder passes on as they are.
Packed = tuple[str, bytes]
# Rows are added up when so many pieces have come together.
PIECES = 16


def parts(name: str, frame: pl.DataFrame) -> Iterator[tuple[str, Packed]]:
    """Yield (key, packed rows) of the parts that a table is added up in."""
    for key, rows in shares(TABLES[name], frame):
        yield "/".join(key), (name, pack(rows))


class AddUp(beam.CombineFn):
    """(table, packed rows) -> (table, packed sum); every input of one key is of one table."""

    def create_accumulator(self, *args: object, **kwargs: object) -> list[Packed]:
        return []

    def add_input(self, accumulator: list[Packed], element: Packed, *args: object, **kwargs: object) -> list[Packed]:
        accumulator.append(element)
        return accumulator if len(accumulator) < PIECES else self.compact(accumulator)

    def merge_accumulators(self, accumulators: Iterable[list[Packed]], *args: object, **kwargs: object) -> list[Packed]:
        merged: list[Packed] = []
        for accumulator in accumulators:
            for piece in accumulator:
                merged = self.add_input(merged, piece)
        return merged

    def compact(self, accumulator: list[Packed], *args: object, **kwargs: object) -> list[Packed]:
        if len(accumulator) < 2:
            return accumulator
        name = accumulator[0][0]
        return [(name, pack(TABLES[name].add_up(unpack(data) for _, data in accumulator)))]

    def extract_output(self, accumulator: list[Packed], *args: object, **kwargs: object) -> Packed | None:
        whole = self.compact(accumulator)
        return whole[0] if whole else None
