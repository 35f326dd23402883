"""The run folder as a store: whole files by relative path, written to a temp name and renamed.

Nothing is visible under its final name before it is complete, so a run that is killed at any moment leaves only whole
files and leftovers under `tmp/`.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from curation.disk import Disk

COPY_CHUNK_BYTES = 1 << 20


class StoreConflict(FileExistsError):
    """A file that must be created once exists already with other content."""


class StoreDamage(OSError):
    """A file does not read back as it was written."""


class Store(Protocol):
    """What a run is written to and read from; paths are relative and use `/`."""

    def exists(self, path: str) -> bool: ...

    def size(self, path: str) -> int: ...

    def read(self, path: str) -> bytes: ...

    def open(self, path: str) -> BinaryIO: ...

    def write(self, path: str, data: bytes) -> None: ...

    def create(self, path: str, data: bytes) -> None: ...

    def adopt(self, local: Path, path: str, sha256: str) -> None: ...

    def flush(self, scratch: Path) -> None: ...

    def place(self, scratch: Path, path: str) -> None: ...

    def delete(self, path: str) -> None: ...

    def list(self, folder: str) -> Iterator[str]: ...

    def list_prefix(self, prefix: str) -> Iterator[str]: ...

    def scratch(self, purpose: str) -> Path: ...

    def scratch_file(self, purpose: str) -> ScratchFile: ...


@dataclass(frozen=True, kw_only=True)
class ScratchFile:
    """A new file for unfinished work, open for writing."""

    path: Path
    file: BinaryIO


class LocalStore:
    """A run in a local folder.

    Args:
        disk: what the folder lies on.
    """

    def __init__(self, root: Path | str, disk: Disk | None = None) -> None:
        self.root = Path(root).resolve()
        self.disk = disk or Disk()

    def _at(self, path: str) -> Path:
        return self.root / path

    def exists(self, path: str) -> bool:
        """Return whether the file is there."""
        return self._at(path).is_file()

    def size(self, path: str) -> int:
        """Return the file's size in bytes."""
        return self._at(path).stat().st_size

    def read(self, path: str) -> bytes:
        """Return the file's bytes.

        Raises:
            FileNotFoundError: it is not there.
        """
        return self._at(path).read_bytes()

    def open(self, path: str) -> BinaryIO:
        """Open the file for reading."""
        return self._at(path).open("rb")

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file: temp name, flush to disk, rename; an older file of that name is replaced."""
        temporary = self._write_temporary(data)
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.disk.rename(temporary, target)

    def create(self, path: str, data: bytes) -> None:
        """Write a file only if it is absent; the same content twice is one write.

        Raises:
            StoreConflict: it is there with other content.
        """
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._write_temporary(data)
        try:
            # A hard link is the one atomic "create only if absent" of a complete file that POSIX offers.
            self.disk.link(temporary, target)
        except FileExistsError:
            if target.read_bytes() != data:
                raise StoreConflict(
                    f"{path} exists with other content; another build wrote it first: run the command again"
                ) from None
        finally:
            self.disk.remove(temporary)

    def adopt(self, local: Path, path: str, sha256: str) -> None:
        """Move a finished local file into the store and read it back.

        Raises:
            StoreDamage: what lies there afterwards has another digest.
        """
        target = self._at(path)
        # Equal content that is there already is left alone; a torn or damaged file is replaced.
        if not target.is_file() or self.sha256(path) != sha256:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.scratch("adopt") / uuid.uuid4().hex
            self.disk.move(local, temporary)
            self.disk.flush_path(temporary)
            self.disk.rename(temporary, target)
        else:
            self.disk.remove(local)
        found = self.sha256(path)
        if found != sha256:
            raise StoreDamage(f"{path} reads back as {found}, written was {sha256}; check the disk and run again")

    def flush(self, scratch: Path) -> None:
        """Bring a scratch file to the device."""
        self.disk.flush_path(scratch)

    def place(self, scratch: Path, path: str) -> None:
        """Give a scratch file, flushed and read back, its final name; an older file of that name is replaced."""
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.disk.rename(scratch, target)

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file as 64 hex characters."""
        return file_sha256(self._at(path))

    def delete(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
        self.disk.remove(self._at(path))

    def list(self, folder: str) -> Iterator[str]:
        """Yield the paths of all files under a folder, sorted."""
        base = self._at(folder)
        if base.is_dir():
            files = (path for path in base.rglob("*") if path.is_file())
            yield from sorted(path.relative_to(self.root).as_posix() for path in files)

    def list_prefix(self, prefix: str) -> Iterator[str]:
        """Yield the paths of the files of one folder whose names begin as given, sorted."""
        folder, _, start = prefix.rpartition("/")
        base = self._at(folder)
        if base.is_dir():
            yield from sorted(f"{folder}/{entry.name}" for entry in os.scandir(base) if entry.name.startswith(start))

    def scratch(self, purpose: str) -> Path:
        """Return a folder for unfinished work on the same disk; it may be emptied between runs."""
        folder = self.root / "tmp" / purpose
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def scratch_file(self, purpose: str) -> ScratchFile:
        """Return a new file in such a folder; whoever asked for it closes it."""
        # The name is random because two processes may write the same file at once.
        path = self.scratch(purpose) / uuid.uuid4().hex
        return ScratchFile(path=path, file=self.disk.create(path))

    def _write_temporary(self, data: bytes) -> Path:
        temporary = self.scratch_file("write")
        with temporary.file as file:
            file.write(data)
            self.disk.flush(file)
        return temporary.path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a local file as 64 hex characters."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(COPY_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
