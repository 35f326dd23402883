"""A committed unit's rows, read back from its own parts: what is made again from them needs no source any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curation.sources.locators import RowProblem, find_place
from curation.store import Store
from curation.unit_plan import UnitInput
from curation.unit_reading import read_part
from schemas.corpus import SourceConfig
from schemas.reasons import Reason, Scope, Stage
from schemas.records import Record, Reject, Text
from schemas.units import UnitCommit, unit_place


def stored_input(store: Store, commit: UnitCommit, source: SourceConfig) -> UnitInput:
    """Return what a unit was made from, as an engine would gather it from the source.

    An address is made of the locator and the source's media root, so that it lacks a signature that it may have had.
    """
    bucket, bits = unit_place(commit.unit)
    records = {row["record_id"]: _record(row, source) for row in read_part(store, commit, "records")}
    read = [row for row in read_part(store, commit, "rejects") if row["stage"] == Stage.READ]
    again = list(_rejected(read, records))
    return UnitInput(source=commit.source, bucket=bucket, bits=bits, items=(*records.values(), *again))


def _rejected(rows: list[dict[str, Any]], records: dict[str, Record]) -> Iterator[Record | Reject]:
    """Yield the rows that readers rejected, and those that stood in the source twice as they stood there."""
    for row in rows:
        if row["reason"] == Reason.DUPLICATE_ROW and row["record_id"] in records:
            yield records[row["record_id"]]
        else:
            told = {"stage": Stage(row["stage"]), "scope": Scope(row["scope"]), "reason": Reason(row["reason"])}
            yield Reject(**{**row, **told})


def _record(row: dict[str, Any], source: SourceConfig) -> Record:
    return Record(
        record_id=row["record_id"],
        source=row["source"],
        locator=row["locator"],
        address=_address(row["locator"], source),
        start_us=row["start_us"],
        end_us=row["end_us"],
        texts=tuple(Text(**text) for text in row["texts"]),
        dropped_texts=tuple((told["kind"], told["reason"], told["count"]) for told in row["dropped_texts"]),
    )


def _address(locator: str, source: SourceConfig) -> str:
    try:
        return find_place(locator, source.media_root or ".").address
    except RowProblem:
        # It was one once; whatever it is now, it is only asked for where a clip is missing, and then not found.
        return locator
