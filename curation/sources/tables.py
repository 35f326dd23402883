"""Tables as sources: CSV, TSV, JSON lines and Parquet, with a mapping from columns to meanings.

A row that does not parse is a broken row with its line; the file goes on.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.sources.rows import BrokenRow, RawRow, Row, make_texts
from schemas.config_file import ConfigError
from schemas.corpus import SourceConfig

# csv refuses fields over 131,072 characters by default; a caption of a megabyte must reach the text rules instead.
MAX_CELL_CHARS = 16 << 20
MAX_RAW_CHARS = 4_000
# A row of a delimited file holds as many lines at most; beyond them a quote is missing.
MAX_ROW_LINES = 1_000


def read_table(source: SourceConfig) -> Iterator[Row]:
    """Yield the rows of a table, in the file's order.

    Raises:
        ConfigError: the file lacks the locator column, or is no file of its format at all.
    """
    readers = {"csv": _delimited, "tsv": _delimited, "jsonl": _json_lines, "parquet": _parquet}
    for place, cells in readers[source.format](source):
        if isinstance(cells, str):
            yield BrokenRow(place=place, detail=cells, raw=f"{place}: {cells}")
        else:
            yield _by_columns(place, cells, source)


def _by_columns(place: str, cells: dict[str, Any], source: SourceConfig) -> RawRow:
    columns = source.columns
    mapping = columns.texts or {kind: kind.value for kind in source.text_kinds}
    return RawRow(
        place=place,
        cells=cells,
        locator=cells.get(columns.locator),
        start=cells.get(columns.start),
        end=cells.get(columns.end),
        texts=make_texts((kind, cells.get(name)) for kind, name in mapping.items()),
    )


class _Lines:
    """The lines of a file, with those of a row that went wrong given back.

    A stray quote makes a reader swallow line after line; giving back all but the first costs one row, not the file.
    """

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._back: deque[str] = deque()
        self._taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._taken) >= MAX_ROW_LINES:
            raise csv.Error(f"a row of more than {MAX_ROW_LINES} lines; is a quote missing?")
        line = self._back.popleft() if self._back else next(self._file)
        self._taken.append(line)
        self.number += 1
        return line

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self._taken = []

    def give_back(self) -> None:
        """Give back all lines of this row but its first."""
        self._back.extendleft(reversed(self._taken[1:]))
        self.number -= max(0, len(self._taken) - 1)
        self._taken = []


def _delimited(source: SourceConfig) -> Iterator[tuple[str, dict[str, Any] | str]]:
    path = Path(source.location)
    header = table_columns(source)
    # Bytes that are no UTF-8 become lone surrogates: the row keeps its identity, and the text rules drop that text.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = _Lines(file)
        next(csv.reader(lines, **_dialect(source)))
        while True:
            lines.start_row()
            place = f"{path.name} line {lines.number + 1}"
            try:
                values = next(csv.reader(lines, **_dialect(source)))
            except StopIteration:
                return
            except csv.Error as error:
                lines.give_back()
                yield place, f"not a row: {error}"
                continue
            if not values:
                continue
            if len(values) != len(header):
                yield place, f"{len(values)} cells; the header has {len(header)}: {values!r:.200}"
            else:
                yield place, dict(zip(header, values, strict=True))


def _dialect(source: SourceConfig) -> dict[str, Any]:
    csv.field_size_limit(MAX_CELL_CHARS)
    return {"delimiter": "\t" if source.format == "tsv" else ",", "strict": True}


def table_columns(source: SourceConfig) -> list[str]:
    """Return the columns of a CSV, TSV or Parquet file.

    Raises:
        ConfigError: it cannot be read, or it lacks a column that the config names, or has one twice.
    """
    path = Path(source.location)
    try:
        if source.format == "parquet":
            names = list(pq.ParquetFile(path).schema_arrow.names)
        else:
            with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                names = next(csv.reader(file, **_dialect(source)), [])
    except (OSError, csv.Error, pa.ArrowInvalid) as error:
        raise ConfigError(f"sources.{source.name}.location: {path} is no {source.format} file ({error})") from error
    columns = source.columns
    named = [getattr(columns, name) for name in ("start", "end") if name in columns.model_fields_set]
    for what in (columns.locator, *columns.texts.values(), *named):
        if what not in names:
            raise _no_such_column(source, what, names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"sources.{source.name}.location: {path} has the columns {twice} twice; rename one of each")
    return names


def _json_lines(source: SourceConfig) -> Iterator[tuple[str, dict[str, Any] | str]]:
    path = Path(source.location)
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path.name} line {number}"
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield place, f"not JSON: {error}: {line[:MAX_RAW_CHARS]!r:.200}"
                continue
            yield place, cells if isinstance(cells, dict) else f"a {type(cells).__name__}; allowed: an object"


def _parquet(source: SourceConfig) -> Iterator[tuple[str, dict[str, Any] | str]]:
    path = Path(source.location)
    table_columns(source)
    file = pq.ParquetFile(path)
    number = 0
    for batch in file.iter_batches(batch_size=4096):
        for cells in _rows_of(batch):
            number += 1
            yield f"{path.name} row {number}", cells


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


def _no_such_column(source: SourceConfig, column: str, names: list[str]) -> ConfigError:
    return ConfigError(
        f"sources.{source.name}.columns: {source.location} has no column {column!r}; its columns are {names}; name the "
        "columns that hold the video's path, its times and its texts"
    )
