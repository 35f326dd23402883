"""Committing and reading manifests: each version is created once, and then the pointer moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pydantic import ValidationError

from curation.store import Store
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.manifest import MANIFEST_SCHEMA, LatestPointer, Manifest
from schemas.run import LATEST_JSON, MANIFEST_NAME, manifest_path


class Listing(Protocol):
    """What tells its files: a store, or a folder of a bucket."""

    def list(self, folder: str) -> Iterable[str]: ...


def manifest_versions(store: Listing) -> list[int]:
    """Return the versions that are there, ascending."""
    matches = (MANIFEST_NAME.fullmatch(path) for path in store.list("manifests"))
    return sorted(int(match.group(1)) for match in matches if match)


def read_manifest(store: Store, version: int) -> Manifest:
    """Return one version.

    Raises:
        FileNotFoundError: it is not there.
        ConfigError: it cannot be read, for example because an earlier version of clipstrata wrote it.
    """
    path = manifest_path(version)
    return parse_manifest(path, store.read(path))


def parse_manifest(path: str, data: bytes) -> Manifest:
    """Return the manifest of a file's bytes.

    Raises:
        ConfigError: they cannot be read.
    """
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise ConfigError(
            f"{path}: cannot be read ({place}: {error.errors()[0]['msg']}); allowed: {MANIFEST_SCHEMA}; "
            "build again, which writes a new version"
        ) from error


def read_pointer(store: Store) -> LatestPointer | None:
    """Return which version is the latest, or None before the first one."""
    return LatestPointer.model_validate_json(store.read(LATEST_JSON)) if store.exists(LATEST_JSON) else None


def commit_manifest(store: Store, draft: Manifest) -> Manifest:
    """Commit a manifest under the next version, unless the last version says the same already.

    The version file is created only if absent and the pointer follows it, so a kill between the two leaves a version
    that the next attempt finds and points to.

    Args:
        draft: the manifest; its version is ignored.

    Raises:
        StoreConflict: another build committed that version first.
    """
    versions = manifest_versions(store)
    last = versions[-1] if versions else 0
    manifest = draft.model_copy(update={"version": last})
    # Compared as bytes, so that a last version of an older schema is simply another one.
    if not versions or store.read(manifest_path(last)) != manifest.to_bytes():
        manifest = draft.model_copy(update={"version": last + 1})
        store.create(manifest_path(manifest.version), manifest.to_bytes())
    pointer = LatestPointer(
        version=manifest.version,
        path=manifest_path(manifest.version),
        sha256=sha256_hex(manifest.to_bytes()),
    )
    if read_pointer(store) != pointer:
        store.write(LATEST_JSON, pointer.to_bytes())
    return manifest
