"""The shards under names without gaps: links in one flat folder, because brace patterns count and sizes stand beside.

A shard's own name ends in its digest and numbers may be missing between buckets; a pattern such as
`{000000..000012}` needs neither. The links lead to the shards of one manifest and copy nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from schemas.manifest import Manifest, ShardFacts

LINKS_FOLDER = "shards"


@dataclass(frozen=True, kw_only=True)
class LinkedShard:
    """A shard and the name of its link, for example `tiny-clean-stock-000000.tar`."""

    name: str
    facts: ShardFacts


def linked_shards(manifest: Manifest) -> tuple[LinkedShard, ...]:
    """Return the shards of a manifest by tier, source, shape and bucket, each (tier, source) numbered from 0."""
    found = []
    for (tier, source), shards in groupby(sorted(manifest.shards, key=_place), key=lambda shard: _place(shard)[:2]):
        stem = f"{manifest.corpus}-{tier}-{source}"
        found += [LinkedShard(name=f"{stem}-{number:06d}.tar", facts=own) for number, own in enumerate(shards)]
    return tuple(found)


def _place(shard: ShardFacts) -> tuple[str, str, str, int]:
    return shard.tier, shard.source, shard.shape, shard.bucket


def places(linked: Sequence[LinkedShard]) -> Iterator[tuple[tuple[str, str], tuple[LinkedShard, ...]]]:
    """Yield ((tier, source), shards) in the order of the links."""
    for place, own in groupby(linked, key=lambda shard: (shard.facts.tier, shard.facts.source)):
        yield place, tuple(own)


def by_shape(shards: Sequence[LinkedShard]) -> Iterator[tuple[str, tuple[LinkedShard, ...]]]:
    """Yield (shape, shards) of one (tier, source), in the order of the links: those of a shape follow each other."""
    for shape, own in groupby(shards, key=lambda shard: shard.facts.shape):
        yield shape, tuple(own)


def brace_pattern(shards: Sequence[LinkedShard], folder: str = "") -> str:
    """Return the pattern that `braceexpand` turns back into the names of neighbouring shards of one (tier, source)."""
    (stem, first), (_, last) = (shard.name.removesuffix(".tar").rsplit("-", 1) for shard in (shards[0], shards[-1]))
    numbers = first if first == last else f"{{{first}..{last}}}"
    return f"{folder}{stem}-{numbers}.tar"
