from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.lines import MAX_LINE_BYTES, MAX_ROW_LINES, TOO_LONG, DelimitedRows, decoded, read_lines


class Dribble(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a network may."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._step)


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b'"', b"\xff", b"\x0b"]), max_size=40), st.integers(1, 7))
def test_lines_are_the_same_however_the_bytes_come(parts: list[bytes], step: int) -> None:
    data = b"".join(parts)
    expected = data.splitlines(keepends=True)
    assert list(read_lines(Dribble(data, step))) == [(len(line), line) for line in expected]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_a_line_beyond_the_bound_is_told_by_its_size_alone(ending: bytes) -> None:
    long = b"x" * (MAX_LINE_BYTES + 1) + ending
    found = list(read_lines(io.BytesIO(b"first\n" + long + b"last")))
    assert found == [(6, b"first\n"), (len(long), None), (4, b"last")]


def test_the_longest_line_allowed_is_read() -> None:
    longest = b"x" * (MAX_LINE_BYTES - 1) + b"\n"
    assert [line for _, line in read_lines(io.BytesIO(longest))] == [longest]


def test_a_long_last_line_is_bounded_too() -> None:
    assert list(read_lines(io.BytesIO(b"x" * (MAX_LINE_BYTES + 1)))) == [(MAX_LINE_BYTES + 1, None)]


def rows_of(data: bytes) -> list[tuple[int, int, list[str] | str]]:
    rows = DelimitedRows(read_lines(io.BytesIO(data)), ",")
    found = []
    while True:
        place = (rows.number, rows.offset)
        row = rows.next_row()
        if row is None:
            return found
        found.append((*place, row))


DELIMITED = {
    "two rows": (b"a,b\nc,d\n", [(1, 0, ["a", "b"]), (2, 4, ["c", "d"])]),
    "no last line end": (b"a\nb", [(1, 0, ["a"]), (2, 2, ["b"])]),
    "a cell of two lines": (b'"a\nb",c\nd,e\n', [(1, 0, ["a\nb", "c"]), (3, 8, ["d", "e"])]),
    "an empty line": (b"a\n\nb\n", [(1, 0, ["a"]), (2, 2, []), (3, 3, ["b"])]),
    "a mark in front": (b'\xef\xbb\xbf"a",b\n', [(1, 0, ["a", "b"])]),
    "a mark further down": (b"a\n\xef\xbb\xbfb\n", [(1, 0, ["a"]), (2, 2, ["\ufeffb"])]),
    "bytes that are no UTF-8": (b"caf\xe9\n", [(1, 0, ["caf\udce9"])]),
    "old Mac lines": (b"a\rb\r", [(1, 0, ["a"]), (2, 2, ["b"])]),
    "a quote that never ends": (
        b'"a\nb\nc\n',
        [(1, 0, "not a row: unexpected end of data"), (2, 3, ["b"]), (3, 5, ["c"])],
    ),
    "letters after a quote": (b'"a"b\nc\n', [(1, 0, "not a row: ',' expected after '\"'"), (2, 5, ["c"])]),
}


@pytest.mark.parametrize("case", DELIMITED)
def test_rows_and_their_places(case: str) -> None:
    data, expected = DELIMITED[case]
    assert rows_of(data) == expected


def test_a_missing_quote_reaches_no_further_than_the_bound() -> None:
    found = rows_of(b'"a\n' + b"b\n" * (MAX_ROW_LINES + 5))
    assert found[0][2] == f"not a row: a row of more than {MAX_ROW_LINES} lines; is a quote missing?"
    assert len(found) == MAX_ROW_LINES + 6 and found[-1][:2] == (MAX_ROW_LINES + 6, 3 + 2 * (MAX_ROW_LINES + 4))


def test_a_line_beyond_the_bound_is_one_wrong_row() -> None:
    found = rows_of(b"a\n" + b"x" * (MAX_LINE_BYTES + 1) + b"\nb\n")
    assert [row for _, _, row in found] == [["a"], f"not a row: {TOO_LONG}", ["b"]]


@given(st.lists(st.sampled_from([b"a", b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"\n"]), max_size=30))
def test_passing_over_rows_stops_where_reading_them_does(parts: list[bytes]) -> None:
    data = b"".join(parts)
    passing, places = DelimitedRows(read_lines(io.BytesIO(data)), ","), []
    while True:
        places.append((passing.number, passing.offset))
        if not passing.skip_row():
            break
    ends = [(len(data.splitlines()) + 1, len(data))]
    assert places == [(number, offset) for number, offset, _ in rows_of(data)] + ends


def test_only_the_first_line_of_a_file_loses_its_mark() -> None:
    assert (decoded(b"\xef\xbb\xbfa", first=True), decoded(b"\xef\xbb\xbfa")) == ("a", "\ufeffa")


class Endless(io.RawIOBase):
    """One line of many megabytes that is never held as a whole."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self._blocks = blocks

    def read(self, size: int = -1) -> bytes:
        self._blocks -= 1
        return b"x" * size if self._blocks >= 0 else b""


def test_a_file_without_line_ends_does_not_fill_the_memory() -> None:
    tracemalloc.start()
    try:
        found = list(read_lines(Endless(200)))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [(200 << 20, None)] and peak_bytes < 4 * MAX_LINE_BYTES
