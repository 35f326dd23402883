"""An ingest unit: a hash bucket of a source's locators, committed as a whole by its `units/<unit>.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.canonical import canonical_json
from schemas.ids import bucket_of, stable_id
from schemas.ledger import Ledger
from schemas.statistics import LedgerCounts

UNIT_SCHEMA = "clipstrata.unit/1"
MAX_UNIT_BITS = 20


class PartFacts(BaseModel):
    """One Parquet part of a unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    rows: int
    bytes: int
    sha256: str


class UnitCommit(BaseModel):
    """What a unit did: its parts with their digests, and its ledgers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = UNIT_SCHEMA
    unit: str
    source: str
    fingerprint: str
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
    return bucket_of(stable_id("unit", source, locator), bits)


def unit_name(source: str, bucket: int, bits: int, fingerprint: str) -> str:
    """Return a unit's name; it carries the start of its fingerprint, so that a changed unit never meets old parts."""
    return f"{source}-{bucket:05d}of{1 << bits:05d}-{fingerprint[:8]}"
