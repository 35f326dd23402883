"""The files of a source, local or behind an address: found by path, pattern or folder; opened where reading starts."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from curation.bucket_client import BUCKET_SCHEMES, bucket_file_system
from curation.sources.locators import without_secrets
from curation.sources.unpack import is_packed, unpacked
from schemas.config_file import ConfigError
from schemas.corpus import SourceConfig, folder_of, has_glob
from schemas.fetching import FetchPolicy

REMOTE_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a source.

    Attributes:
        source: name of the source.
        url: path or address that it is opened by.
        name: how places in it are named: its base name, or its path below a pattern's folder.
        fetch: by whose bucket options it is opened.
    """

    source: str
    url: str
    name: str
    fetch: FetchPolicy

    @property
    def packed(self) -> bool:
        """Whether it is a gzip or zstd stream, which only its beginning can be read from."""
        return is_packed(self.name)


def list_files(source: SourceConfig, fetch: FetchPolicy) -> Iterator[SourceFile]:
    """Yield the files of a source, in any order; a pattern may match none.

    Raises:
        ConfigError: the place cannot be listed.
    """
    location = source.location
    if not has_glob(location):
        yield SourceFile(source=source.name, url=location, name=base_name(location), fetch=fetch)
        return
    for url, name in _matches(source, fetch):
        yield SourceFile(source=source.name, url=url, name=name, fetch=fetch)


def base_name(location: str) -> str:
    """Return the last part of a path or address, without query and signature."""
    if "://" not in location:
        return PurePosixPath(location).name
    parts = urlsplit(location)
    web = parts.scheme.startswith("http")
    path = unquote(parts.path) if web else location.partition("://")[2]
    return PurePosixPath(path).name or parts.netloc


def _matches(source: SourceConfig, fetch: FetchPolicy) -> Iterator[tuple[str, str]]:
    """Yield (where it is opened, its path below the pattern's folder) of each file that a pattern matches."""
    location = source.location
    base = folder_of(location)
    if "://" not in location:
        # Only * is a pattern here: brackets and question marks are common in names.
        pattern = glob.escape(location).replace("[*]", "*")
        found = (path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))
        yield from ((path, path.removeprefix(base).lstrip("/")) for path in found)
        return
    try:
        system, path = _file_system(location, fetch)
        names = system.glob(path)
    except remote_errors() as error:
        raise ConfigError(_unreadable(source, error)) from error
    inside = _file_system(base, fetch)[1]
    yield from ((system.unstrip_protocol(name), name.removeprefix(inside).lstrip("/")) for name in names)


def open_file(file: SourceFile, start: int = 0) -> BinaryIO:
    """Open a file for reading from byte `start` on, unpacked where its name says that it is packed.

    Raises:
        OSError, or one of `remote_errors()`: it cannot be opened.
    """
    opened = _opened(file)
    if start:
        opened.seek(start)
    return unpacked(opened, file.name) if file.packed else opened


def size_of(file: SourceFile) -> int | None:
    """Return a file's size in bytes; None where it is not known, or the file can be read from its beginning only."""
    if file.packed:
        return None
    if "://" not in file.url:
        return os.path.getsize(file.url)
    with _opened(file) as opened:
        size = getattr(opened, "size", None)
        return size if isinstance(size, int) and opened.seekable() else None


def _opened(file: SourceFile) -> BinaryIO:
    if "://" not in file.url:
        return Path(file.url).open("rb")
    system, path = _file_system(file.url, file.fetch)
    opened: BinaryIO = system.open(path, "rb", block_size=REMOTE_BLOCK_BYTES)
    return opened


def _file_system(url: str, fetch: FetchPolicy) -> tuple[Any, str]:
    """Return the file system of an address, and the address as it names it."""
    import fsspec

    scheme = url.partition("://")[0]
    if scheme in BUCKET_SCHEMES:
        buckets = bucket_file_system(scheme, fetch)
        return buckets, buckets._strip_protocol(url)
    system, path = fsspec.core.url_to_fs(url)
    return system, path


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a folder.

    Attributes:
        folder: whether it is one to go down into.
        regular: whether it is a plain file, which can be read without blocking.
    """

    name: str
    url: str
    folder: bool
    regular: bool


def list_folder(folder: SourceFile) -> list[Entry]:
    """Return the entries of one folder, sorted by name; links to folders are neither followed nor files.

    Raises:
        OSError, or one of `remote_errors()`: it cannot be listed.
    """
    if "://" not in folder.url:
        with os.scandir(folder.url) as found:
            entries = [
                _local_entry(entry) for entry in found if entry.is_dir(follow_symlinks=False) or not entry.is_dir()
            ]
        return sorted(entries, key=lambda entry: entry.name)
    system, path = _file_system(folder.url, folder.fetch)
    entries = []
    for info in system.ls(path, detail=True):
        name = PurePosixPath(info["name"]).name
        if info["name"].rstrip("/") != path.rstrip("/"):
            at = system.unstrip_protocol(info["name"])
            is_folder = info["type"] == "directory"
            entries.append(Entry(name=name, url=at, folder=is_folder, regular=not is_folder))
    return sorted(entries, key=lambda entry: entry.name)


def _local_entry(entry: os.DirEntry[str]) -> Entry:
    folder = entry.is_dir(follow_symlinks=False)
    return Entry(name=entry.name, url=entry.path, folder=folder, regular=entry.is_file())


def remote_errors() -> tuple[type[Exception], ...]:
    """Return what opening and reading can raise, as far as the libraries of the addresses in use are loaded."""
    errors: list[type[Exception]] = [OSError, ImportError]
    for module, name in (
        ("aiohttp", "ClientError"),
        ("botocore.exceptions", "BotoCoreError"),
        ("google.auth.exceptions", "GoogleAuthError"),
        ("gcsfs.retry", "HttpError"),
    ):
        if module in sys.modules:
            errors.append(getattr(sys.modules[module], name))
    return tuple(errors)


def _unreadable(source: SourceConfig, error: Exception) -> str:
    place = without_secrets(source.location)
    return f"sources.{source.name}.location: {place} cannot be read ({without_secrets(str(error))})"
