"""Writing shards: tars whose bytes depend on their samples alone, with side-cars, and only where content changed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from curation.packing import PackedSample
from curation.shard_tar import TarFacts, write_tar
from curation.store import Store
from schemas.canonical import canonical_json, sha256_hex
from schemas.judging import TRAINING_STAGES
from schemas.manifest import ShardFacts
from schemas.shards import (
    MEMBER_SUFFIXES,
    ShardPlace,
    Sidecar,
    blocks_bytes,
    shard_path,
    shard_prefix,
    sidecar_path,
)


@dataclass(frozen=True, kw_only=True)
class WrittenShard:
    """A shard that lies in the store with its side-car.

    Attributes:
        reused: it was there already with this content, and nothing was written.
    """

    facts: ShardFacts
    reused: bool


def write_shard(samples: Iterable[PackedSample], store: Store, corpus: str, place: ShardPlace) -> WrittenShard:
    """Write the shard of a place, or find that a version of it has this very content.

    The tar comes first and the side-car last: a side-car stands beside a whole tar, whenever the writer was killed.

    Raises:
        MediaDamaged: a clip of the run does not have the digest in its name.
        StoreDamage: the tar does not read back as it was written.
        ValueError: two samples share an id.
    """
    ordered = order_samples(samples)
    content = content_digest(ordered)
    found = _found(store, corpus, place, content)
    if found is not None:
        return WrittenShard(facts=_facts(found, place), reused=True)
    tar = write_tar(ordered, store)
    path = shard_path(corpus, place, tar.sha256)
    store.place(tar.path, path)
    sidecar = make_sidecar(ordered, tar, path, content)
    store.write(sidecar_path(path), sidecar.to_bytes())
    return WrittenShard(facts=_facts(sidecar, place), reused=False)


def order_samples(samples: Iterable[PackedSample]) -> list[PackedSample]:
    """Return samples by id.

    Raises:
        ValueError: two share one.
    """
    ordered = sorted(samples, key=lambda sample: sample.sample_id)
    for first, second in itertools.pairwise(ordered):
        if first.sample_id == second.sample_id:
            raise ValueError(f"two samples share the id {first.sample_id}; a reader would mix their members")
    return ordered


def content_digest(ordered: Sequence[PackedSample]) -> str:
    """Return the SHA-256 (64 hex characters) over the keys and the digests of all members: what a tar hangs on."""
    digest = hashlib.sha256()
    for sample in ordered:
        digest.update(canonical_json([sample.sample_id, sample.digests()]))
    return digest.hexdigest()


def _found(store: Store, corpus: str, place: ShardPlace, content: str) -> Sidecar | None:
    """Return the side-car of a version of a place that has this content and whose tar is there in full size."""
    for path in store.list_prefix(shard_prefix(corpus, place)):
        sidecar = _readable(store.read(path)) if path.endswith(".json") else None
        if sidecar is not None and sidecar.content == content and _is_whole(store, sidecar):
            return sidecar
    return None


def _is_whole(store: Store, sidecar: Sidecar) -> bool:
    return store.exists(sidecar.shard) and store.size(sidecar.shard) == sidecar.shard_bytes


def _readable(data: bytes) -> Sidecar | None:
    """Return a side-car, or None for one that is damaged or of another version: its shard is simply written again."""
    try:
        return Sidecar.model_validate_json(data)
    except ValidationError:
        return None


def _facts(sidecar: Sidecar, place: ShardPlace) -> ShardFacts:
    return ShardFacts(
        path=sidecar.shard,
        tier=place.tier,
        source=place.source,
        shape=place.shape,
        bucket=place.bucket,
        bytes=sidecar.shard_bytes,
        sha256=sidecar.sha256,
        sidecar_sha256=sha256_hex(sidecar.to_bytes()),
        samples=len(sidecar.keys),
        duration_us=sidecar.duration_us,
    )


def make_sidecar(ordered: Sequence[PackedSample], tar: TarFacts, path: str, content: str) -> Sidecar:
    """Return the side-car of a tar of samples by id."""
    sizes = [sample.sizes() for sample in ordered]
    lengths = [sum(blocks_bytes(size) for size in own.values() if size is not None) for own in sizes]
    return Sidecar(
        shard=path,
        shard_bytes=tar.bytes,
        sha256=tar.sha256,
        content=content,
        duration_us=sum(sample.duration_us for sample in ordered),
        keys=tuple(sample.sample_id for sample in ordered),
        offsets=tuple(itertools.accumulate(lengths[:-1], initial=0)),
        sizes={suffix: tuple(own[suffix] for own in sizes) for suffix in MEMBER_SUFFIXES},
        weights_1e4={stage: tuple(sample.weights_1e4[stage] for sample in ordered) for stage in TRAINING_STAGES},
    )
