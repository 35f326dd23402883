"""`duplicates/index/index.json`: what a run keeps of its clips, so that a build on top of it looks up its new ones."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.canonical import canonical_json

INDEX_SCHEMA = "clipstrata.duplicate_index/1"


class IndexFile(BaseModel):
    """One array of an index."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    sha256: str


class DuplicateIndex(BaseModel):
    """What an index holds, and how it was made.

    Attributes:
        bits: keys and cells are shared out into 2**bits parts.
        groups: the run's groups of units; what the arrays call a group is its place here.
        perceptual: how frame hashes are posted; None where they were not looked at.
        semantic: how embeddings lie in cells; None where they were not looked at.
        files: path in the run -> what lies there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = INDEX_SCHEMA
    bits: int
    groups: tuple[str, ...]
    perceptual: dict[str, int] | None
    semantic: dict[str, int] | None
    files: dict[str, IndexFile]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=1)
