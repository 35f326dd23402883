"""The manifest: the file that makes a set of shards exist. Written last, one per version, never changed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from schemas.canonical import canonical_json
from schemas.shards import sidecar_path
from schemas.statistics import LedgerCounts

MANIFEST_SCHEMA = "clipstrata.manifest/2"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OfShape(_Model):
    """What is of a shape where shards are split by it; where they are not, its documents do not speak of shapes."""

    shape: str = ""

    @model_serializer(mode="wrap")
    def _without_an_empty_shape(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if not self.shape:
            del written["shape"]
        return written


class ShardFacts(_OfShape):
    """One shard, as a reader must find it.

    Attributes:
        shape: of its clips, where shards are split by it; else empty.
        sidecar_sha256: digest of the file beside it that says where each member lies.
    """

    path: str
    tier: str
    source: str
    bucket: int
    bytes: int
    sha256: str
    sidecar_sha256: str
    samples: int
    duration_us: int


def shard_files(facts: ShardFacts) -> tuple[str, str]:
    """Return the paths of a shard's tar and of its side-car."""
    return facts.path, sidecar_path(facts.path)


class BucketPlan(_OfShape):
    """How many hash bits split the samples of a tier, source and shape into shards."""

    tier: str
    source: str
    bits: int


class SourceFacts(_Model):
    """What a reader must know of a source: its origin, its rights and its ledgers."""

    name: str
    origin: str
    licence: str
    basis: str
    terms: str
    ledger: LedgerCounts
    samples: int
    samples_merged: int
    samples_sharded: int


class Fingerprints(_Model):
    """The chain of stages that led here."""

    ingest: str
    judge: str
    shard: str


class Manifest(_Model):
    """A version of the corpus's shards.

    Attributes:
        base: `manifest@version` of an earlier build that this one stands on, or None.
        weights_1e4: `stage/tier` -> the corpus's own sampling weight, 10,000 is 1; a source may have others.
        files: digest of every other file of the run that counts: stats and selection.
    """

    schema_name: str = MANIFEST_SCHEMA
    corpus: str
    version: int
    base: str | None
    scorer: str
    fingerprints: Fingerprints
    sources: tuple[SourceFacts, ...]
    weights_1e4: dict[str, int]
    plan: tuple[BucketPlan, ...]
    shards: tuple[ShardFacts, ...]
    files: dict[str, str]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)


class LatestPointer(_Model):
    """`manifests/latest.json`: which version to read, with its digest."""

    version: int
    path: str
    sha256: str

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)
