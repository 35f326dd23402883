"""Tables as sources: CSV, TSV, JSON lines and Parquet, with a mapping from columns to meanings.

A row that does not parse is a broken row with its line; the file goes on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.sources.rows import BrokenRow, RawRow, Row, make_texts
from schemas.corpus import ConfigError, SourceConfig

# csv refuses fields over 131,072 characters by default; a caption of a megabyte must reach the text rules instead.
MAX_CELL_CHARS = 16 << 20
MAX_RAW_CHARS = 4_000


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


def _delimited(source: SourceConfig) -> Iterator[tuple[str, dict[str, Any] | str]]:
    path = Path(source.location)
    csv.field_size_limit(MAX_CELL_CHARS)
    # Bytes that are no UTF-8 become lone surrogates: the row keeps its identity, and the text rules drop that text.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if source.format == "tsv" else ",", strict=True)
        header = next(reader, None)
        if header is None or source.columns.locator not in header:
            raise _no_locator_column(source, header or [])
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"{path.name} line {line}", f"not a row: {error}"
                continue
            if not values:
                continue
            if len(values) != len(header):
                yield f"{path.name} line {line}", f"{len(values)} cells; the header has {len(header)}: {values!r:.200}"
            else:
                yield f"{path.name} line {line}", dict(zip(header, values, strict=True))


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
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError(f"sources.{source.name}.location: {path} is no Parquet file ({error})") from error
    if source.columns.locator not in file.schema_arrow.names:
        raise _no_locator_column(source, file.schema_arrow.names)
    number = 0
    for batch in file.iter_batches(batch_size=4096):
        for cells in batch.to_pylist():
            number += 1
            yield f"{path.name} row {number}", cells


def _no_locator_column(source: SourceConfig, names: list[str]) -> ConfigError:
    return ConfigError(
        f"sources.{source.name}.columns.locator is {source.columns.locator!r}, which {source.location} does not have; "
        f"its columns are {names}; name the column that holds the video's path"
    )
