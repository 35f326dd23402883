"""Opening an original file without being led astray: regular files only, never blocking, read once for its digest."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, replace

from curation.media.sniff import HEAD_BYTES, mpegts_packet_bytes, sniff_container
from curation.media.tasks import MediaError
from schemas.media import MediaLimits
from schemas.reasons import Reason

BYTES_PER_MB = 1_000_000
MAX_MOOV_BYTES = 64 << 20
MAX_TOP_BOXES = 10_000
# sample entries of protected video: Common Encryption (ISO/IEC 23001-7) and FairPlay
PROTECTED_ENTRIES = (b"encv", b"drmi")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A checked original: absolute path, digest, size, and the demuxer it is forced to.

    Attributes:
        cut_off: a fragmented mp4 that ends inside a fragment, a transport stream that ends inside a packet. (Of an mp4
            with an index, the promise tells.)
    """

    path: str
    sha256: str
    bytes: int
    container: str
    cut_off: bool = False


def open_source(path: str, limits: MediaLimits) -> SourceFile:
    """Check and read an original file.

    Raises:
        MediaError: the file is missing, special, empty, too large, a playlist, an image, encrypted or not media.
    """
    if "\0" in path:
        raise MediaError(Reason.UNSAFE_NAME, "a NUL in the path")
    name = os.path.basename(path.rstrip("/"))
    if name.startswith("-") and limits.leading_dash == "reject":
        raise MediaError(Reason.UNSAFE_NAME, f"{name!r} starts with `-`; limits.leading_dash: accept would allow it")
    descriptor = _open_regular(path)
    with open(descriptor, "rb", buffering=0) as handle:
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes == 0:
            raise MediaError(Reason.FILE_EMPTY, "0 bytes")
        if size_bytes > limits.max_file_mb * BYTES_PER_MB:
            raise MediaError(Reason.FILE_TOO_LARGE, f"{size_bytes} bytes; allowed: {limits.max_file_mb} MB")
        try:
            head = os.pread(descriptor, HEAD_BYTES, 0)
            container = sniff_container(head)
            boxes = _boxes(descriptor, size_bytes) if container == "mov" else _Boxes()
            if boxes.movie_is_cut:
                raise MediaError(Reason.BAD_CONTAINER, "the movie box claims to be larger than the file")
            if _is_protected(boxes.movie):
                raise MediaError(Reason.ENCRYPTED, "the video's sample entry is a protected one")
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise MediaError(Reason.IO_ERROR, f"reading: {error.strerror}") from error
    cut_off = boxes.fragmented and boxes.cut_off
    if container == "mpegts":
        cut_off = size_bytes % mpegts_packet_bytes(head) != 0
    return SourceFile(path=path, sha256=digest, bytes=size_bytes, container=container, cut_off=cut_off)


def _open_regular(path: str) -> int:
    """Return a descriptor of a regular file, following links; a FIFO does not block and a device is not opened."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise MediaError(Reason.NOT_REGULAR_FILE, f"mode {stat.filemode(mode)}")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise MediaError(_open_reason(error), str(error.strerror)) from error
    # asked again of the open file: the name may have changed hands between stat and open
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MediaError(Reason.NOT_REGULAR_FILE, "not a regular file once open")
    return descriptor


def _open_reason(error: OSError) -> Reason:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Reason.FILE_MISSING
    if error.errno == errno.ELOOP:
        return Reason.NOT_REGULAR_FILE
    return Reason.IO_ERROR


@dataclass(frozen=True)
class _Boxes:
    """What the top level of an mp4 tells.

    Attributes:
        movie: the movie box, as far as it is there; empty where there is none.
        movie_is_cut: it claims to be larger than the rest of the file.
        fragmented: its frames lie in fragments, which state no length of the whole.
        cut_off: the last box claims to go on behind the end of the file.
    """

    movie: bytes = b""
    fragmented: bool = False
    movie_is_cut: bool = False
    cut_off: bool = False


def _boxes(descriptor: int, size_bytes: int) -> _Boxes:
    """Walk the top-level boxes of an mp4."""
    found = _Boxes()
    offset = 0
    for _ in range(MAX_TOP_BOXES):
        header = os.pread(descriptor, 16, offset)
        if len(header) < 8:
            return found
        box_bytes = int.from_bytes(header[:4], "big")
        if box_bytes == 1:
            box_bytes = int.from_bytes(header[8:16], "big")
        elif box_bytes == 0:
            box_bytes = size_bytes - offset
        if header[4:8] == b"moov":
            left = size_bytes - offset
            movie = os.pread(descriptor, min(MAX_MOOV_BYTES, box_bytes, left), offset)
            found = replace(found, movie=movie, movie_is_cut=box_bytes > left)
        if header[4:8] == b"moof":
            found = replace(found, fragmented=True)
        if box_bytes < 8:
            return found
        offset += box_bytes
        if offset > size_bytes:
            return replace(found, cut_off=True)
    return found


def _is_protected(movie: bytes) -> bool:
    """Whether a movie box names a protected video entry together with its protection scheme."""
    return b"sinf" in movie and any(entry in movie for entry in PROTECTED_ENTRIES)
