"""What differs between two versions of a run's shards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PlaceChange:
    """What differs between two versions of the shards of one tier and source.

    Attributes:
        shards_kept: the same file in both versions.
        shards_written: in the later one alone.
        shards_gone: in the earlier one alone.
        added, removed: samples that only the later, or only the earlier one has under this tier and source.
        bytes_written: of the shards in the later one alone.
    """

    tier: str
    source: str
    shards_kept: int
    shards_written: int
    shards_gone: int
    added: int
    removed: int
    bytes_written: int


@dataclass(frozen=True, kw_only=True)
class VersionDiff:
    """Two versions compared, by tier and source; places without a difference are there too.

    Attributes:
        moved: samples that both have, under another tier or source.
        changed: facts of the whole version that differ: name -> (before, after).
    """

    before: int
    after: int
    places: tuple[PlaceChange, ...]
    moved: int
    changed: dict[str, tuple[str, str]]
