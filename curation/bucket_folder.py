"""A folder of a bucket: whole objects by path below an address. Nothing is answered from memory."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any, BinaryIO, cast

from curation.store import COPY_CHUNK_BYTES

_READ_AHEAD_BYTES = 8 * COPY_CHUNK_BYTES


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
        with self.open(path) as file:
            while data := file.read(COPY_CHUNK_BYTES):
                digest.update(data)
        return digest.hexdigest()

    def open(self, path: str) -> BinaryIO:
        """Open an object for reading; it is read in pieces.

        Raises:
            FileNotFoundError: there is none.
        """
        file = self.system.open(self._at(path), "rb", block_size=_READ_AHEAD_BYTES, cache_type="readahead")
        return cast(BinaryIO, file)

    def download(self, path: str, local: Path) -> None:
        """Write an object to a file.

        Raises:
            FileNotFoundError: there is none.
        """
        self.system.get_file(self._at(path), str(local))

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
        """Remove an object; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError):
            self.system.rm_file(self._at(path))

    def list(self, folder: str) -> list[str]:
        """Return the paths of all objects under a folder, sorted."""
        self.system.invalidate_cache()
        base = str(self.system._strip_protocol(self.address))
        found = self.system.find(self._at(folder).rstrip("/"))
        return sorted(str(path)[len(base) + 1 :] for path in found)
