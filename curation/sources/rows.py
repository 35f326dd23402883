"""One row of a source to a record or a reject: the same rules for every format."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from curation.sources.files import base_name
from curation.sources.locators import RowProblem, find_place, without_secrets
from curation.texts import clean_texts
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.ids import record_id
from schemas.reasons import RETRYABLE, Reason, Scope, Stage
from schemas.records import MAX_DETAIL_CHARS, Record, Reject, Text

TimeUnit = Literal["s", "ms", "us"]
MICROSECONDS: dict[TimeUnit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
# Ten years; far beyond any video, and far inside the 64 bits of a column.
MAX_TIME_US = 10 * 366 * 86_400 * 1_000_000
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)")


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
    """A row that the format's reader could not read at all, or that it knows to be wrong."""

    place: str
    detail: str
    raw: str
    reason: Reason = Reason.ROW_UNREADABLE


Row = RawRow | BrokenRow


def raw_row_bytes(cells: dict[str, Any]) -> bytes:
    """Return the bytes that identify a row: canonical ASCII JSON, so that even broken text has an identity."""
    return _CANONICAL.encode(cells).encode("ascii")


def row_to_record(row: Row, source: SourceConfig, config: CorpusConfig) -> Record | Reject:
    """Return the record of a row, or the reject that says why there is none."""
    if isinstance(row, BrokenRow):
        raw = row.raw.encode("utf-8", "backslashreplace")
        return _reject(source, record_id(source.name, raw), row.reason, row.detail, row.place)
    try:
        identity = record_id(source.name, raw_row_bytes(row.cells))
    except RecursionError:
        broken = BrokenRow(place=row.place, detail="nested too deeply", raw=row.place)
        return row_to_record(broken, source, config)
    try:
        place = find_place(row.locator, source.media_root or ".")
        start_us, end_us = parse_span(row.start, row.end, MICROSECONDS[row.time_unit or source.columns.time_unit])
    except RowProblem as problem:
        return _reject(source, identity, problem.reason, str(problem), row.place)
    texts, dropped = clean_texts(row.texts, config.texts)
    return Record(
        record_id=identity,
        source=source.name,
        locator=place.locator,
        address=place.address,
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


def _reject(source: SourceConfig, identity: str, reason: Reason, detail: str, place: str) -> Reject:
    return Reject(
        source=source.name,
        stage=Stage.READ,
        scope=Scope.RECORD,
        reason=reason,
        detail=without_secrets(f"{place}: {detail}").encode("utf-8", "replace").decode("utf-8")[:MAX_DETAIL_CHARS],
        record_id=identity,
        sample_id=None,
        retryable=reason in RETRYABLE,
        attempts=1,
        input=json.dumps({"location": base_name(source.location), "place": place}),
    )
