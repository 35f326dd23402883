"""A folder of a bucket: whole objects by path below an address. Nothing is answered from memory."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from curation.sources.files import remote_errors
from curation.sources.locators import without_secrets
from curation.store import COPY_CHUNK_BYTES

_READ_AHEAD_BYTES = 8 * COPY_CHUNK_BYTES


class BucketRefused(OSError):
    """A bucket refuses a request, or does not answer."""


@contextlib.contextmanager
def bucket_answers() -> Iterator[None]:
    """Let what libraries of buckets raise be one error; that something is missing, or there already, stays as it is.

    Raises:
        BucketRefused: anything else.
    """
    try:
        yield
    except (FileNotFoundError, FileExistsError, BucketRefused):
        raise
    except _raised() as error:
        raise BucketRefused(f"{type(error).__name__}: {without_secrets(str(error))}") from error


def _raised() -> tuple[type[Exception], ...]:
    # gcsfs tells some of what a bucket refuses by a ValueError.
    return (ValueError, *remote_errors())


class BucketFolder:
    """A folder of a bucket.

    Args:
        address: s3:// or gs://, with the folder.
        system: the fsspec file system of that scheme.

    Raises:
        BucketRefused: by every method, where the bucket refuses or does not answer.
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
            with bucket_answers():
                return int(self.system.info(self._at(path))["size"])
        except FileNotFoundError:
            return None

    def read(self, path: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """Return an object, or its bytes from `start` up to `end`; None where there is none."""
        try:
            with bucket_answers():
                return bytes(self.system.cat_file(self._at(path), start=start, end=end))
        except FileNotFoundError:
            return None

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of an object as 64 hex characters; it is read in pieces."""
        digest = hashlib.sha256()
        with bucket_answers(), self.open(path) as file:
            while data := file.read(COPY_CHUNK_BYTES):
                digest.update(data)
        return digest.hexdigest()

    def open(self, path: str) -> BinaryIO:
        """Open an object for reading; it is read in pieces.

        Raises:
            FileNotFoundError: there is none.
        """
        # A file system that remembers listings would take the size from there.
        self.system.invalidate_cache()
        with bucket_answers():
            file = self.system.open(self._at(path), "rb", block_size=_READ_AHEAD_BYTES, cache_type="readahead")
        return cast(BinaryIO, file)

    def download(self, path: str, local: Path) -> None:
        """Write an object to a file.

        Raises:
            FileNotFoundError: there is none.
        """
        with bucket_answers():
            self.system.get_file(self._at(path), str(local))

    def upload(self, local: Path, path: str) -> None:
        """Upload a file; an older object of that name is replaced."""
        with bucket_answers():
            self.system.put_file(str(local), self._at(path))

    def write(self, path: str, data: bytes) -> None:
        """Write an object; an older one of that name is replaced."""
        with bucket_answers():
            self.system.pipe_file(self._at(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Write an object only if there is none; the bucket decides. Returns whether it was written."""
        if self.size(path) is not None:
            return False
        try:
            with bucket_answers():
                self.system.pipe_file(self._at(path), data, mode="create")
        except OSError:
            # Each bucket has another error for it. Where the object is there now, another builder came first.
            if self.size(path) is None:
                raise
            return False
        return True

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError), bucket_answers():
            self.system.rm_file(self._at(path))

    def list(self, folder: str) -> list[str]:
        """Return the paths of all objects under a folder, sorted; not the marks that a console makes for folders.

        Raises:
            FileNotFoundError: the bucket is not there.
        """
        self.system.invalidate_cache()
        base = str(self.system._strip_protocol(self.address))
        with bucket_answers():
            found = self.system.find(self._at(folder).rstrip("/"))
        paths = (str(path)[len(base) + 1 :] for path in found)
        return sorted(path for path in paths if path and not path.endswith("/"))
