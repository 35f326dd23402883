"""One row of a source to a record or a reject: the same rules for every format."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curation.texts import clean_texts
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.ids import record_id
from schemas.reasons import RETRYABLE, Reason, Scope, Stage
from schemas.records import MAX_DETAIL_CHARS, Record, Reject, Text

TimeUnit = Literal["s", "ms", "us"]
MICROSECONDS: dict[TimeUnit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
MAX_LOCATOR_BYTES = 4096
# Ten years; far beyond any video, and far inside the 64 bits of a column.
MAX_TIME_US = 10 * 366 * 86_400 * 1_000_000
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)")


class RowProblem(ValueError):
    """A row cannot become a record; carries the reason code."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class RawRow:
    """What a format's reader makes of one row: fields by meaning, before any check.

    Attributes:
        place: where the row stands, for a person and for replay, for example `clips.csv line 7`.
        cells: the row as the file holds it; its canonical bytes make the record's id.
        time_unit: of `start` and `end` where they are numbers; None is what the source's config says.
    """

    place: str
    cells: dict[str, Any]
    locator: Any
    start: Any
    end: Any
    texts: tuple[Text, ...]
    time_unit: TimeUnit | None = None


@dataclass(frozen=True, kw_only=True)
class BrokenRow:
    """A row that the format's reader could not read at all."""

    place: str
    detail: str
    raw: str


Row = RawRow | BrokenRow


def raw_row_bytes(cells: dict[str, Any]) -> bytes:
    """Return the bytes that identify a row: canonical ASCII JSON, so that even broken text has an identity."""
    return json.dumps(cells, sort_keys=True, separators=(",", ":"), default=str).encode("ascii")


def row_to_record(row: Row, source: SourceConfig, config: CorpusConfig) -> Record | Reject:
    """Return the record of a row, or the reject that says why there is none."""
    if isinstance(row, BrokenRow):
        raw = row.raw.encode("utf-8", "backslashreplace")
        return _reject(source, record_id(source.name, raw), Reason.ROW_UNREADABLE, row.detail, row.place)
    try:
        identity = record_id(source.name, raw_row_bytes(row.cells))
    except RecursionError:
        broken = BrokenRow(place=row.place, detail="nested too deeply", raw=row.place)
        return row_to_record(broken, source, config)
    try:
        locator = _locator(row.locator)
        path = _inside(source.media_root or ".", locator)
        start_us, end_us = parse_span(row.start, row.end, MICROSECONDS[row.time_unit or source.columns.time_unit])
    except RowProblem as problem:
        return _reject(source, identity, problem.reason, str(problem), row.place)
    texts, dropped = clean_texts(row.texts, config.texts)
    return Record(
        record_id=identity,
        source=source.name,
        locator=locator,
        address=path,
        start_us=start_us,
        end_us=end_us,
        texts=texts,
        dropped_texts=dropped,
    )


def parse_span(start: Any, end: Any, unit_us: int) -> tuple[int | None, int | None]:
    """Return a half-open span in microseconds; an absent bound is None.

    Raises:
        RowProblem: a bound is no time (`field_invalid`), negative (`span_negative`), or the span is empty.
    """
    start_us, end_us = parse_time(start, unit_us), parse_time(end, unit_us)
    if (start_us is not None and start_us < 0) or (end_us is not None and end_us < 0):
        raise RowProblem(Reason.SPAN_NEGATIVE, f"span is [{start!r}, {end!r}); allowed: times from 0 on")
    if end_us is not None and end_us <= (start_us or 0):
        raise RowProblem(Reason.SPAN_EMPTY, f"span is [{start!r}, {end!r}); allowed: an end after the start")
    return start_us, end_us


def parse_time(value: Any, unit_us: int) -> int | None:
    """Return a time in microseconds: a number of units of `unit_us`, or `[H:]M:S[.f]`; None or '' is absent."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and (clock := _CLOCK.fullmatch(value.strip())):
        hours, minutes, seconds = clock.groups()
        whole_s = int(hours or 0) * 3600 + int(minutes) * 60
        return _bounded(whole_s * 1_000_000 + round(float(seconds) * 1_000_000), value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RowProblem(Reason.FIELD_INVALID, f"time is {value!r:.80}; allowed: a number or H:M:S.f") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise RowProblem(Reason.FIELD_INVALID, f"time is {value!r:.80}; allowed: a finite number")
    return _bounded(number * unit_us, value)


def _bounded(time_us: float, value: Any) -> int:
    if not abs(time_us) <= MAX_TIME_US:
        raise RowProblem(Reason.FIELD_INVALID, f"time is {value!r:.80}; allowed: under {MAX_TIME_US // 1_000_000} s")
    return round(time_us)


def make_texts(pairs: Iterable[tuple[str, Any]]) -> tuple[Text, ...]:
    """Return texts of (kind, value) pairs; a list of values is several texts, an absent value is none."""
    texts: list[Text] = []
    for kind, value in pairs:
        values = value if isinstance(value, list | tuple) else [value]
        texts.extend(Text(kind=str(kind), text=single) for single in values if single is not None)
    return tuple(texts)


def _locator(value: Any) -> str:
    if value is None or value == "":
        raise RowProblem(Reason.FIELD_MISSING, "the row names no video; its locator column is empty or absent")
    if not isinstance(value, str):
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {value!r}; allowed: a text")
    if "\x00" in value or len(value.encode("utf-8", "replace")) > MAX_LOCATOR_BYTES:
        raise RowProblem(Reason.FIELD_INVALID, f"locator holds a NUL or is over {MAX_LOCATOR_BYTES} bytes")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {value!r}; allowed: valid Unicode") from None
    if "://" in value:
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {value!r}; allowed here: a path of a local file")
    return value


def _inside(root: str, locator: str) -> str:
    """Return the path of a locator; a row must not reach files beside the source's own.

    Raises:
        RowProblem: it lies outside the media folder.
    """
    base = os.path.abspath(root)
    path = os.path.normpath(os.path.join(base, locator))
    if os.path.commonpath([base, path]) != base:
        raise RowProblem(
            Reason.LOCATOR_OUTSIDE,
            f"locator is {locator!r}, outside the media folder; set media_root to a folder above",
        )
    return path


def _reject(source: SourceConfig, identity: str, reason: Reason, detail: str, place: str) -> Reject:
    return Reject(
        source=source.name,
        stage=Stage.READ,
        scope=Scope.RECORD,
        reason=reason,
        detail=f"{place}: {detail}".encode("utf-8", "replace").decode("utf-8")[:MAX_DETAIL_CHARS],
        record_id=identity,
        sample_id=None,
        retryable=reason in RETRYABLE,
        attempts=1,
        input=json.dumps({"location": Path(source.location).name, "place": place}),
    )
