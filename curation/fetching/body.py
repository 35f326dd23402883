"""Writing an answer's body to a file: bounded in size, unpacked within bounds, never slower than the policy's pace."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from dataclasses import dataclass, field
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any

from curation.fetching.base import FetchError
from curation.fetching.clock import Clock, Deadline
from curation.fetching.exchange import Exchange
from schemas.reasons import Reason

READ_BYTES = 1 << 18
_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)")
# zlib: gzip and zlib headers told apart by themselves
GZIP_OR_ZLIB = 47
_SHA256_FIELD = re.compile(r"(?i)sha-256\s*=\s*:?([A-Za-z0-9+/=]{44}):?")
_MD5_FIELD = re.compile(r"md5\s*=\s*([A-Za-z0-9+/=]{24})")


@dataclass(frozen=True, kw_only=True)
class BodyLimits:
    """How large a body may be and how slowly it may come."""

    max_bytes: int
    stall_s: float
    min_bytes_per_s: int


@dataclass
class Partial:
    """What is on the disk of a file so far; goes from try to try.

    Attributes:
        bytes: written. `validator`: strong ETag, or date, of the version they belong to; empty where the next try must
            start anew.
    """

    path: Path
    bytes: int = 0
    validator: str = ""
    sha256: Any = field(default_factory=hashlib.sha256)

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest of the file, or for all of it if it has changed."""
        if not self.bytes or not self.validator:
            return {}
        return {"Range": f"bytes={self.bytes}-", "If-Range": self.validator}

    def restart(self) -> None:
        """Forget what is there."""
        self.bytes, self.validator, self.sha256 = 0, "", hashlib.sha256()


def receive(exchange: Exchange, partial: Partial, limits: BodyLimits, clock: Clock, deadline: Deadline) -> None:
    """Write the body of a 200 or a fitting 206 answer to a file, whole and checked.

    Raises:
        FetchError: `file_too_large`, `wrong_length`, `wrong_digest`, `bad_answer`, `stalled`, `deadline` or
            `connection_failed`; what was written before a broken connection stays for the next try.
    """
    whole_bytes = _fit(exchange, partial)
    _refuse_size(whole_bytes, limits)
    encoding = exchange.header("content-encoding").strip().lower()
    decoder = _decoder(encoding)
    partial.validator = "" if decoder is not None else _validator(exchange)
    pace = _Pace(limits, clock)
    came = 0
    with partial.path.open("r+b" if partial.bytes else "wb") as file:
        file.seek(partial.bytes)
        file.truncate()
        while data := exchange.read(READ_BYTES):
            deadline.left_s()
            came += len(data)
            pace.count(len(data))
            _write(data, decoder, file, partial, limits)
    _check_end(exchange, came, whole_bytes, decoder, partial)
    if decoder is None:
        _check_digests(exchange.headers, exchange.status, partial)


def _fit(exchange: Exchange, partial: Partial) -> int | None:
    """Return the size of the whole file where it is told, with the file so far being what the answer goes on from."""
    if exchange.status == 200:
        partial.restart()
        return exchange.declared_bytes
    found = _RANGE.fullmatch(exchange.header("content-range").strip())
    if found is None or int(found[1]) != partial.bytes or found[3] == "*" or int(found[2]) + 1 != int(found[3]):
        partial.restart()
        raise FetchError(Reason.WRONG_LENGTH, f"{exchange.target.shown} answers with another range than was asked for")
    return int(found[3])


def _refuse_size(size_bytes: int | None, limits: BodyLimits) -> None:
    if size_bytes is not None and size_bytes > limits.max_bytes:
        raise FetchError(Reason.FILE_TOO_LARGE, f"{size_bytes} bytes; allowed: {limits.max_bytes}")


def _decoder(encoding: str) -> Any:
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(GZIP_OR_ZLIB)
    raise FetchError(Reason.BAD_ANSWER, f"content-encoding is {encoding!r:.40}, which was not asked for")


def _validator(exchange: Exchange) -> str:
    """Return what proves that a later answer is of the same version: a strong ETag, or else the date of change."""
    if "bytes" not in exchange.header("accept-ranges").lower() and exchange.status != 206:
        return ""
    tag = exchange.header("etag").strip()
    if tag:
        return tag if tag.startswith('"') else ""
    return exchange.header("last-modified").strip()


def _write(data: bytes, decoder: Any, file: IO[bytes], partial: Partial, limits: BodyLimits) -> None:
    """Write a piece, unpacked; a piece that unpacks to more than is allowed is not unpacked to its end."""
    if decoder is not None:
        room = limits.max_bytes - partial.bytes + 1
        try:
            data = decoder.decompress(data, room)
        except zlib.error as error:
            raise FetchError(Reason.BAD_ANSWER, f"the content encoding is broken: {error}") from error
    if partial.bytes + len(data) > limits.max_bytes:
        partial.restart()
        raise FetchError(Reason.FILE_TOO_LARGE, f"more than {limits.max_bytes} bytes come")
    try:
        file.write(data)
    except OSError as error:
        raise FetchError(Reason.IO_ERROR, f"writing: {error.strerror}") from error
    partial.sha256.update(data)
    partial.bytes += len(data)


def _check_end(exchange: Exchange, came: int, whole_bytes: int | None, decoder: Any, partial: Partial) -> None:
    promised = exchange.declared_bytes
    if promised is not None and came > promised:
        partial.restart()
        raise FetchError(Reason.WRONG_LENGTH, f"{came} bytes came, {promised} were promised")
    if promised is not None and came < promised:
        raise FetchError(Reason.WRONG_LENGTH, f"the body broke off: {came} bytes came, {promised} were promised")
    if decoder is not None and (not decoder.eof or decoder.unused_data):
        raise FetchError(Reason.WRONG_LENGTH, "the content encoding does not end where the body does")
    if decoder is None and whole_bytes is not None and partial.bytes != whole_bytes:
        partial.restart()
        raise FetchError(Reason.WRONG_LENGTH, f"{partial.bytes} bytes are there, {whole_bytes} were promised")


def _check_digests(headers: HTTPMessage, status: int, partial: Partial) -> None:
    """Compare with the digests that an answer carries: RFC 9530, its forerunner RFC 3230, Content-MD5, x-goog-hash."""
    sha = [name for name in ("repr-digest", "digest", "content-digest") if status == 200 or name != "content-digest"]
    expected = next((found[1] for name in sha if (found := _SHA256_FIELD.search(headers.get(name, "")))), "")
    if expected and _raw(expected) != partial.sha256.digest():
        partial.restart()
        raise FetchError(Reason.WRONG_DIGEST, "the bytes are not those of the answer's SHA-256")
    found = _MD5_FIELD.search(", ".join(headers.get_all("x-goog-hash") or ()))
    md5 = found[1] if found else (headers.get("content-md5", "").strip() if status == 200 else "")
    if md5 and _raw(md5) != _md5_of(partial.path):
        partial.restart()
        raise FetchError(Reason.WRONG_DIGEST, "the bytes are not those of the answer's MD5")


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _md5_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


class _Pace:
    """Watches that bytes come at the least speed, on average over each stretch of `stall_s`."""

    def __init__(self, limits: BodyLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._from_s = clock.now_s()
        self._bytes = 0

    def count(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        passed_s = self._clock.now_s() - self._from_s
        if passed_s < self._limits.stall_s:
            return
        if self._bytes < self._limits.min_bytes_per_s * passed_s:
            slowest = f"{self._limits.min_bytes_per_s} bytes a second over {self._limits.stall_s:g} s"
            raise FetchError(Reason.STALLED, f"fewer than {slowest}")
        self._from_s, self._bytes = self._clock.now_s(), 0
