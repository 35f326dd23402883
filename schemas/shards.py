"""The shard contract: one webdataset tar of one tier and one source, and what its members are called."""

from __future__ import annotations

from dataclasses import dataclass

# Members of a sample, in this order; a reader meets the facts first. A key holds no dot, so it ends at the suffix.
FACTS_SUFFIX = "json"
MEDIA_SUFFIX = "mp4"
TEXT_SUFFIX = "txt"
MEMBER_SUFFIXES = (FACTS_SUFFIX, MEDIA_SUFFIX, TEXT_SUFFIX)

SAMPLE_SCHEMA = "clipstrata.sample/2"


@dataclass(frozen=True, kw_only=True)
class ShardPlace:
    """Which shard a sample lies in."""

    tier: str
    source: str
    bucket: int


def shard_stem(corpus: str, place: ShardPlace) -> str:
    """Return a shard's name without its digest and ending."""
    return f"{corpus}-{place.tier}-{place.source}-{place.bucket:06d}"


def shard_path(corpus: str, place: ShardPlace, sha256: str) -> str:
    """Return where a shard lies, by its content: two versions of a bucket never share a name."""
    return f"shards/{place.tier}/{place.source}/{shard_stem(corpus, place)}-{sha256[:8]}.tar"
