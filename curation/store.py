"""The run folder as a store: whole files by relative path, written to a temp name and renamed.

Nothing is visible under its final name before it is complete, so a run that is killed at any moment leaves only whole
files and leftovers under `tmp/`. `curation.stores` opens the store that an address names.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from curation.disk import Disk

COPY_CHUNK_BYTES = 1 << 20


class StoreConflict(FileExistsError):
    """A file that must be created once exists already with other content."""


class StoreDamage(OSError):
    """A file does not read back as it was written."""


class StoreHeld(RuntimeError):
    """Somebody else holds a lock of the store."""


class Held(Protocol):
    """A lock that is held."""

    def check(self) -> None: ...


class Store(Protocol):
    """What a run is written to and read from; paths are relative and use `/`.

    Scratch files and folders lie on this machine, for unfinished work; `place` and `adopt` bring them into the store.
    """

    @property
    def address(self) -> str: ...

    def is_empty(self) -> bool: ...

    def exists(self, path: str) -> bool: ...

    def size(self, path: str) -> int: ...

    def read(self, path: str) -> bytes: ...

    def read_range(self, path: str, start: int, size: int) -> bytes: ...

    def open(self, path: str) -> BinaryIO: ...

    def write(self, path: str, data: bytes) -> None: ...

    def create(self, path: str, data: bytes) -> None: ...

    def append(self, path: str, line: bytes) -> None: ...

    def sha256(self, path: str) -> str: ...

    def local(self, path: str) -> AbstractContextManager[Path]: ...

    def kept(self, path: str) -> Path | None: ...

    def lock(self, path: str) -> AbstractContextManager[Held]: ...

    def clear(self, folder: str) -> None: ...

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

    @property
    def address(self) -> str:
        """Where the run lies, as `open_store` takes it."""
        return str(self.root)

    def is_empty(self) -> bool:
        """Return whether nothing lies there: no folder, or an empty one."""
        return not self.root.is_file() and not (self.root.is_dir() and any(self.root.iterdir()))

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

    def read_range(self, path: str, start: int, size: int) -> bytes:
        """Return `size` bytes of a file from `start` on, or fewer where it ends before.

        Raises:
            FileNotFoundError: it is not there.
        """
        with self._at(path).open("rb") as file:
            file.seek(start)
            return file.read(size)

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

    def append(self, path: str, line: bytes) -> None:
        """Append a line to a file; it is on the disk when this returns. A last line that a crash cut off is ended."""
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a+b") as file:
            file.write(line + b"\n" if _ends_whole(file) else b"\n" + line + b"\n")
            self.disk.flush(file)

    @contextlib.contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """Yield where a file lies on this machine; it is only read."""
        yield self._at(path)

    def kept(self, path: str) -> Path | None:
        """Return where a file that never changes lies on this machine, or None where there is none."""
        return self._at(path) if self.exists(path) else None

    @contextlib.contextmanager
    def lock(self, path: str) -> Iterator[Held]:
        """Hold a lock on this machine; the kernel lets go of it when the process dies, and not before.

        Raises:
            StoreHeld: somebody else has it.
        """
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreHeld(f"{path} is held by another process") from None
            yield _HeldByKernel()

    def clear(self, folder: str) -> None:
        """Remove a folder with all that it holds."""
        shutil.rmtree(self._at(folder), ignore_errors=True)

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


class _HeldByKernel:
    def check(self) -> None:
        """Do nothing: nobody can take it over."""


def _ends_whole(file: BinaryIO) -> bool:
    """Return whether a file is empty or ends with a line's end; it is at its end afterwards."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a local file as 64 hex characters."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(COPY_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
