"""The files of an ingest unit: four Parquet parts, and the commit that makes them exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.store import Store
from curation.unit_plan import UnitPlan, reject_order
from schemas.arrow import (
    EMBEDDINGS,
    RECORDS,
    REJECTS,
    SAMPLES,
    SCORES,
    TEXTS,
    parquet_bytes,
    plain_row,
    record_row,
    sample_row,
)
from schemas.canonical import sha256_hex
from schemas.ledger import Ledger
from schemas.reasons import Scope
from schemas.records import Reject, Sample, SampleText, Score
from schemas.run import clips_path, part_path, score_part_path, scores_path, unit_path
from schemas.statistics import LedgerCounts
from schemas.units import PartFacts, UnitCommit, UnitScores

PART_SCHEMAS: dict[str, pa.Schema] = {
    "samples": SAMPLES,
    "texts": TEXTS,
    "rejects": REJECTS,
    "records": RECORDS,
}
SCORE_SCHEMAS: dict[str, pa.Schema] = {
    "scores": SCORES,
    "score_rejects": REJECTS,
    "embeddings": EMBEDDINGS,
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


def write_unit(result: UnitResult, store: Store) -> UnitCommit:
    """Write a unit's parts, and then its commit; returns the commit.

    Its clips must be there already: the commit holds the digest of `clips/<unit>.json`.
    """
    ledger = unit_ledger(result)
    plan = result.plan
    rows = {
        "samples": [sample_row(sample) for sample in sorted(result.samples, key=lambda item: item.sample_id)],
        "texts": [plain_row(text) for text in sorted(result.texts, key=lambda item: (item.sample_id, item.text_id))],
        "rejects": [plain_row(reject) for reject in sorted(result.rejects, key=reject_order)],
        "records": [record_row(record, *result.told[record.record_id]) for record in plan.records],
    }
    parts = {kind: write_part(store, part_path(kind, plan.name), rows[kind], PART_SCHEMAS[kind]) for kind in rows}
    commit = UnitCommit(
        unit=plan.name,
        source=plan.source,
        fingerprint=plan.fingerprint,
        clips=plan.media_name,
        clips_sha256=clips_digest(store, plan),
        ledger=LedgerCounts(**vars(ledger)),
        videos=len({sample.video_sha256 for sample in result.samples}),
        parts=parts,
        dropped_texts=result.dropped_texts,
    )
    store.write(unit_path(plan.name), commit.to_bytes())
    return commit


def write_part(store: Store, path: str, rows: list[dict[str, object]], schema: pa.Schema) -> PartFacts:
    """Write one Parquet part and return its facts."""
    data = parquet_bytes(rows, schema)
    store.write(path, data)
    return PartFacts(path=path, rows=len(rows), bytes=len(data), sha256=sha256_hex(data))


def clips_digest(store: Store, plan: UnitPlan) -> str:
    """Return the digest of a unit's finished media work."""
    return sha256_hex(store.read(clips_path(plan.media_name)))


def read_commit(store: Store, name: str) -> UnitCommit | None:
    """Return the commit of a unit, or None when it was never finished."""
    path = unit_path(name)
    return UnitCommit.model_validate_json(store.read(path)) if store.exists(path) else None


def finished_commit(store: Store, plan: UnitPlan) -> UnitCommit | None:
    """Return the commit of a planned unit when it stands on the clips that are there and its parts are whole.

    Bytes that changed in place are `verify`'s to find; what is missing is worked on again.
    """
    commit = read_commit(store, plan.name)
    if commit is None or commit.fingerprint != plan.fingerprint or commit.clips_sha256 != clips_digest(store, plan):
        return None
    whole = all(store.exists(part.path) and store.size(part.path) == part.bytes for part in commit.parts.values())
    return commit if whole else None


@dataclass(frozen=True)
class ScoringResult:
    """What scoring a unit came to, in any order.

    Attributes:
        embeddings: media_sha256 -> float16 [D] of its clips.
    """

    scores: Iterable[Score]
    rejects: Iterable[Reject]
    embeddings: Mapping[str, NDArray[np.float16]]


def write_scores(store: Store, commit: UnitCommit, scoring: str, result: ScoringResult) -> UnitScores:
    """Write a unit's scores, the samples that have none, and its clips' embeddings; then what makes them exist."""
    rows: dict[str, list[dict[str, object]]] = {
        "scores": [plain_row(score) for score in sorted(result.scores, key=_score_order)],
        "score_rejects": [plain_row(reject) for reject in sorted(result.rejects, key=reject_order)],
        "embeddings": [
            {"media_sha256": media, "vector": vector.astype("<f2", copy=False).tobytes()}
            for media, vector in sorted(result.embeddings.items())
        ],
    }
    parts = {}
    for kind, schema in SCORE_SCHEMAS.items():
        parts[kind] = write_part(store, score_part_path(kind, scoring, commit.unit), rows[kind], schema)
    found = UnitScores(unit=commit.unit, unit_sha256=sha256_hex(commit.to_bytes()), scoring=scoring, parts=parts)
    store.write(scores_path(scoring, commit.unit), found.to_bytes())
    return found


def _score_order(score: Score) -> tuple[str, str, str]:
    return (score.sample_id, score.text_id, score.aggregation)


def finished_scores(store: Store, commit: UnitCommit, scoring: str) -> UnitScores | None:
    """Return a unit's scores when they are of this very commit and their parts are whole."""
    path = scores_path(scoring, commit.unit)
    if not store.exists(path):
        return None
    found = UnitScores.model_validate_json(store.read(path))
    whole = all(store.exists(part.path) and store.size(part.path) == part.bytes for part in found.parts.values())
    return found if whole and found.unit_sha256 == sha256_hex(commit.to_bytes()) else None


def read_unit(store: Store, name: str, scoring: str) -> UnitCommit | None:
    """Return a unit with its scores as one commit: parts of both, and a ledger without the samples that scoring lost.

    None when either was never finished.
    """
    commit = read_commit(store, name)
    scores = None if commit is None else finished_scores(store, commit, scoring)
    if commit is None or scores is None:
        return None
    lost = scores.parts["score_rejects"].rows
    ledger = commit.ledger.model_copy(
        update={
            "samples_kept": commit.ledger.samples_kept - lost,
            "samples_rejected": commit.ledger.samples_rejected + lost,
        }
    )
    return commit.model_copy(update={"ledger": ledger, "parts": {**commit.parts, **scores.parts}})
