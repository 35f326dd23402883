"""Planning an ingest unit: which videos it holds, which spans of each are wanted, and what its fingerprint is."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from dataclasses import dataclass

from schemas.canonical import digest_of
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.reasons import Reason, Stage
from schemas.records import Record, Reject, make_reject
from schemas.run import CODE_VERSION
from schemas.units import unit_name

Span = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class UnitInput:
    """Everything that an engine gathered for one unit: a hash bucket of a source's locators.

    Attributes:
        bucket, bits: which of 2**bits buckets.
        items: records and the rejects of rows that became none, in any order.
    """

    source: str
    bucket: int
    bits: int
    items: tuple[Record | Reject, ...]


@dataclass(frozen=True, kw_only=True)
class PlannedVideo:
    """One file of a unit with the spans wanted of it and the records behind each span, in their ids' order."""

    address: str
    locator: str
    spans: tuple[Span, ...]
    records: tuple[tuple[Record, ...], ...]


@dataclass(frozen=True, kw_only=True)
class UnitPlan:
    """A unit ready to be worked on; equal inputs in any order give an equal plan."""

    name: str
    fingerprint: str
    source: str
    rows_read: int
    videos: tuple[PlannedVideo, ...]
    rejects: tuple[Reject, ...]
    records: tuple[Record, ...]


def ingest_facts(config: CorpusConfig, scorer_digest: str, media: dict[str, str]) -> dict[str, object]:
    """Return what every unit's bytes depend on beside its rows.

    Args:
        media: the media tools' own fingerprint (ffmpeg build, decoder versions, instruction set).
    """
    scorer = config.scorer.model_dump(mode="json", exclude={"model", "pretrained", "aggregation"})
    return {
        "code_version": CODE_VERSION,
        "clip": config.clip.model_dump(mode="json"),
        "media_limits": config.media.model_dump(mode="json"),
        "texts": config.texts.model_dump(mode="json"),
        "scorer": {"digest": scorer_digest, **scorer},
        "media_tools": media,
        "libraries": {name: importlib.metadata.version(name) for name in ("ftfy", "pyarrow")},
    }


def source_facts(source: SourceConfig) -> dict[str, object]:
    """Return what of a source's config changes how its rows become clips; cuts and places do not."""
    return source.model_dump(mode="json", include={"name", "text_kinds", "columns", "part", "format"})


def plan_unit(unit: UnitInput, source: SourceConfig, facts: dict[str, object]) -> UnitPlan:
    """Return the plan of a unit: equal rows once, files in order, spans of a file once each."""
    given = sorted((item for item in unit.items if isinstance(item, Record)), key=lambda item: item.record_id)
    rejects = [item for item in unit.items if isinstance(item, Reject)]
    records: list[Record] = []
    for record in given:
        if records and records[-1].record_id == record.record_id:
            detail = "this row stands in the source more than once; the first is kept"
            rejects.append(
                make_reject(record, Stage.READ, Reason.DUPLICATE_ROW, detail, replay_input=replay_input(record))
            )
        else:
            records.append(record)
    rejects.sort(key=reject_order)
    identity = [[record.record_id, record.locator] for record in given]
    fingerprint = digest_of(
        {
            "facts": facts,
            "source": source_facts(source),
            "records": identity,
            "rejects": [[reject.record_id, reject.reason] for reject in rejects],
        }
    )
    return UnitPlan(
        name=unit_name(unit.source, unit.bucket, unit.bits, fingerprint),
        fingerprint=fingerprint,
        source=unit.source,
        rows_read=len(unit.items),
        videos=_videos(records),
        rejects=tuple(rejects),
        records=tuple(records),
    )


def _videos(records: list[Record]) -> tuple[PlannedVideo, ...]:
    by_address: dict[str, dict[Span, list[Record]]] = {}
    for record in records:
        spans = by_address.setdefault(record.address, {})
        spans.setdefault((record.start_us, record.end_us), []).append(record)
    videos = []
    for address in sorted(by_address):
        spans = by_address[address]
        order = sorted(spans, key=lambda span: (span[0] or 0, span[0] is not None, span[1] is None, span[1] or 0))
        videos.append(
            PlannedVideo(
                address=address,
                locator=spans[order[0]][0].locator,
                spans=tuple(order),
                records=tuple(tuple(spans[span]) for span in order),
            )
        )
    return tuple(videos)


def replay_input(record: Record) -> str:
    """Return the JSON from which a record can be tried again."""
    fields = dataclasses.asdict(record)
    del fields["address"]
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


def reject_order(reject: Reject) -> tuple[str, ...]:
    """Return a sort key that does not depend on the order of arrival."""
    return (reject.record_id or "", reject.sample_id or "", reject.stage, reject.reason, reject.detail)
