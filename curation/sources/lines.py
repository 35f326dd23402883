"""Lines of a byte stream and rows of a delimited file, each with its place; memory is bounded whatever they hold."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import BinaryIO

BLOCK_BYTES = 1 << 20
# A line beyond it is a reject; the longest caption that the text rules must see is far below.
MAX_LINE_BYTES = 32 << 20
# csv refuses fields over 131,072 characters by default; a caption of a megabyte must reach the text rules instead.
MAX_CELL_CHARS = 16 << 20
# A row of a delimited file holds as many lines and bytes at most; beyond them a quote is missing.
MAX_ROW_LINES = 1_000
MAX_ROW_BYTES = 64 << 20
BOM = b"\xef\xbb\xbf"
TOO_LONG = f"a line of more than {MAX_LINE_BYTES} bytes"

# (bytes of the line with its ending, the line; None where it is too long)
SizedLine = tuple[int, bytes | None]


def read_lines(stream: BinaryIO) -> Iterator[SizedLine]:
    """Yield the lines of a stream from where it stands, with their endings: `\\n`, `\\r\\n` or `\\r`."""
    rest, skipped = b"", 0
    while block := stream.read(BLOCK_BYTES):
        found = (rest + block).splitlines(keepends=True)
        # A `\r` at the end of a block may be half of an ending.
        rest = b"" if found[-1].endswith(b"\n") else found.pop()
        for line in found:
            size, skipped = skipped + len(line), 0
            yield size, line if size <= MAX_LINE_BYTES else None
        if len(rest) > MAX_LINE_BYTES or (skipped and rest):
            kept = rest[-1:] if rest.endswith(b"\r") else b""
            skipped, rest = skipped + len(rest) - len(kept), kept
    for line in rest.splitlines(keepends=True):
        yield skipped + len(line), line if skipped + len(line) <= MAX_LINE_BYTES else None
        skipped = 0
    if skipped:
        yield skipped, None


def decoded(line: bytes, *, first: bool = False) -> str:
    """Return a line as text; bytes that are no UTF-8 become lone surrogates, so that the row keeps its identity."""
    return (line.removeprefix(BOM) if first else line).decode("utf-8", "surrogateescape")


class _Lines:
    """The lines of a file as a csv reader wants them, with those of a row that went wrong given back."""

    def __init__(self, lines: Iterable[SizedLine], number: int, offset: int) -> None:
        self.number = number
        self.offset = offset
        self._lines = iter(lines)
        self._back: deque[SizedLine] = deque()
        self._taken: list[SizedLine] = []
        self._row_bytes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._taken) >= MAX_ROW_LINES:
            raise csv.Error(f"a row of more than {MAX_ROW_LINES} lines; is a quote missing?")
        if self._row_bytes > MAX_ROW_BYTES:
            raise csv.Error(f"a row of more than {MAX_ROW_BYTES} bytes; is a quote missing?")
        size, line = taken = self._back.popleft() if self._back else next(self._lines)
        first = self.offset == 0
        self._taken.append(taken)
        self.number += 1
        self.offset += size
        self._row_bytes += size
        if line is None:
            raise csv.Error(TOO_LONG)
        return decoded(line, first=first)

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self._taken.clear()
        self._row_bytes = 0

    def give_back(self) -> None:
        """Give back all lines of this row but its first."""
        given = self._taken[1:]
        self._back.extendleft(reversed(given))
        self.number -= len(given)
        self.offset -= sum(size for size, _ in given)

    def skip_plain(self) -> bool | None:
        """Pass over the next line if it has no quote; return None at the end."""
        line = self._back.popleft() if self._back else next(self._lines, None)
        if line is None:
            return None
        if line[1] is not None and b'"' in line[1]:
            self._back.appendleft(line)
            return False
        self.number += 1
        self.offset += line[0]
        return True


class DelimitedRows:
    """The rows of a delimited file.

    A stray quote makes a reader swallow line after line; giving back all but the first costs one row, not the file.
    """

    def __init__(self, lines: Iterable[SizedLine], delimiter: str, *, number: int = 1, offset: int = 0) -> None:
        csv.field_size_limit(MAX_CELL_CHARS)
        self._lines = _Lines(lines, number, offset)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)

    @property
    def number(self) -> int:
        """Line number at which the next row starts, from 1."""
        return self._lines.number

    @property
    def offset(self) -> int:
        """Byte of the file at which the next row starts."""
        return self._lines.offset

    def next_row(self) -> list[str] | str | None:
        """Return the next row's cells, why it is no row, or None at the end; an empty line has no cells."""
        self._lines.start_row()
        try:
            return next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            self._lines.give_back()
            return f"not a row: {error}"

    def skip_row(self) -> bool:
        """Pass over the next row, without making cells of it where that can be; return False at the end."""
        passed = self._lines.skip_plain()
        # Without a quote a line is a row, or one that is wrong.
        return bool(passed) or (passed is False and self.next_row() is not None)
