"""An ingest unit: a hash bucket of a source's locators, committed as a whole by its `units/<unit>.json`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.canonical import canonical_json
from schemas.ids import bucket_of, stable_id
from schemas.ledger import Ledger
from schemas.statistics import LedgerCounts

UNIT_SCHEMA = "clipstrata.unit/1"
CLIPS_SCHEMA = "clipstrata.clips/1"
SCORES_SCHEMA = "clipstrata.scores/1"
MAX_UNIT_BITS = 20


class PartFacts(BaseModel):
    """One Parquet part of a unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    rows: int
    bytes: int
    sha256: str


class UnitCommit(BaseModel):
    """What a unit did: its parts with their digests, and its ledgers.

    Attributes:
        clips, clips_sha256: name and digest of the media work that it stands on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = UNIT_SCHEMA
    unit: str
    source: str
    fingerprint: str
    clips: str
    clips_sha256: str
    ledger: LedgerCounts
    videos: int
    parts: dict[str, PartFacts]
    dropped_texts: dict[str, int]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)

    def totals(self) -> Ledger:
        """Return the ledgers as numbers that add."""
        return Ledger(**self.ledger.model_dump())


def unit_bits(locators: int, videos_per_unit: int) -> int:
    """Return how many hash bits split a source into units of about `videos_per_unit` videos."""
    bits = 0
    while bits < MAX_UNIT_BITS and locators > videos_per_unit << bits:
        bits += 1
    return bits


def unit_bucket(source: str, locator: str, bits: int) -> int:
    """Return the bucket of a locator inside its source: it depends on the locator alone, never on the other rows."""
    return bucket_of(place_id(source, locator), bits)


def place_id(source: str, locator: str) -> str:
    """Return the id of a locator inside its source; its first bits are the locator's bucket."""
    return stable_id("unit", source, locator)


def unit_name(source: str, bucket: int, bits: int, fingerprint: str) -> str:
    """Return a unit's name; it carries the start of its fingerprint, so that a changed unit never meets old parts."""
    return f"{source}-{bucket:05d}of{1 << bits:05d}-{fingerprint[:8]}"


def unit_place(name: str) -> tuple[int, int]:
    """Return (bucket, bits) of a unit, from its name."""
    bucket, units = name.rsplit("-", 2)[1].split("of")
    return int(bucket), int(units).bit_length() - 1


def neighbour_units(name: str) -> tuple[str, ...]:
    """Return the beginnings of the names of units that may hold a unit's videos: itself, half of it, twice it.

    A source that grew or shrank is split into twice or half as many units; a video's bucket gains or loses a bit.
    """
    place, _, _ = name.rpartition("-")
    source, _, share = place.rpartition("-")
    bucket, units = (int(number) for number in share.split("of"))
    shares = [(bucket, units), (2 * bucket, 2 * units), (2 * bucket + 1, 2 * units)]
    if units > 1:
        shares.append((bucket // 2, units // 2))
    return tuple(f"{source}-{bucket:05d}of{units:05d}-" for bucket, units in shares)


class VideoEntry(BaseModel):
    """What became of one video of a unit: its clips by span, and why other spans gave none.

    Attributes:
        spans: asked for, half-open microseconds; None is the video's own start or end.
        again: places in `spans` that the next run works on once more.
        attempts: how often the video was worked on.
        outcome: a `CutOutcome` of `curation.media` as JSON, without places on a disk and without timings.
        rights: what the place that it was fetched from said of its use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    locator: str
    spans: tuple[tuple[int | None, int | None], ...]
    again: tuple[int, ...] = ()
    attempts: int = Field(default=1, ge=1)
    outcome: dict[str, Any]
    rights: dict[str, str] = Field(default_factory=dict)


class UnitClips(BaseModel):
    """The media work of a unit, `clips/<unit>.json`: written last, it makes the unit's clips exist.

    Attributes:
        fingerprint: of the videos, their spans and all that clips depend on; texts and scorers have no part in it.
        facts: digest of what clips depend on beside their video and span: another unit with the same may be drawn on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = CLIPS_SCHEMA
    unit: str
    source: str
    fingerprint: str
    facts: str
    videos: tuple[VideoEntry, ...]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=1)


class UnitScores(BaseModel):
    """The scores of a unit under one scoring, `scores/<scoring>/<unit>.json`: written last, it makes them exist.

    Attributes:
        unit_sha256: digest of the unit's own commit, whose texts and clips were scored.
        parts: `scores`; `score_rejects`: samples that have no finite score; `embeddings` of clips.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = SCORES_SCHEMA
    unit: str
    unit_sha256: str
    scoring: str
    parts: dict[str, PartFacts]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)
