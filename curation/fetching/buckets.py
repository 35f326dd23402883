"""An object of a bucket (s3://, gs://), read in pieces through fsspec, and refused if it changed meanwhile."""

from __future__ import annotations

import base64
import errno
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curation.bucket_client import bucket_file_system
from curation.fetching.base import FETCHED_NAME, Fetched, FetchError
from curation.fetching.clock import Deadline
from curation.fetching.hosts import Hosts
from curation.fetching.http_fetch import counted
from curation.fetching.retrying import Retry
from curation.sources.files import remote_errors
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason

PIECE_BYTES = 8 << 20
# What S3 and Google Cloud Storage allow together in a bucket's name.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
# Facts by which two looks at an object are told to be of one version.
_VERSION_FACTS = ("ETag", "VersionId", "etag", "generation", "size")
# (scheme, policy) -> an asynchronous fsspec file system
MakeFileSystem = Callable[[str, FetchPolicy], Any]


class BucketFetcher:
    """Fetches objects."""

    def __init__(
        self, policy: FetchPolicy, hosts: Hosts, retry: Retry, make: MakeFileSystem = bucket_file_system
    ) -> None:
        self._policy = policy
        self._hosts = hosts
        self._retry = retry
        self._make = make

    def fetch(self, address: str, folder: Path, max_bytes: int | None = None) -> Fetched:
        """Return a copy of an object.

        Raises:
            FetchError: there is none, or it may not be had.
            HostBrokenError: its bucket stopped answering as it did.
        """
        scheme, _, rest = address.partition("://")
        bucket, _, key = rest.partition("/")
        if not _BUCKET.fullmatch(bucket) or not key:
            raise FetchError(Reason.ADDRESS_REFUSED, f"{scheme}://{bucket:.80}: no name of a bucket, or no key")
        most = self._policy.max_bytes if max_bytes is None else max_bytes
        deadline = Deadline(self._retry.clock, self._policy.deadline_s)
        path = folder / FETCHED_NAME
        with counted(f"{scheme}://{bucket}", self._hosts):
            try:
                return self._retry.run(lambda: self._try(address, path, most, deadline), deadline)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def _try(self, address: str, path: Path, max_bytes: int, deadline: Deadline) -> Fetched:
        scheme, _, rest = address.partition("://")
        with self._hosts.turn(f"{scheme}://{rest.partition('/')[0]}", deadline):
            try:
                return self._copy(self._make(scheme, self._policy), address, path, max_bytes, deadline)
            except remote_errors() as error:
                raise _told(error, address) from error

    def _copy(self, system: Any, address: str, path: Path, max_bytes: int, deadline: Deadline) -> Fetched:
        before = self._call(system, system._info, address, deadline=deadline)
        size_bytes = before.get("size")
        if before.get("type") != "file" or not isinstance(size_bytes, int):
            raise FetchError(Reason.NOT_REGULAR_FILE, f"{address} is no object")
        if size_bytes > max_bytes:
            raise FetchError(Reason.FILE_TOO_LARGE, f"{size_bytes} bytes; allowed: {max_bytes}")
        if size_bytes == 0:
            raise FetchError(Reason.FILE_EMPTY, f"{address} is 0 bytes")
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        with path.open("wb") as file:
            for start in range(0, size_bytes, PIECE_BYTES):
                end = min(start + PIECE_BYTES, size_bytes)
                piece = self._call(system, system._cat_file, address, start=start, end=end, deadline=deadline)
                if len(piece) != end - start:
                    raise FetchError(Reason.WRONG_LENGTH, f"{len(piece)} bytes of {end - start} came")
                file.write(piece)
                sha256.update(piece)
                md5.update(piece)
        system.invalidate_cache()
        after = self._call(system, system._info, address, deadline=deadline)
        if any(before.get(fact) != after.get(fact) for fact in _VERSION_FACTS):
            raise FetchError(Reason.WRONG_DIGEST, f"{address} was changed while it was read")
        _check_md5(before, md5.digest())
        rights = {"fetched_from": address}
        return Fetched(path=path, bytes=size_bytes, sha256=sha256.hexdigest(), is_copy=True, rights=rights)

    def _call(self, system: Any, call: Callable[..., Any], address: str, *, deadline: Deadline, **options: Any) -> Any:
        from fsspec.asyn import sync

        size_bytes = options.get("end", 0) - options.get("start", 0)
        patience_s = self._policy.stall_s + size_bytes / max(1, self._policy.min_bytes_per_s)
        path = system._strip_protocol(address)
        return sync(system.loop, call, path, timeout=min(patience_s, deadline.left_s()), **options)


def _check_md5(facts: dict[str, Any], digest: bytes) -> None:
    """Compare with the MD5 that Google keeps of an object; an S3 ETag is one only of some objects, and is no proof."""
    expected = facts.get("md5Hash")
    if expected and not facts.get("contentEncoding") and base64.b64decode(expected) != digest:
        raise FetchError(Reason.WRONG_DIGEST, "the bytes are not those of the object's MD5")


def _told(error: Exception, address: str) -> FetchError:
    """Return a library's error as ours; its own words may hold keys and signatures, and stay out."""
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return FetchError(Reason.GONE, f"no object {address}")
    if isinstance(error, PermissionError) or "Credentials" in kind or "GoogleAuth" in kind:
        return FetchError(Reason.FORBIDDEN, f"no right to read {address} ({kind})")
    if isinstance(error, TimeoutError):
        return FetchError(Reason.STALLED, f"no answer for {address} ({kind})")
    code = getattr(error, "code", None)
    if code == 429 or (isinstance(error, OSError) and error.errno == errno.EBUSY):
        return FetchError(Reason.RATE_LIMITED, f"too many requests for {address}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError(Reason.IO_ERROR, f"writing: {error.strerror}")
    if isinstance(error, ImportError):
        return FetchError(Reason.ADDRESS_REFUSED, f"{address}: the library for this scheme is not installed")
    if isinstance(code, int) and 400 <= code < 500:
        return FetchError(Reason.FORBIDDEN if code in (401, 403) else Reason.BAD_ANSWER, f"status {code} of {address}")
    known = isinstance(error, OSError) and not isinstance(error, ConnectionError)
    reason = Reason.SERVER_ERROR if known or isinstance(code, int) else Reason.CONNECTION_FAILED
    return FetchError(reason, f"reading {address}: {kind}")
