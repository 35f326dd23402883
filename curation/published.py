"""Versions of a run's shards in a bucket: files first, the manifest created only if absent, the pointer last.

What a manifest at the address lists was read back before that manifest was written, and is left alone; anything else is
read back first. A manifest is created once; a second builder with another content under its number is told so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from curation.manifests import manifest_versions, parse_manifest
from curation.store import Store, StoreConflict, StoreDamage
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.manifest import LatestPointer, Manifest, ShardFacts, shard_files
from schemas.run import LATEST_JSON, manifest_path
from schemas.shards import sidecar_path

SHARDS_FOLDER = "shards"
# Objects that are uploaded at a time.
UPLOADS = 4
# How often the pointer is looked at: it is written once, unless others publish meanwhile.
POINTER_TURNS = 8


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


PruneWhat = Literal["nothing", "versions", "all"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What publishing did.

    Attributes:
        uploaded: files of shards that were written; `there` were there already.
        is_latest: whether the pointer at the address names this version now; a later one has it.
        removed: objects that pruning took away.
        unlisted: files of shards that no version at the address lists: of an attempt that was stopped, or on their way.
    """

    version: int
    uploaded: int
    uploaded_bytes: int
    there: int
    is_latest: bool
    removed: tuple[str, ...]
    unlisted: tuple[str, ...]


def publish(store: Store, version: int, remote: Remote, *, prune: PruneWhat, told: Callable[[int], None]) -> Published:
    """Bring a version's shards, side-cars and manifest to an address; what a version there lists already is left alone.

    Args:
        prune: `versions`: earlier versions that the run does not have are removed there, with the shards that no other
            one lists; `all`: also shards that no version lists, as an attempt leaves them that was stopped for good.
        told: is called with the bytes of each tar that is there.

    Raises:
        ConfigError: a later version at the address cannot be read, so nobody knows what pruning may remove.
        StoreConflict: that version is there with another content; only shards may have been written.
        StoreDamage: a file of the run, or of the address after it was uploaded, is not what the manifest says.
    """
    path = manifest_path(version)
    data = store.read(path)
    manifest = parse_manifest(path, data)
    _refuse_another(remote.read(path), path, data)
    known = _known(remote)
    wanted = {name: sha256 for facts in manifest.shards for name, sha256 in _digests(facts)}
    listed = {
        name: sha256 for there in known.values() if there for facts in there.shards for name, sha256 in _digests(facts)
    }
    bringing = _Bringing(store=store, remote=remote, wanted=wanted, listed=listed)
    with ThreadPoolExecutor(UPLOADS) as pool:
        uploaded = dict(zip(wanted, pool.map(partial(bringing.bring, told=told), wanted), strict=True))
    if not remote.create(path, data):
        _refuse_another(remote.read(path) or b"", path, data)
    # Another builder may have pruned, before it could read of this version, what both have.
    there_now = set(remote.list(SHARDS_FOLDER))
    uploaded.update({name: bringing.bring(name) for name in wanted if name not in there_now})
    written = [size for size in uploaded.values() if size is not None]
    latest = _point(remote)
    removed = [] if prune == "nothing" else _prune(remote, manifest_versions(store), version)
    unlisted = _unlisted(remote)
    if prune == "all":
        removed, unlisted = [*removed, *_removed(remote, unlisted)], []
    return Published(
        version=version,
        uploaded=len(written),
        uploaded_bytes=sum(written),
        there=len(uploaded) - len(written),
        is_latest=latest == version,
        removed=tuple(removed),
        unlisted=tuple(unlisted),
    )


def _refuse_another(there: bytes | None, path: str, data: bytes) -> None:
    if there is not None and there != data:
        raise StoreConflict(
            f"{path} is there with other content: another build was published under that number; allowed: one run for "
            "an address; publish to another one, or build on in the run that was published there"
        )


def _digests(facts: ShardFacts) -> tuple[tuple[str, str], tuple[str, str]]:
    return (facts.path, facts.sha256), (sidecar_path(facts.path), facts.sidecar_sha256)


@dataclass(frozen=True, kw_only=True)
class _Bringing:
    store: Store
    remote: Remote
    wanted: Mapping[str, str]
    listed: Mapping[str, str]

    def bring(self, path: str, told: Callable[[int], None] | None = None) -> int | None:
        """Bring a file; returns its bytes, or None where it was there."""
        size, sha256 = self._own_size(path), self.wanted[path]
        if told is not None and path.endswith(".tar"):
            told(size)
        is_listed = self.listed.get(path) == sha256
        if self.remote.size(path) == size and (is_listed or self.remote.sha256(path) == sha256):
            return None
        with self.store.local(path) as local:
            self.remote.upload(local, path)
        found = self.remote.sha256(path)
        if found != sha256:
            self.remote.delete(path)
            raise StoreDamage(
                f"{path} reads back as {found} there, uploaded was {sha256}; it was removed: publish again"
            )
        return size

    def _own_size(self, path: str) -> int:
        try:
            found = self.store.sha256(path) if self.store.exists(path) else "missing"
        except OSError as error:
            raise StoreDamage(f"{path} cannot be read ({error}); run `clipstrata verify`, and build again") from error
        if found != self.wanted[path]:
            raise StoreDamage(
                f"{path} is missing or not what the manifest says; run `clipstrata verify`, and build again"
            )
        return self.store.size(path)


def _point(remote: Remote) -> int:
    """Let the pointer name the newest version there is; returns which.

    It is looked at again after it was written, so that of two builders the last one to write has seen both versions.

    Raises:
        StoreConflict: versions come and go, so that it never names the newest one.
    """
    for _ in range(POINTER_TURNS):
        newest = max(manifest_versions(remote), default=0)
        path = manifest_path(newest)
        data = remote.read(path)
        if data is None:
            continue
        pointer = LatestPointer(version=newest, path=path, sha256=sha256_hex(data)).to_bytes()
        if remote.read(LATEST_JSON) == pointer:
            return newest
        remote.write(LATEST_JSON, pointer)
    raise StoreConflict(
        f"{LATEST_JSON}: others publish and prune at the same address; publish again when they are done"
    )


def _prune(remote: Remote, kept: Collection[int], newest: int) -> list[str]:
    """Remove versions before `newest` that are not kept, each with the files of shards that no other version lists.

    Shards go before their manifest, so that a pruning that was stopped is found and ended by the next one.
    """
    known = _known(remote)
    going = [version for version in known if version < newest and version not in kept]
    unread = [
        manifest_path(version) for version, manifest in known.items() if manifest is None and version not in going
    ]
    if unread:
        raise ConfigError(
            f"{unread[0]} at the address cannot be read, so nobody knows which shards it needs and nothing was pruned; "
            "allowed: versions of this format; remove it there, or prune with the program that wrote it"
        )
    listed = {path for version, manifest in known.items() if version not in going for path in _files(manifest)}
    removed: list[str] = []
    for version in going:
        removed += _removed(remote, sorted(_files(known[version]) - listed - set(removed)))
        removed += _removed(remote, [manifest_path(version)])
    return removed


def _removed(remote: Remote, paths: Sequence[str]) -> list[str]:
    found = [path for path in paths if remote.size(path) is not None]
    for path in found:
        remote.delete(path)
    return found


def _unlisted(remote: Remote) -> list[str]:
    """Return the files of shards that no version lists; none where a version cannot be read."""
    known = _known(remote)
    if None in known.values():
        return []
    listed = {path for manifest in known.values() for path in _files(manifest)}
    return [path for path in remote.list(SHARDS_FOLDER) if path not in listed]


def _known(remote: Remote) -> dict[int, Manifest | None]:
    """Return version -> its manifest, None for one that cannot be read."""
    found: dict[int, Manifest | None] = {}
    for version in manifest_versions(remote):
        data = remote.read(manifest_path(version))
        if data is not None:
            found[version] = _parsed(version, data)
    return found


def _parsed(version: int, data: bytes) -> Manifest | None:
    try:
        return parse_manifest(manifest_path(version), data)
    except ConfigError:
        return None


def _files(manifest: Manifest | None) -> set[str]:
    return set() if manifest is None else {path for facts in manifest.shards for path in shard_files(facts)}
