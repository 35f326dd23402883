"""The files of an ingest unit: five Parquet parts, and the commit that makes them exist."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from curation.store import Store
from curation.unit_plan import UnitPlan, reject_order
from schemas.arrow import (
    RECORDS,
    REJECTS,
    SAMPLES,
    SCORES,
    TEXTS,
    parquet_bytes,
    plain_row,
    read_rows,
    record_row,
    sample_row,
)
from schemas.canonical import sha256_hex
from schemas.ledger import Ledger
from schemas.reasons import Scope
from schemas.records import Reject, Sample, SampleText, Score
from schemas.run import media_path, part_path, unit_path
from schemas.statistics import LedgerCounts
from schemas.units import PartFacts, UnitCommit

PART_SCHEMAS: dict[str, pa.Schema] = {
    "samples": SAMPLES,
    "texts": TEXTS,
    "scores": SCORES,
    "rejects": REJECTS,
    "records": RECORDS,
}


@dataclass(frozen=True, kw_only=True)
class UnitResult:
    """What a unit came to, in any order; `write_unit` sorts.

    Attributes:
        told: record id -> (state, sample id).
        failed: samples planned and rejected.
    """

    plan: UnitPlan
    samples: list[Sample]
    texts: list[SampleText]
    scores: list[Score]
    rejects: list[Reject]
    told: dict[str, tuple[str, str | None]]
    failed: int
    dropped_texts: dict[str, int]


def unit_ledger(result: UnitResult) -> Ledger:
    """Return the ledgers of a unit, counted from what it wrote, and not from what it was asked.

    Raises:
        LedgerError: they do not add up.
    """
    states = [state for state, _ in result.told.values()]
    ledger = Ledger(
        records_read=result.plan.rows_read,
        records_expanded=states.count("expanded"),
        records_merged=states.count("merged"),
        records_rejected=sum(reject.scope is Scope.RECORD for reject in result.rejects),
        samples_planned=len(result.samples) + result.failed,
        samples_kept=len(result.samples),
        samples_rejected=sum(reject.scope is Scope.SAMPLE for reject in result.rejects),
        texts_kept=len(result.texts),
        texts_dropped=sum(result.dropped_texts.values()),
    )
    ledger.check(f"unit {result.plan.name}")
    return ledger


def write_unit(result: UnitResult, store: Store, scorer_digest: str) -> UnitCommit:
    """Write a unit's parts, and then its commit; returns the commit."""
    ledger = unit_ledger(result)
    plan = result.plan
    rows = {
        "samples": [sample_row(sample) for sample in sorted(result.samples, key=lambda item: item.sample_id)],
        "texts": [plain_row(text) for text in sorted(result.texts, key=lambda item: (item.sample_id, item.text_id))],
        "scores": [plain_row(score) for score in sorted(result.scores, key=_score_order)],
        "rejects": [plain_row(reject) for reject in sorted(result.rejects, key=reject_order)],
        "records": [record_row(record, *result.told[record.record_id]) for record in plan.records],
    }
    parts = {}
    for kind, schema in PART_SCHEMAS.items():
        data = parquet_bytes(rows[kind], schema)
        path = part_path(kind, plan.name, scorer_digest)
        store.write(path, data)
        parts[kind] = PartFacts(path=path, rows=len(rows[kind]), bytes=len(data), sha256=sha256_hex(data))
    commit = UnitCommit(
        unit=plan.name,
        source=plan.source,
        fingerprint=plan.fingerprint,
        ledger=LedgerCounts(**vars(ledger)),
        videos=len({sample.video_sha256 for sample in result.samples}),
        parts=parts,
        dropped_texts=result.dropped_texts,
    )
    store.write(unit_path(plan.name), commit.to_bytes())
    return commit


def read_commit(store: Store, name: str) -> UnitCommit | None:
    """Return the commit of a unit, or None when it was never finished."""
    path = unit_path(name)
    return UnitCommit.model_validate_json(store.read(path)) if store.exists(path) else None


def finished_commit(store: Store, plan: UnitPlan) -> UnitCommit | None:
    """Return the commit of a planned unit when the unit is whole: its parts and clips are there.

    Bytes that changed in place are `verify`'s to find; what is missing is worked on again.
    """
    commit = read_commit(store, plan.name)
    if commit is None or commit.fingerprint != plan.fingerprint:
        return None
    if not all(store.exists(part.path) and store.size(part.path) == part.bytes for part in commit.parts.values()):
        return None
    rows = read_rows(store.read(commit.parts["samples"].path), SAMPLES, columns=("media_sha256", "media_bytes"))
    clips = {media_path(row["media_sha256"]): row["media_bytes"] for row in rows}
    whole = all(store.exists(path) and store.size(path) == size for path, size in clips.items())
    return commit if whole else None


def _score_order(score: Score) -> tuple[str, str, str]:
    return (score.sample_id, score.text_id, score.aggregation)
