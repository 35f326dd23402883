"""Planning an ingest unit: which videos it holds, which spans of each are wanted, and what its fingerprint is."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from curation.suppression import refused_row
from schemas.canonical import digest_of
from schemas.corpus import CorpusConfig, SourceConfig
from schemas.media import Cutting
from schemas.reasons import Reason, Stage
from schemas.records import Record, Reject, make_reject
from schemas.run import CODE_VERSION
from schemas.units import unit_name

Span = tuple[int | None, int | None]
# Libraries on whose version the bytes of rows depend.
_LIBRARIES = ("ftfy", "py3langid", "pyarrow", "textblob")


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
    """A unit ready to be worked on; equal inputs in any order give an equal plan.

    Attributes:
        name, fingerprint: of the unit as a whole, its rows and texts included.
        media_name, media_fingerprint: of its videos and spans alone: another text column leaves them as they are.
        media_facts: digest of what clips depend on beside video and span.
        cutting: how spans are made where rows give none.
        licence: the source's name, basis and terms, which travel with every sample.
        basis: what it was planned from.
    """

    name: str
    fingerprint: str
    media_name: str
    media_fingerprint: str
    media_facts: str
    cutting: Cutting
    source: str
    licence: Mapping[str, str]
    rows_read: int
    videos: tuple[PlannedVideo, ...]
    rejects: tuple[Reject, ...]
    records: tuple[Record, ...]
    basis: PlanBasis = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class IngestFacts:
    """What every unit's bytes depend on beside its rows: clips on `media` and `cutting`, the rest on `texts` too.

    Attributes:
        cutting: by source.
    """

    media: Mapping[str, object]
    texts: Mapping[str, object]
    cutting: Mapping[str, Cutting]

    def document(self) -> dict[str, object]:
        """Return the facts as JSON can hold them."""
        cutting = {name: rules.model_dump(mode="json") for name, rules in self.cutting.items()}
        return {"media": dict(self.media), "texts": dict(self.texts), "cutting": cutting}


def ingest_facts(config: CorpusConfig, media: Mapping[str, object]) -> IngestFacts:
    """Return the facts of a corpus.

    Args:
        media: the media tools' own fingerprint (ffmpeg build, decoder versions, instruction set).
    """
    return IngestFacts(
        media={
            "code_version": CODE_VERSION,
            "clip": config.clip.model_dump(mode="json"),
            "signals": config.signals.model_dump(mode="json"),
            "media_limits": config.media.model_dump(mode="json"),
            "media_tools": media,
        },
        texts={
            "code_version": CODE_VERSION,
            "texts": config.texts.model_dump(mode="json"),
            "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        },
        cutting={source.name: config.cutting_of(source) for source in config.sources},
    )


@dataclass(frozen=True, kw_only=True)
class PlanBasis:
    """What a unit is planned from."""

    unit: UnitInput
    source: SourceConfig
    facts: IngestFacts


def source_facts(source: SourceConfig) -> dict[str, object]:
    """Return what of a source's config changes how its rows become clips; cuts and places do not."""
    return source.model_dump(mode="json", include={"name", "text_kinds", "columns", "part", "format", "licence"})


def plan_unit(unit: UnitInput, source: SourceConfig, facts: IngestFacts) -> UnitPlan:
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
    videos = _videos(records)
    cutting = facts.cutting[source.name]
    media_facts = digest_of({**facts.media, "cutting": cutting.model_dump(mode="json")})
    asked = [[video.locator, video.spans] for video in videos]
    media_fingerprint = digest_of({"facts": media_facts, "source": source.name, "videos": asked})
    fingerprint = digest_of(
        {
            "media": media_fingerprint,
            "facts": facts.texts,
            "source": source_facts(source),
            "records": [_identity(record) for record in given],
            "rejects": [[reject.record_id, reject.reason] for reject in rejects],
        }
    )
    place = (unit.source, unit.bucket, unit.bits)
    return UnitPlan(
        name=unit_name(*place, fingerprint),
        fingerprint=fingerprint,
        media_name=unit_name(*place, media_fingerprint),
        media_fingerprint=media_fingerprint,
        cutting=cutting,
        media_facts=media_facts,
        source=unit.source,
        licence=source.licence.model_dump(mode="json"),
        rows_read=len(unit.items),
        videos=videos,
        rejects=tuple(rejects),
        records=tuple(records),
        basis=PlanBasis(unit=unit, source=source, facts=facts),
    )


def without_rows(plan: UnitPlan, suppressed: Callable[[Record | Reject], bool]) -> UnitPlan:
    """Return the plan of a unit without the rows that must stay out: each is a reject that tells nothing of it.

    The same object where there are none. A unit of a source without these rows' contents has the same name.
    """
    basis = plan.basis
    items = tuple(
        refused_row(item.source, item.record_id or "") if suppressed(item) else item for item in basis.unit.items
    )
    if items == basis.unit.items:
        return plan
    return plan_unit(replace(basis.unit, items=items), basis.source, basis.facts)


def with_marks(plan: UnitPlan, marks: Sequence[object]) -> UnitPlan:
    """Return a plan under another name, since clips of its videos are suppressed; the same object without marks.

    Args:
        marks: JSON of which clips.
    """
    if not marks:
        return plan
    fingerprint = digest_of({"unit": plan.fingerprint, "suppressed": list(marks)})
    unit = plan.basis.unit
    name = unit_name(unit.source, unit.bucket, unit.bits, fingerprint)
    return replace(plan, name=name, fingerprint=fingerprint)


def _identity(record: Record) -> list[str]:
    texts = [[text.kind, text.text, text.start_us, text.end_us] for text in record.texts]
    return [record.record_id, record.locator, digest_of(texts)]


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
