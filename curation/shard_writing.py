"""Writing shards: tars whose bytes depend on their samples alone, each with a side-car, and only where content changed.

Media go from the store into the tar in pieces, so memory holds the small members of one shard and no clip.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import ValidationError

from curation.background import Background
from curation.packing import PackedSample
from curation.store import COPY_CHUNK_BYTES, Store
from schemas.canonical import canonical_json, sha256_hex
from schemas.judging import TRAINING_STAGES
from schemas.manifest import ShardFacts
from schemas.run import media_path
from schemas.shards import (
    MEDIA_SUFFIX,
    MEMBER_SUFFIXES,
    ShardPlace,
    Sidecar,
    blocks_bytes,
    shard_path,
    shard_prefix,
    sidecar_path,
)

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

SCRATCH = "shards"


class MediaDamaged(OSError):
    """A stored clip is not the one that its name says."""


@dataclass(frozen=True, kw_only=True)
class TarFacts:
    """A finished tar on the local disk."""

    path: Path
    sha256: str
    bytes: int


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
        ValueError: two samples share an id.
    """
    ordered = order_samples(samples)
    content = content_digest(ordered)
    found = _found(store, corpus, place, content)
    if found is not None:
        return WrittenShard(facts=_facts(found, place), reused=True)
    tar = write_tar(ordered, store)
    path = shard_path(corpus, place, tar.sha256)
    store.adopt(tar.path, path, tar.sha256)
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


def write_tar(ordered: Sequence[PackedSample], store: Store) -> TarFacts:
    """Write a webdataset tar of samples by id into a scratch file; equal samples give equal bytes.

    Raises:
        MediaDamaged: a clip of the run does not have the digest in its name.
    """
    scratch = store.scratch_file(SCRATCH)
    # Clips and the tar are hashed on a thread each, beside the copying: alone they would take twice its time.
    with scratch.file as file, Background() as tar_hashing, Background() as clip_hashing:
        writer = _HashingWriter(file, tar_hashing)
        with tarfile.TarFile(
            fileobj=writer, mode="w", format=tarfile.USTAR_FORMAT, copybufsize=COPY_CHUNK_BYTES
        ) as tar:
            for sample in ordered:
                _add_sample(tar, sample, store, clip_hashing)
        writer.finish()
    return TarFacts(path=scratch.path, sha256=writer.digest.hexdigest(), bytes=writer.total_bytes)


def _add_sample(tar: tarfile.TarFile, sample: PackedSample, store: Store, hashing: Background) -> None:
    small = sample.small_members()
    for suffix in MEMBER_SUFFIXES:
        name = f"{sample.sample_id}.{suffix}"
        data = small.get(suffix)
        if suffix == MEDIA_SUFFIX:
            _add_media(tar, sample, store, hashing)
        elif data is not None:
            _add_member(tar, name, len(data), io.BytesIO(data))


def _add_media(tar: tarfile.TarFile, sample: PackedSample, store: Store, hashing: Background) -> None:
    path = media_path(sample.media_sha256)
    if store.size(path) != sample.media_bytes:
        raise MediaDamaged(f"{path} has {store.size(path)} bytes, not {sample.media_bytes}; {_MEND}")
    with store.open(path) as file:
        reader = _HashingReader(file, hashing)
        _add_member(tar, f"{sample.sample_id}.{MEDIA_SUFFIX}", sample.media_bytes, reader)
    hashing.do(_check_clip, reader.digest, sample.media_sha256)


def _check_clip(digest: Hash, expected: str) -> None:
    if digest.hexdigest() != expected:
        raise MediaDamaged(f"{media_path(expected)} has the digest {digest.hexdigest()}; {_MEND}")


_MEND = "delete it and run ingest again"


def _add_member(tar: tarfile.TarFile, name: str, size: int, data: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    # No clock, no user, no umask: equal samples give equal bytes on every machine.
    member.mtime = 0
    member.mode = 0o444
    tar.addfile(member, data)


class _HashingWriter(io.RawIOBase):
    """Passes what is written on to a file and has it hashed; headers and other small pieces are handed on together."""

    def __init__(self, file: BinaryIO, hashing: Background) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.total_bytes = 0
        self._hashing = hashing
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: Any) -> int:
        self._held.append(data)
        self._held_bytes += len(data)
        self.total_bytes += len(data)
        if self._held_bytes >= COPY_CHUNK_BYTES:
            self.finish()
        return self.file.write(data)

    def finish(self) -> None:
        """Have all hashed that was written; the digest is whole when the thread is done."""
        self._hashing.do(_update, self.digest, self._held)
        self._held, self._held_bytes = [], 0

    def tell(self) -> int:
        return self.total_bytes


class _HashingReader:
    """Reads a file and has what was read hashed."""

    def __init__(self, file: BinaryIO, hashing: Background) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self._hashing = hashing

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self._hashing.do(self.digest.update, data)
        return data


def _update(digest: Hash, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        digest.update(piece)
