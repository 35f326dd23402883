"""Where the members of a shard lie, from its side-car: no tar is read."""

from __future__ import annotations

from dataclasses import dataclass

from curation.store import Store
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.manifest import ShardFacts
from schemas.shards import MemberRange, Sidecar, blocks_bytes, sidecar_path


@dataclass(frozen=True, kw_only=True)
class SamplePlace:
    """One sample of a shard.

    Attributes:
        start: where its first header begins.
        end: where the next sample's, or the end of the archive, begins.
        members: suffix -> where its bytes lie, in the tar's order.
    """

    key: str
    start: int
    end: int
    members: dict[str, MemberRange]


def sample_places(store: Store, shard: ShardFacts) -> tuple[SamplePlace, ...]:
    """Return the samples of a shard in its order.

    Raises:
        ConfigError: the shard or its side-car is missing, or is not the one that the manifest lists.
    """
    path = sidecar_path(shard.path)
    if not store.exists(shard.path) or store.size(shard.path) != shard.bytes:
        raise ConfigError(f"{shard.path} is missing or not of {shard.bytes} bytes; run `clipstrata verify`")
    data = store.read(path) if store.exists(path) else b""
    if sha256_hex(data) != shard.sidecar_sha256:
        raise ConfigError(f"{path} is missing or not the one that the manifest lists; run `clipstrata verify`")
    sidecar = Sidecar.model_validate_json(data)
    return tuple(_sample(sidecar, place) for place in range(len(sidecar.keys)))


def _sample(sidecar: Sidecar, place: int) -> SamplePlace:
    start, members = sidecar.offsets[place], sidecar.members(place)
    end = start + sum(blocks_bytes(own.size) for own in members.values())
    return SamplePlace(key=sidecar.keys[place], start=start, end=end, members=members)
