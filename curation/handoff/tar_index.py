"""Where the members of a shard lie, from the headers of its tar: bodies are skipped, not read."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from curation.store import LocalStore
from schemas.config_file import ConfigError
from schemas.manifest import ShardFacts

_BLOCK_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class MemberPlace:
    """One member: its suffix, and where its bytes begin."""

    suffix: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.start + -(-self.size // _BLOCK_BYTES) * _BLOCK_BYTES


@dataclass(frozen=True, kw_only=True)
class SamplePlace:
    """One sample: its key, where its first header begins, and its members in order."""

    key: str
    start: int
    members: tuple[MemberPlace, ...]

    @property
    def end(self) -> int:
        """Where the next sample, or the end of the archive, begins."""
        return self.members[-1].end


def sample_places(store: LocalStore, shard: ShardFacts) -> tuple[SamplePlace, ...]:
    """Return the samples of a shard in its order.

    Raises:
        ConfigError: it is missing, has another size, or holds another number of samples than the manifest says.
    """
    if not store.exists(shard.path) or store.size(shard.path) != shard.bytes:
        raise ConfigError(f"{shard.path} is missing or not of {shard.bytes} bytes; run `clipstrata verify`")
    found = tuple(
        SamplePlace(key=key, start=members[0][1], members=tuple(member for _, _, member in members))
        for key, members in ((key, list(group)) for key, group in groupby(_members(store, shard), lambda own: own[0]))
    )
    if len(found) != shard.samples:
        raise ConfigError(f"{shard.path} holds {len(found)} samples, not {shard.samples}; run `clipstrata verify`")
    return found


def _members(store: LocalStore, shard: ShardFacts) -> Iterator[tuple[str, int, MemberPlace]]:
    with store.open(shard.path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            key, _, suffix = member.name.partition(".")
            yield key, member.offset, MemberPlace(suffix=suffix, start=member.offset_data, size=member.size)
