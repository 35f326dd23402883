"""A run in a bucket, as a store: objects are whole or absent by themselves; scratch lies on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from curation.bucket_folder import BucketFolder
from curation.bucket_lock import BucketLock
from curation.store import Held, ScratchFile, StoreConflict, StoreDamage, file_sha256

# Objects that are removed at a time.
_REMOVALS = 16
SCRATCH = "tmp"


class BucketStore:
    """A run in a folder of a bucket.

    Args:
        remote: the folder.
        machine: where scratch lies: a folder of this machine that no other run has.
    """

    def __init__(self, remote: BucketFolder, machine: Path | None = None) -> None:
        self.remote = remote
        self._machine = machine or machine_scratch(remote.address)

    @property
    def address(self) -> str:
        """Where the run lies, as `open_store` takes it."""
        return self.remote.address

    def is_empty(self) -> bool:
        """Return whether no object lies there."""
        return not self.remote.list("")

    def exists(self, path: str) -> bool:
        """Return whether the object is there."""
        return self.remote.size(path) is not None

    def size(self, path: str) -> int:
        """Return the object's size in bytes.

        Raises:
            FileNotFoundError: it is not there.
        """
        found = self.remote.size(path)
        if found is None:
            raise FileNotFoundError(f"{self.address}/{path}")
        return found

    def read(self, path: str) -> bytes:
        """Return the object's bytes.

        Raises:
            FileNotFoundError: it is not there.
        """
        data = self.remote.read(path)
        if data is None:
            raise FileNotFoundError(f"{self.address}/{path}")
        return data

    def read_range(self, path: str, start: int, size: int) -> bytes:
        """Return `size` bytes of an object from `start` on, with one request for these alone.

        Raises:
            FileNotFoundError: it is not there.
        """
        data = self.remote.read(path, start, start + size)
        if data is None:
            raise FileNotFoundError(f"{self.address}/{path}")
        return data

    def open(self, path: str) -> BinaryIO:
        """Open the object for reading."""
        return self.remote.open(path)

    def write(self, path: str, data: bytes) -> None:
        """Write a whole object: it has its name when all of it is there; an older one is replaced."""
        self.remote.write(path, data)

    def create(self, path: str, data: bytes) -> None:
        """Write an object only if it is absent, which the bucket decides; the same content twice is one write.

        Raises:
            StoreConflict: it is there with other content.
        """
        if not self.remote.create(path, data) and self.read(path) != data:
            raise StoreConflict(
                f"{path} exists with other content; another build wrote it first: run the command again"
            )

    def append(self, path: str, line: bytes) -> None:
        """Append a line to an object. A bucket cannot append: of two who do so at once, one loses its line."""
        self.remote.write(path, (self.remote.read(path) or b"") + line + b"\n")

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of an object as 64 hex characters."""
        return self.remote.sha256(path)

    @contextlib.contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """Yield a copy of an object on this machine, under its own name; it is gone afterwards."""
        folder = self.scratch(f"local/{uuid.uuid4().hex}")
        copy = folder / path.rsplit("/", 1)[-1]
        try:
            self.remote.download(path, copy)
            yield copy
        finally:
            shutil.rmtree(folder)

    def kept(self, path: str) -> Path | None:
        """Return a copy on this machine of an object that never changes, or None where there is none.

        It stays until scratch is cleared.
        """
        copy = self.scratch("kept") / path.replace("/", "-")
        if not self.exists(path):
            # A takedown may have removed it from another machine.
            copy.unlink(missing_ok=True)
            return None
        if not copy.exists():
            with self.local(path) as fresh:
                fresh.rename(copy)
        return copy

    @contextlib.contextmanager
    def lock(self, path: str) -> Iterator[Held]:
        """Hold a lock that all machines see; one whose holder is dead, or away for long, is taken over.

        Raises:
            StoreHeld: somebody else has it, and lives.
        """
        lock = BucketLock(self.remote, path)
        with lock:
            yield lock

    def clear(self, folder: str) -> None:
        """Remove all objects of a folder; of scratch, also what lies on this machine."""
        with ThreadPoolExecutor(_REMOVALS) as pool:
            list(pool.map(self.remote.delete, self.remote.list(folder)))
        if folder.split("/")[0] == SCRATCH:
            shutil.rmtree(self._machine / folder, ignore_errors=True)

    def adopt(self, local: Path, path: str, sha256: str) -> None:
        """Upload a finished local file, read it back, and remove it here.

        Raises:
            StoreDamage: what lies there afterwards has another digest.
        """
        size = local.stat().st_size
        # Equal content that is there already is left alone.
        if self.remote.size(path) != size or self.remote.sha256(path) != sha256:
            self._bring(local, path, sha256)
        local.unlink()

    def flush(self, scratch: Path) -> None:
        """Do nothing: a scratch file of this machine is kept by nobody, and what is placed is read back."""

    def place(self, scratch: Path, path: str) -> None:
        """Upload a scratch file under its final name, read it back, and remove it here.

        Raises:
            StoreDamage: what lies there afterwards is something else.
        """
        self._bring(scratch, path, file_sha256(scratch))
        scratch.unlink()

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""
        self.remote.delete(path)

    def list(self, folder: str) -> Iterator[str]:
        """Yield the paths of all objects under a folder, sorted."""
        yield from self.remote.list(folder)

    def list_prefix(self, prefix: str) -> Iterator[str]:
        """Yield the paths of the objects of one folder whose names begin as given, sorted."""
        folder, _, start = prefix.rpartition("/")
        for path in self.remote.list(folder):
            name = path[len(folder) + 1 :]
            if name.startswith(start) and "/" not in name:
                yield path

    def scratch(self, purpose: str) -> Path:
        """Return a folder of this machine for unfinished work."""
        _own_folder(self._machine)
        folder = self._machine / SCRATCH / purpose
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def scratch_file(self, purpose: str) -> ScratchFile:
        """Return a new file in such a folder; whoever asked for it closes it."""
        path = self.scratch(purpose) / uuid.uuid4().hex
        return ScratchFile(path=path, file=path.open("wb"))

    def _bring(self, local: Path, path: str, sha256: str) -> None:
        self.remote.upload(local, path)
        found = self.remote.sha256(path)
        if found != sha256:
            self.remote.delete(path)
            raise StoreDamage(f"{path} reads back as {found}, written was {sha256}; it was removed: run again")


def _own_folder(folder: Path) -> None:
    """Make a folder that no other user of this machine can read.

    Raises:
        PermissionError: it is there and belongs to another user.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; set TMPDIR to a folder of your own")
    folder.chmod(0o700)


def machine_scratch(address: str) -> Path:
    """Return where this machine keeps the unfinished work of a run in a bucket: below TMPDIR, one folder for a run."""
    run = hashlib.sha256(address.encode("utf-8")).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"clipstrata-{os.getuid()}" / run
