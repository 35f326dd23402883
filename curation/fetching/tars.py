"""A member of a tar: found by walking the headers, copied out alone; nothing is ever unpacked by its own name."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from curation.fetching.base import FETCHED_NAME, Fetched, FetchError
from curation.sources.locators import RowProblem, split_tar
from curation.sources.tar_headers import TarHeaders
from schemas.reasons import Reason

COPY_BYTES = 1 << 20
MAX_MEMBERS = 1_000_000
TARS_KEPT = 8


@dataclass(frozen=True, kw_only=True)
class _Member:
    """Where the bytes of a member stand; `problem` is why they may not be had."""

    start: int
    bytes: int
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class _Index:
    """The members of a tar by name; `whole` is whether it ends as tars do, so that what is not in it never was."""

    members: dict[str, _Member]
    whole: bool


class TarFetcher:
    """Fetches `tar:<tar>!<member>`; the headers of the tars in use are walked once and remembered.

    Args:
        tar_of: address of a tar -> a local file with it, and what its place said of its use.
    """

    def __init__(self, tar_of: Callable[[str, Path], Fetched], max_bytes: int) -> None:
        self._tar_of = tar_of
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._indexes: OrderedDict[tuple[int, int, int, int], _Index] = OrderedDict()

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return a copy of the member.

        Raises:
            FetchError: `tar_broken`, `file_missing`, `id_conflict` (the name stands twice), `not_regular_file`,
                `file_too_large`, `file_empty`, or what the tar itself could not be fetched for.
        """
        try:
            tar, name = split_tar(address)
        except RowProblem as error:
            raise FetchError(error.reason, str(error)) from error
        around = folder / "tar"
        around.mkdir(parents=True, exist_ok=True)
        fetched = self._tar_of(tar, around)
        try:
            with _open_regular(fetched.path) as file:
                member = self._find(file, name)
                path = folder / FETCHED_NAME
                digest = _copy(file, member, path)
        finally:
            if fetched.is_copy:
                fetched.path.unlink(missing_ok=True)
        return Fetched(path=path, bytes=member.bytes, sha256=digest, is_copy=True, rights=fetched.rights)

    def _find(self, file: BinaryIO, name: str) -> _Member:
        index = self._index(file)
        member = index.members.get(name)
        if member is None and not index.whole:
            raise FetchError(Reason.TAR_BROKEN, f"the tar is cut off, and has no member {name!r:.200} before that")
        if member is None:
            raise FetchError(Reason.FILE_MISSING, f"the tar has no member {name!r:.200}")
        if member.problem == _TWICE:
            raise FetchError(Reason.ID_CONFLICT, f"member {name!r:.200}: {_TWICE}")
        if member.problem:
            raise FetchError(Reason.NOT_REGULAR_FILE, f"member {name!r:.200}: {member.problem}")
        if member.bytes == 0:
            raise FetchError(Reason.FILE_EMPTY, f"member {name!r:.200} is 0 bytes")
        if member.bytes > self._max_bytes:
            raise FetchError(Reason.FILE_TOO_LARGE, f"{member.bytes} bytes; allowed: {self._max_bytes}")
        return member

    def _index(self, file: BinaryIO) -> _Index:
        """Return what a tar holds; one thread walks it, others wait."""
        facts = os.fstat(file.fileno())
        # no name: a fetched tar stands under another link for each of its members
        key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        with self._lock:
            index = self._indexes.get(key)
            if index is None:
                index = self._indexes[key] = _walk(file)
            self._indexes.move_to_end(key)
            while len(self._indexes) > TARS_KEPT:
                self._indexes.popitem(last=False)
            return index


_TWICE = "the name stands twice in the tar"


def _walk(file: BinaryIO) -> _Index:
    """Return the members of a tar by name, from its headers alone.

    Raises:
        FetchError: `tar_broken`.
    """
    try:
        return _indexed(file, os.fstat(file.fileno()).st_size)
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as error:
        raise FetchError(Reason.TAR_BROKEN, f"no plain tar, or a broken one: {type(error).__name__}") from error


def _indexed(file: BinaryIO, size_bytes: int) -> _Index:
    members: dict[str, _Member] = {}
    with TarHeaders(file) as tar:
        for info in tar:
            members[info.name] = _member(info, size_bytes, known=info.name in members)
            if len(members) > MAX_MEMBERS:
                raise FetchError(Reason.TAR_BROKEN, f"more than {MAX_MEMBERS} members")
        return _Index(members=members, whole=tar.ends_whole())


def _member(info: tarfile.TarInfo, size_bytes: int, *, known: bool) -> _Member:
    problem = ""
    if known:
        problem = _TWICE
    elif not info.isreg() or info.issparse():
        problem = "no plain file"
    elif info.offset_data + info.size > size_bytes:
        problem = "cut off by the end of the tar"
    return _Member(start=info.offset_data, bytes=info.size, problem=problem)


def _open_regular(path: Path) -> BinaryIO:
    """Open a plain file; a pipe does not block and a device is not opened."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FetchError(Reason.NOT_REGULAR_FILE, "the tar is no plain file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise FetchError(Reason.FILE_MISSING, "there is no such tar") from None
    except (OSError, ValueError) as error:
        raise FetchError(Reason.IO_ERROR, f"opening the tar: {type(error).__name__}") from error
    return open(descriptor, "rb")


def _copy(file: BinaryIO, member: _Member, path: Path) -> str:
    """Write a member's bytes to a file; returns their SHA-256."""
    try:
        file.seek(member.start)
        with path.open("wb") as copy:
            return _copy_bytes(file, copy, member.bytes)
    except OSError as error:
        raise FetchError(Reason.IO_ERROR, f"copying from the tar: {error.strerror}") from error


def _copy_bytes(file: BinaryIO, copy: BinaryIO, left: int) -> str:
    sha256 = hashlib.sha256()
    while left:
        data = file.read(min(COPY_BYTES, left))
        if not data:
            raise FetchError(Reason.TAR_BROKEN, "the tar ends inside the member")
        copy.write(data)
        sha256.update(data)
        left -= len(data)
    return sha256.hexdigest()
