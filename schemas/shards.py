"""The shard contract: one webdataset tar of one tier and one source, what its members are called, and its side-car."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, model_validator

from schemas.canonical import canonical_json

# Members of a sample, in this order; a reader meets the facts first. A key holds no dot, so it ends at the suffix.
FACTS_SUFFIX = "json"
MEDIA_SUFFIX = "mp4"
TEXT_SUFFIX = "txt"
EMBEDDING_SUFFIX = "npy"
MEMBER_SUFFIXES = (FACTS_SUFFIX, MEDIA_SUFFIX, TEXT_SUFFIX, EMBEDDING_SUFFIX)
REQUIRED_SUFFIXES = (FACTS_SUFFIX, MEDIA_SUFFIX)

SAMPLE_SCHEMA = "clipstrata.sample/2"
SIDECAR_SCHEMA = "clipstrata.shard/1"

# POSIX ustar: a member is a header of one block and its bytes, filled up to whole blocks.
TAR_BLOCK_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class ShardPlace:
    """Which shard a sample lies in.

    Attributes:
        shape: of its clip, where shards are split by it; else empty.
    """

    tier: str
    source: str
    bucket: int
    shape: str = ""


def shard_stem(corpus: str, place: ShardPlace) -> str:
    """Return a shard's name without its digest and ending."""
    shape = f"-{place.shape}" if place.shape else ""
    return f"{corpus}-{place.tier}-{place.source}{shape}-{place.bucket:06d}"


def shard_path(corpus: str, place: ShardPlace, sha256: str) -> str:
    """Return where a shard lies, by its content: two versions of a bucket never share a name."""
    return f"shards/{place.tier}/{place.source}/{shard_stem(corpus, place)}-{sha256[:8]}.tar"


def shard_prefix(corpus: str, place: ShardPlace) -> str:
    """Return what the paths of every version of a bucket begin with."""
    return f"shards/{place.tier}/{place.source}/{shard_stem(corpus, place)}-"


def sidecar_path(shard: str) -> str:
    """Return where the side-car of a shard lies: beside it, with another ending."""
    return f"{shard.removesuffix('.tar')}.json"


def blocks_bytes(size: int) -> int:
    """Return how many bytes a member of a size takes in a tar, its header included."""
    return TAR_BLOCK_BYTES + -(-size // TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES


@dataclass(frozen=True, kw_only=True)
class MemberRange:
    """Where the bytes of a member lie in its shard."""

    start: int
    size: int


class Sidecar(BaseModel):
    """What stands beside a shard: its digest and where each member lies, so that a reader needs no scan of the tar.

    Attributes:
        shard: path of the tar in the run.
        content: SHA-256 over keys and digests of all members: equal content gives an equal tar.
        keys: of the samples, ascending.
        offsets: where each sample's first header begins, in bytes.
        sizes: suffix -> bytes of that member of each sample, None where a sample has none. The members of a sample
            follow each other in the order of `MEMBER_SUFFIXES`.
        weights_1e4: training stage -> sampling weight of each sample, 10,000 is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = SIDECAR_SCHEMA
    shard: str
    shard_bytes: int
    sha256: str
    content: str
    duration_us: int
    keys: tuple[str, ...]
    offsets: tuple[int, ...]
    sizes: dict[str, tuple[int | None, ...]]
    weights_1e4: dict[str, tuple[int, ...]]

    @model_validator(mode="after")
    def _one_row_per_sample(self) -> Sidecar:
        lengths = {
            len(self.keys),
            len(self.offsets),
            *map(len, self.sizes.values()),
            *map(len, self.weights_1e4.values()),
        }
        unknown = sorted(set(self.sizes) - set(MEMBER_SUFFIXES))
        if len(lengths) != 1 or unknown or any(second <= first for first, second in pairwise(self.keys)):
            raise ValueError(
                f"side-car of {self.shard}: its columns have {sorted(lengths)} rows and unknown suffixes {unknown}; "
                "allowed: one row per sample, keys ascending; build again"
            )
        return self

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"))

    def members(self, place: int) -> dict[str, MemberRange]:
        """Return suffix -> range of the members of the sample at a place."""
        sizes = {suffix: self.sizes[suffix][place] for suffix in MEMBER_SUFFIXES if suffix in self.sizes}
        return dict(member_ranges(self.offsets[place], sizes))


def member_ranges(offset: int, sizes: Mapping[str, int | None]) -> Iterator[tuple[str, MemberRange]]:
    """Yield (suffix, range) of a sample's members, whose first header begins at `offset`."""
    for suffix, size in sizes.items():
        if size is not None:
            yield suffix, MemberRange(start=offset + TAR_BLOCK_BYTES, size=size)
            offset += blocks_bytes(size)
