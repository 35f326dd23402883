"""What a takedown leaves behind: the list that keeps the removed things out, and the receipt. Digests only."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.canonical import canonical_json
from schemas.ids import stable_id

SUPPRESSED_SCHEMA = "clipstrata.suppressed/1"
RECEIPT_SCHEMA = "clipstrata.receipt/1"

EntryKind = Literal["record", "locator", "video", "clip", "media", "content"]
Copies = Literal["promote", "remove"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=1)


def listed(kind: EntryKind, value: str) -> str:
    """Return how a list names a thing: the SHA-256 of `kind:value`, which anybody can compute and nobody can undo."""
    return hashlib.sha256(f"{kind}:{value}".encode("utf-8", "surrogatepass")).hexdigest()


def hidden_id(identity: str) -> str:
    """Return what a reject of a suppressed record or sample has in place of its id."""
    return stable_id("suppressed", identity)


class Looks(_Model):
    """Frame hashes of a removed clip in hexadecimal, as a sample's (`schemas.records.Signals`)."""

    frame_hashes: str
    hash_quality: str


class SuppressionList(_Model):
    """`suppressed/<number>.json`: what one takedown keeps out of a run.

    Attributes:
        entries: `listed(kind, value)` of records, locators, videos, clips and their contents, sorted.
        looks: of clips whose copies are kept out too, however they are encoded.
        spared: `listed("content", ...)` of copies that were there already and stay, since the caller's policy was to
            promote them; sorted.
    """

    schema_name: str = SUPPRESSED_SCHEMA
    entries: tuple[str, ...]
    looks: tuple[Looks, ...] = ()
    spared: tuple[str, ...] = ()


class VersionFacts(_Model):
    """A manifest version and the SHA-256 of its file."""

    version: int
    sha256: str


class CheckpointSeen(_Model):
    """A checkpoint that was trained on a version which held what was removed; `path` is relative to the run."""

    path: str
    manifest_sha256: str


class Receipt(_Model):
    """`receipts/<number>.json`: what a takedown did.

    Attributes:
        time: as the caller gave it; nothing here reads a clock.
        asked, found: how many lines of the ids file there were, and how many of them the run held.
        ids_sha256, list_sha256: of the ids file and of `suppressed/<number>.json`.
        before, after: the latest manifest; None where the run has none.
        counts: what was removed, by kind.
        shards_removed, shards_written: SHA-256 of the shards of `before` that are not in `after`, and the reverse.
        shards_untouched: how many are in both.
        versions_pruned: manifest versions that held it, and are gone.
        checkpoints: that were trained on one of these.
    """

    schema_name: str = RECEIPT_SCHEMA
    number: int
    time: str | None
    copies: Copies
    asked: int
    found: int
    ids_sha256: str
    list_sha256: str
    before: VersionFacts | None
    after: VersionFacts | None
    counts: dict[str, int]
    shards_removed: tuple[str, ...]
    shards_written: tuple[str, ...]
    shards_untouched: int
    versions_pruned: tuple[VersionFacts, ...]
    checkpoints: tuple[CheckpointSeen, ...]


class Affected(_Model):
    """Ids of what a takedown may remove; what of it is gone afterwards is what no unit holds any more."""

    records: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


class FoundOut(_Model):
    """What a takedown knows of the run before it removes anything: afterwards it could not be told.

    Attributes:
        held: versions that held it.
        checkpoints: that were trained on one of these.
        labels: lines of what people said of it.
    """

    held: tuple[VersionFacts, ...]
    checkpoints: tuple[CheckpointSeen, ...]
    labels: int


class Pending(_Model):
    """`progress/takedown.json`: a takedown under way, in clear; removed when its receipt is written.

    Attributes:
        stages: that were finished, and are brought up to date.
        suppression: the list that keeps it out.
        units, touched: names of the run's units when it began, and of those that hold something of it.
        shards_before: SHA-256 of the shards of `before`.
        found_out: what must be known before anything is removed, once the units are made again.
    """

    number: int
    time: str | None
    copies: Copies
    ids_sha256: str
    asked: int
    found: int
    stages: tuple[str, ...]
    suppression: SuppressionList
    units: tuple[str, ...]
    touched: tuple[str, ...]
    affected: Affected
    counts: dict[str, int]
    before: VersionFacts | None
    shards_before: tuple[str, ...] = ()
    found_out: FoundOut | None = None
