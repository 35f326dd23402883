"""Rows as lines: what a row has to say on its way to its unit, behind the id of the place that it names."""

from __future__ import annotations

import json
import sys
from typing import Any

from schemas.ids import ID_CHARS
from schemas.reasons import Reason, Scope, Stage
from schemas.records import Record, Reject, Text
from schemas.units import place_id

Item = Record | Reject
# ASCII, so that every text has a form, lone surrogates too, and no line end inside.
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def place_of(item: Item) -> str:
    """Return what an item's bucket is a hash of: its locator, or for a row that became no record its own id."""
    return item.locator if isinstance(item, Record) else item.record_id or ""


def to_line(item: Item) -> bytes:
    """Return an item as one line without its end: 26 characters of its place's id, then JSON."""
    fields = _record_fields(item) if isinstance(item, Record) else _reject_fields(item)
    return (place_id(item.source, place_of(item)) + _JSON.encode(fields)).encode("ascii")


def id_in(line: bytes) -> bytes:
    """Return the id of the place that a line's row names."""
    return line[:ID_CHARS]


def from_line(source: str, line: bytes) -> Item:
    """Return the item of a line of a source; strings that many rows share are held once."""
    fields = json.loads(line[ID_CHARS:])
    return _record(source, fields) if len(fields) == _RECORD_FIELDS else _reject(source, fields)


_RECORD_FIELDS = 7


def _record_fields(record: Record) -> list[Any]:
    texts = [(text.kind, text.text, text.start_us, text.end_us, text.raw) for text in record.texts]
    span = (record.start_us, record.end_us)
    return [record.record_id, record.locator, record.address, *span, texts, record.dropped_texts]


def _record(source: str, fields: list[Any]) -> Record:
    record_id, locator, address, start_us, end_us, texts, dropped = fields
    return Record(
        record_id=record_id,
        source=source,
        locator=sys.intern(locator),
        address=sys.intern(address),
        start_us=start_us,
        end_us=end_us,
        texts=tuple(
            Text(kind=sys.intern(kind), text=text, start_us=start, end_us=end, raw=raw)
            for kind, text, start, end, raw in texts
        ),
        dropped_texts=tuple((kind, reason, count) for kind, reason, count in dropped),
    )


def _reject_fields(reject: Reject) -> list[Any]:
    why = (reject.stage, reject.scope, reject.reason, reject.detail)
    return [*why, reject.record_id, reject.sample_id, reject.retryable, reject.attempts, reject.input]


def _reject(source: str, fields: list[Any]) -> Reject:
    stage, scope, reason, detail, record_id, sample_id, retryable, attempts, again = fields
    return Reject(
        source=source,
        stage=Stage(stage),
        scope=Scope(scope),
        reason=Reason(reason),
        detail=detail,
        record_id=record_id,
        sample_id=sample_id,
        retryable=retryable,
        attempts=attempts,
        input=again,
    )
