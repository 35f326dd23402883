"""Files in pieces that workers read on their own: what they read together is what one reading of the file gives.

A piece of lines is a range of bytes in which rows start; its last row may reach beyond it, and so may the lines that
a reader looks at before it knows that a quote is stray. A piece of a Parquet file is a range of row groups. Everything
else is one piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.parquet as pq

from curation.sources.files import SourceFile, open_file, size_of
from curation.sources.lines import DelimitedRows, read_lines

PIECE_BYTES = 8 << 20
DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a file.

    Attributes:
        start, end: half-open range of the bytes, or of the Parquet row groups, at which its rows start; an `end` of
            None is the end of the file.
        before: lines, or Parquet rows, of the file in front of it: the first one's number is one more.
    """

    file: SourceFile
    start: int = 0
    end: int | None = None
    before: int = 0


def split_file(file: SourceFile, container: str, piece_bytes: int = PIECE_BYTES) -> Iterator[Piece]:
    """Yield the pieces of a file, each of about `piece_bytes` or one row.

    Args:
        container: how the file holds its rows: `csv`, `tsv`, `jsonl`, `parquet`; any other is not split.

    Raises:
        OSError, or one of `files.remote_errors()`: it cannot be read.
        pyarrow.ArrowInvalid: it is no Parquet file.
    """
    if file.packed or container not in (*DELIMITERS, "jsonl", "parquet"):
        yield Piece(file=file)
    elif container == "parquet":
        yield from _row_groups(file, piece_bytes)
    else:
        size = size_of(file)
        if size is None or size <= piece_bytes:
            yield Piece(file=file)
        else:
            yield from _ranges(file, container, piece_bytes)


def _ranges(file: SourceFile, container: str, piece_bytes: int) -> Iterator[Piece]:
    start, before = 0, 0
    starts = _line_starts(file) if container == "jsonl" else _row_starts(file, DELIMITERS[container])
    for offset, number in starts:
        if offset - start >= piece_bytes:
            yield Piece(file=file, start=start, end=offset, before=before)
            start, before = offset, number - 1
    yield Piece(file=file, start=start, end=None, before=before)


def _line_starts(file: SourceFile) -> Iterator[tuple[int, int]]:
    """Yield (byte, line number) of each line."""
    offset = 0
    with open_file(file) as stream:
        for number, (size, _) in enumerate(read_lines(stream), start=1):
            yield offset, number
            offset += size


def _row_starts(file: SourceFile, delimiter: str) -> Iterator[tuple[int, int]]:
    """Yield (byte, line number) of each row; only rows with quotes are looked into."""
    with open_file(file) as stream:
        rows = DelimitedRows(read_lines(stream), delimiter)
        yield rows.offset, rows.number
        while rows.skip_row():
            yield rows.offset, rows.number


def _row_groups(file: SourceFile, piece_bytes: int) -> Iterator[Piece]:
    with open_file(file) as stream:
        facts = pq.ParquetFile(stream).metadata
        start, before, rows, size = 0, 0, 0, 0
        for group in range(facts.num_row_groups):
            group_bytes = facts.row_group(group).total_byte_size
            if size and size + group_bytes > piece_bytes:
                yield Piece(file=file, start=start, end=group, before=before)
                start, before, size = group, rows, 0
            size += group_bytes
            rows += facts.row_group(group).num_rows
        yield Piece(file=file, start=start, end=None, before=before)
