"""Tables that add up: any split of the rows, in any order, gives the same sums in the same order of rows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

Types = Mapping[str, pl.DataType | type[pl.DataType]]


@dataclass(frozen=True, kw_only=True)
class SumTable:
    """Integer sums, minima and maxima under keys.

    Attributes:
        keys: column -> type; a key may be null, which is a key like any other.
        sums, minima, maxima: int64 columns; a minimum or maximum of nothing is null.
        split: the keys by which the table is shared out while it is added up, so that no part grows with the corpus.
    """

    name: str
    keys: Types
    sums: tuple[str, ...]
    minima: tuple[str, ...] = ()
    maxima: tuple[str, ...] = ()
    split: tuple[str, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """Column -> type, in the order of the columns."""
        numbers = (*self.sums, *self.minima, *self.maxima)
        return pl.Schema({**self.keys, **dict.fromkeys(numbers, pl.Int64)})

    def add_up(self, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """Return the sum of tables, sorted by the keys; of none, the empty table."""
        rows = _stacked(frames, self.schema)
        totals = [pl.col(name).sum() for name in self.sums]
        extremes = [*(pl.col(name).min() for name in self.minima), *(pl.col(name).max() for name in self.maxima)]
        return rows.group_by(list(self.keys)).agg(totals + extremes).sort(list(self.keys), nulls_last=False)


@dataclass(frozen=True, kw_only=True)
class TopRows:
    """The first `limit` rows under each key; rows that are equal in `order` follow each other by their other columns.

    Attributes:
        order: a text column that looks random and is a function of the row, so that its first rows are a fair sample.
    """

    name: str
    keys: Types
    order: str
    columns: Types
    limit: int
    split: tuple[str, ...] = ()
    sums: tuple[str, ...] = field(default=(), init=False)

    @property
    def schema(self) -> pl.Schema:
        """Column -> type, in the order of the columns."""
        return pl.Schema({**self.keys, self.order: pl.String, **self.columns})

    def add_up(self, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """Return the first rows of all, sorted by the keys and the order; of none, the empty table."""
        ordered = _stacked(frames, self.schema).sort(list(self.schema), nulls_last=False)
        return ordered.group_by(list(self.keys), maintain_order=True).head(self.limit).select(list(self.schema))


AnyTable = SumTable | TopRows


def _stacked(frames: Iterable[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    return pl.concat([schema.to_frame(), *(frame.select(list(schema)).cast(schema) for frame in frames)])


def shares(table: AnyTable, frame: pl.DataFrame) -> Iterator[tuple[tuple[str, ...], pl.DataFrame]]:
    """Yield (table name and split keys as text, rows) for each part that a table is added up in."""
    if not table.split:
        yield (table.name,), frame
        return
    for keys, rows in frame.partition_by(list(table.split), as_dict=True, include_key=True).items():
        yield (table.name, *(str(key) for key in keys)), rows


def pack(frame: pl.DataFrame) -> bytes:
    """Return a table as compressed Arrow bytes, for a shuffle or a scratch file."""
    sink = io.BytesIO()
    frame.write_ipc(sink, compression="zstd")
    return sink.getvalue()


def unpack(data: bytes) -> pl.DataFrame:
    """Return what `pack` packed."""
    return pl.read_ipc(io.BytesIO(data))
