"""Versions of a run's shards in a bucket: files first, the manifest created only if absent, the pointer last.

A shard's name ends in its digest, so what is there under that name and in full size is it: objects appear whole. A
manifest is created once; a second builder that comes with another content under the same number is told so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from curation.manifests import manifest_versions, parse_manifest
from curation.store import COPY_CHUNK_BYTES, LocalStore, StoreConflict, StoreDamage
from schemas.canonical import sha256_hex
from schemas.manifest import LatestPointer, Manifest, ShardFacts, shard_files
from schemas.run import LATEST_JSON, MANIFEST_NAME, manifest_path
from schemas.shards import sidecar_path

# Objects that are uploaded at a time.
UPLOADS = 4


class Remote(Protocol):
    """A folder that versions are published to; paths are those of the run folder."""

    def size(self, path: str) -> int | None: ...

    def read(self, path: str) -> bytes | None: ...

    def sha256(self, path: str) -> str: ...

    def upload(self, local: Path, path: str) -> None: ...

    def write(self, path: str, data: bytes) -> None: ...

    def create(self, path: str, data: bytes) -> bool: ...

    def delete(self, path: str) -> None: ...

    def list(self, folder: str) -> list[str]: ...


class BucketFolder:
    """A folder of a bucket.

    Args:
        address: s3:// or gs://, with the folder.
        system: the fsspec file system of that scheme.
    """

    def __init__(self, address: str, system: Any) -> None:
        self.address = address.rstrip("/")
        self.system = system

    def _at(self, path: str) -> str:
        return f"{self.address}/{path}"

    def size(self, path: str) -> int | None:
        """Return the size of an object in bytes, or None where there is none."""
        # What another builder wrote meanwhile counts, so nothing is answered from memory.
        self.system.invalidate_cache()
        try:
            return int(self.system.info(self._at(path))["size"])
        except FileNotFoundError:
            return None

    def read(self, path: str) -> bytes | None:
        """Return a whole object, or None where there is none."""
        try:
            return bytes(self.system.cat_file(self._at(path)))
        except FileNotFoundError:
            return None

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of an object as 64 hex characters; it is read in pieces."""
        digest = hashlib.sha256()
        with self.system.open(self._at(path), "rb", block_size=8 * COPY_CHUNK_BYTES, cache_type="readahead") as file:
            while data := file.read(COPY_CHUNK_BYTES):
                digest.update(data)
        return digest.hexdigest()

    def upload(self, local: Path, path: str) -> None:
        """Upload a file; an older object of that name is replaced."""
        self.system.put_file(str(local), self._at(path))

    def write(self, path: str, data: bytes) -> None:
        """Write an object; an older one of that name is replaced."""
        self.system.pipe_file(self._at(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Write an object only if there is none; the bucket decides. Returns whether it was written."""
        if self.size(path) is not None:
            return False
        try:
            self.system.pipe_file(self._at(path), data, mode="create")
        except OSError:
            # Each bucket has another error for it. Where the object is there now, another builder came first.
            if self.size(path) is None:
                raise
            return False
        return True

    def delete(self, path: str) -> None:
        """Remove an object."""
        self.system.rm_file(self._at(path))

    def list(self, folder: str) -> list[str]:
        """Return the paths of all objects under a folder, sorted."""
        self.system.invalidate_cache()
        base = str(self.system._strip_protocol(self.address))
        found = self.system.find(self._at(folder))
        return sorted(str(path)[len(base) + 1 :] for path in found)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What publishing did.

    Attributes:
        uploaded: files of shards that were written; `there` were there already.
        is_latest: whether the pointer at the address names this version now; a later one keeps it.
        removed: objects of versions that the run no longer has.
    """

    version: int
    uploaded: int
    uploaded_bytes: int
    there: int
    is_latest: bool
    removed: tuple[str, ...]


def publish(
    store: LocalStore, manifest: Manifest, remote: Remote, *, prune: bool, told: Callable[[int], None]
) -> Published:
    """Bring a version's shards, side-cars and manifest to an address; what is there already is left alone.

    Args:
        prune: earlier versions that the run no longer has are removed there, with the shards that no other one lists.
        told: is called with the bytes of each file that is there.

    Raises:
        StoreConflict: that version is there with another content; nothing was written.
        StoreDamage: a file of the run, or of the address after it was uploaded, is not what the manifest says.
    """
    path, data = manifest_path(manifest.version), manifest.to_bytes()
    _refuse_another(remote.read(path), path, data)
    with ThreadPoolExecutor(UPLOADS) as pool:
        uploaded = list(pool.map(lambda facts: _bring_shard(store, remote, facts, told), manifest.shards))
    if not remote.create(path, data):
        _refuse_another(remote.read(path), path, data)
    found = [size for pair in uploaded for size in pair]
    written = [size for size in found if size is not None]
    return Published(
        version=manifest.version,
        uploaded=len(written),
        uploaded_bytes=sum(written),
        there=len(found) - len(written),
        is_latest=_point(remote, manifest),
        removed=tuple(_prune(remote, manifest_versions(store), manifest.version)) if prune else (),
    )


def _refuse_another(there: bytes | None, path: str, data: bytes) -> None:
    if there is not None and there != data:
        raise StoreConflict(
            f"{path} is there with other content: another build was published under that number; allowed: the same "
            "version again, or a number that is free; build on from that one, or publish to another address"
        )


def _bring_shard(
    store: LocalStore, remote: Remote, facts: ShardFacts, told: Callable[[int], None]
) -> tuple[int | None, int | None]:
    """Bring a tar and its side-car; returns the bytes of each, None for one that was there."""
    tar = _bring(store, remote, facts.path, facts.sha256)
    told(facts.bytes)
    return tar, _bring(store, remote, sidecar_path(facts.path), facts.sidecar_sha256)


def _bring(store: LocalStore, remote: Remote, path: str, sha256: str) -> int | None:
    if not store.exists(path) or store.sha256(path) != sha256:
        raise StoreDamage(f"{path} is missing or not what the manifest says; run `clipstrata verify`, and build again")
    size = store.size(path)
    if remote.size(path) == size:
        return None
    remote.upload(store.root / path, path)
    found = remote.sha256(path)
    if found != sha256:
        remote.delete(path)
        raise StoreDamage(f"{path} reads back as {found} there, uploaded was {sha256}; it was removed: publish again")
    return size


def _point(remote: Remote, manifest: Manifest) -> bool:
    there = remote.read(LATEST_JSON)
    known = None if there is None else LatestPointer.model_validate_json(there)
    if known is not None and known.version > manifest.version:
        return False
    sha256 = sha256_hex(manifest.to_bytes())
    pointer = LatestPointer(version=manifest.version, path=manifest_path(manifest.version), sha256=sha256)
    if pointer != known:
        remote.write(LATEST_JSON, pointer.to_bytes())
    return True


def _prune(remote: Remote, kept: Collection[int], newest: int) -> list[str]:
    """Remove versions before `newest` that are not kept, each with the files of shards that no other version lists.

    Shards go before their manifest, so that one that was stopped is found and ended by the next. Later versions are
    another builder's and stay, and so does what no manifest lists: it may be on its way.
    """
    manifests = {version: _manifest_there(remote, version) for version in _versions(remote)}
    going = [version for version in manifests if version < newest and version not in kept]
    listed = {path for version in manifests if version not in going for path in _files(manifests[version])}
    removed: list[str] = []
    for version in going:
        stray = sorted(_files(manifests[version]) - listed - set(removed))
        removed += [*(path for path in stray if remote.size(path) is not None), manifest_path(version)]
    for path in removed:
        remote.delete(path)
    return removed


def _versions(remote: Remote) -> list[int]:
    matches = (MANIFEST_NAME.fullmatch(path) for path in remote.list("manifests"))
    return sorted(int(match.group(1)) for match in matches if match)


def _manifest_there(remote: Remote, version: int) -> Manifest:
    path = manifest_path(version)
    return parse_manifest(path, remote.read(path) or b"")


def _files(manifest: Manifest) -> set[str]:
    return {path for facts in manifest.shards for path in shard_files(facts)}
