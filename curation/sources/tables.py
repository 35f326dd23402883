"""Items of tables: CSV, TSV, JSON lines, Parquet and JSON documents, piece by piece.

An item that does not parse is a reason in words with its place; the file goes on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from curation.sources.adapter import Adapter, Walk
from curation.sources.files import SourceFile, open_file, remote_errors
from curation.sources.lines import TOO_LONG, DelimitedRows, decoded, read_lines
from curation.sources.locators import without_secrets
from curation.sources.pieces import DELIMITERS, Piece
from curation.sources.unpack import BrokenStream
from schemas.config_file import ConfigError
from schemas.corpus import SourceConfig

MAX_RAW_CHARS = 4_000
PARQUET_BATCH_ROWS = 1_024
# (place, the item's cells or why there are none)
Found = tuple[str, dict[str, Any] | str]


def delimited_items(piece: Piece, container: str, source: SourceConfig, adapter: Adapter | None) -> Iterator[Found]:
    """Yield the rows of a piece of a CSV or TSV file.

    Raises:
        ConfigError: the file lacks a column that the config names.
    """
    header = None if piece.start == 0 else table_columns(piece.file, container, source, adapter)
    with open_file(piece.file, piece.start) as stream:
        lines = read_lines(stream)
        rows = DelimitedRows(lines, DELIMITERS[container], number=piece.before + 1, offset=piece.start)
        try:
            yield from _rows(rows, piece, _Header(container, source, adapter, header))
        except BrokenStream as error:
            yield f"{piece.file.name} line {rows.number}", str(error)


class _Header:
    """The names of a file's cells: known from the start, or told by its first row."""

    def __init__(self, container: str, source: SourceConfig, adapter: Adapter | None, names: list[str] | None) -> None:
        self._container = container
        self._source = source
        self._adapter = adapter
        self.names = names

    def take(self, first: list[str] | str | None, file: SourceFile) -> bool:
        """Settle the names by a file's first row; return whether that row is a header rather than an item."""
        names, is_header = _names_of(first, self._container, file, self._source, self._adapter)
        self.names = names if self._adapter else _checked_columns(names, file, self._source)
        return is_header


def _rows(rows: DelimitedRows, piece: Piece, header: _Header) -> Iterator[Found]:
    first = header.names is None
    while piece.end is None or rows.offset < piece.end:
        place = f"{piece.file.name} line {rows.number}"
        values = rows.next_row()
        if first and header.take(values, piece.file):
            first = False
            continue
        first = False
        if values is None:
            return
        names = header.names or []
        if isinstance(values, str):
            yield place, values
        elif values and len(values) != len(names):
            yield place, f"{len(values)} cells; the header has {len(names)}: {values!r:.200}"
        elif values:
            yield place, dict(zip(names, values, strict=True))


def table_columns(file: SourceFile, container: str, source: SourceConfig, adapter: Adapter | None = None) -> list[str]:
    """Return the columns of a CSV, TSV or Parquet file, checked against those that the source's config names.

    Raises:
        ConfigError: it cannot be read, or it lacks a column that the config names, or has one twice.
    """
    names = read_columns(file, container, source, adapter)
    return names if adapter else _checked_columns(names, file, source)


def read_columns(file: SourceFile, container: str, source: SourceConfig, adapter: Adapter | None = None) -> list[str]:
    """Return the columns of a CSV, TSV or Parquet file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with open_file(file) as stream:
            if container == "parquet":
                return list(pq.ParquetFile(stream).schema_arrow.names)
            first = DelimitedRows(read_lines(stream), DELIMITERS[container]).next_row()
            return _names_of(first, container, file, source, adapter)[0]
    except (*remote_errors(), pa.ArrowException, BrokenStream) as error:
        raise ConfigError(_no_such_file(file, container, source, str(error))) from error


def _names_of(
    first: list[str] | str | None, container: str, file: SourceFile, source: SourceConfig, adapter: Adapter | None
) -> tuple[list[str], bool]:
    """Return the names of a file's cells, and whether its first row holds them."""
    if isinstance(first, str):
        raise ConfigError(_no_such_file(file, container, source, first))
    row = first or []
    if adapter is not None and adapter.columns is not None:
        is_header = bool(row) and row[0].strip().lower() in {mark.lower() for mark in adapter.header_marks}
        # A header of other length is of another release, and names its own columns.
        told = is_header and (set(adapter.columns) <= set(row) or len(row) != len(adapter.columns))
        return (row if told else list(adapter.columns)), is_header
    if source.column_names:
        return list(source.column_names), False
    return row, True


def _checked_columns(names: list[str], file: SourceFile, source: SourceConfig) -> list[str]:
    columns = source.columns
    named = [getattr(columns, name) for name in ("start", "end") if name in columns.model_fields_set]
    for what in (columns.locator, *columns.texts.values(), *named):
        if what not in names:
            raise ConfigError(
                f"sources.{source.name}.columns: {file.name} has no column {what!r}; its columns are "
                f"{_shortened(names)}; name the columns that hold the video's path, its times and its texts"
            )
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ConfigError(
            f"sources.{source.name}.location: {file.name} has the columns {_shortened(twice)} twice; rename one of each"
        )
    return names


def _shortened(names: list[str]) -> str:
    return str(names) if len(names) <= 40 else f"{names[:40]} and {len(names) - 40} more"


def _no_such_file(file: SourceFile, container: str, source: SourceConfig, detail: str) -> str:
    return f"sources.{source.name}.location: {file.name} is no {container} file ({without_secrets(detail)})"


def json_lines_items(piece: Piece) -> Iterator[Found]:
    """Yield the objects of a piece of a file of JSON lines."""
    number, offset = piece.before, piece.start
    with open_file(piece.file, piece.start) as stream:
        lines = read_lines(stream)
        while piece.end is None or offset < piece.end:
            place = f"{piece.file.name} line {number + 1}"
            try:
                sized = next(lines, None)
            except BrokenStream as error:
                yield place, str(error)
                return
            if sized is None:
                return
            size, line = sized
            cells = TOO_LONG if line is None else _json_object(decoded(line, first=offset == 0))
            if cells is not None:
                yield place, cells
            number += 1
            offset += size


def _json_object(line: str) -> dict[str, Any] | str | None:
    """Return the object of a line, why it is none, or None for a blank line."""
    if not line.strip():
        return None
    if line.endswith("\r"):
        line = f"{line[:-1]}\n"
    elif line.endswith("\r\n"):
        line = f"{line[:-2]}\n"
    try:
        cells = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}: {line[:MAX_RAW_CHARS]!r:.200}"
    return cells if isinstance(cells, dict) else f"a {type(cells).__name__}; allowed: an object"


def parquet_items(piece: Piece, source: SourceConfig, adapter: Adapter | None) -> Iterator[Found]:
    """Yield the rows of a range of row groups.

    Raises:
        ConfigError: the file is no Parquet file, or lacks a column that the config names.
    """
    table_columns(piece.file, "parquet", source, adapter)
    number = piece.before
    with open_file(piece.file) as stream:
        # One row group's columns are read through buffers, not as a whole.
        file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
        groups = list(range(piece.start, file.num_row_groups if piece.end is None else piece.end))
        for cells in _parquet_rows(file, groups):
            number += 1
            yield f"{piece.file.name} row {number}", cells


def _parquet_rows(file: pq.ParquetFile, groups: list[int]) -> Iterator[dict[str, Any] | str]:
    """Yield the rows of row groups, and at last why it goes no further where a page is damaged."""
    try:
        for batch in file.iter_batches(batch_size=PARQUET_BATCH_ROWS, row_groups=groups):
            yield from _rows_of(batch)
    except (pa.ArrowException, OSError) as error:
        # Damage comes from Arrow without a number; what has one is the disk's or the network's fault.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        yield f"the file cannot be read from here on: {error!s:.500}"


def _rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """Yield the rows of a batch; a row that Python cannot hold (no UTF-8, a year 10,000) is a text that says so."""
    try:
        yield from batch.to_pylist()
        return
    except (ValueError, OverflowError):
        pass
    for position in range(batch.num_rows):
        try:
            yield batch.slice(position, 1).to_pylist()[0]
        except (ValueError, OverflowError) as error:
            yield f"not readable: {error!r:.200}"


def json_document_items(piece: Piece, walk: Walk) -> Iterator[Found]:
    """Yield the objects of a JSON document, as far as it can be read."""
    name, last = piece.file.name, "its beginning"
    with open_file(piece.file) as stream:
        try:
            for place, cells in walk(_buffered(stream)):
                last = f"{place}"
                yield f"{name} {place}", dict(cells)
        except (ValueError, TypeError, RecursionError, EOFError, ijson.JSONError) as error:
            yield f"{name} after {last}", f"not JSON from here on: {error!s:.500}"


def _buffered(stream: BinaryIO) -> BinaryIO:
    return io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
