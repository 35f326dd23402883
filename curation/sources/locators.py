"""Where a row says that its video lies: a path, a member of a tar, or an address; classified and checked, never opened.

A locator is what is stored; an address is what the bytes are fetched from. `tar:<tar>!<member>` names a member of a
tar, whose own place is a path or an address. A local name may hold anything but NUL, also a `-` in front.
"""

from __future__ import annotations

import functools
import os
import posixpath
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import idna

from curation.bucket_client import BUCKET_SCHEMES
from curation.sources.signing import unsigned_query
from schemas.corpus import is_url
from schemas.reasons import Reason

MAX_LOCATOR_BYTES = 4096
TAR_PREFIX = "tar:"
WEB_SCHEMES = ("http", "https")
SCHEMES = (*WEB_SCHEMES, *BUCKET_SCHEMES)
# Words before a colon that some tool would take for a protocol (RFC 3986 schemes of old, and ffmpeg's own list of
# protocols); any other word before a colon is part of a file's name.
PROTOCOLS = frozenset(
    {"file", "data", "pipe", "fd", "unix", "ftp", "ftps", "sftp", "smb", "gopher", "gophers", "javascript", "ipfs"}
    | {"ipns", "concat", "concatf", "subfile", "crypto", "cache", "async", "tee", "rtmp", "rtmps", "rtp", "rtsp"}
    | {"srt", "tcp", "tls", "udp", "mmsh", "mmst", "hls"}
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_UNSAFE_IN_URL = re.compile(r"[\s\x00-\x20\x7f-\xa0\\]|%00")
_TO_ENCODE = re.compile(r"[^!#-;=?-\[\]_a-z~]+")
# What a message for people leaves out: more than what signs an address, since no file is told from another by it.
_SECRET_NAMES = (
    "sig|signature|token|access_token|expires|key-pair-id|policy|awsaccesskeyid|googleaccessid|ossaccesskeyid"
    "|security-token|hdnea|hdnts|hdntl"
)
_USER_INFO = re.compile(r"(?<=://)[^/?#\s@'\"]*@")
_SECRET = re.compile(rf"(?i)(?<=[?&])((?:x-(?:amz|goog|oss)-[\w.-]*|{_SECRET_NAMES})=)[^&\s'\"]*")


class RowProblem(ValueError):
    """A row cannot become a record; carries the reason code."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a locator came to.

    Attributes:
        locator: as the source wrote it, without user info and signature (`curation.sources.signing`); an address in its
            normal form.
        address: an absolute path, an address with its signature, or `tar:` with one of them, `!` and the member.
    """

    locator: str
    address: str


def find_place(value: Any, media_root: str) -> Place:
    """Return the place that a row's locator means.

    Args:
        media_root: folder, or `s3://`, `gs://`, `http(s)://` prefix, that relative locators start from.

    Raises:
        RowProblem: `field_missing`, `field_invalid` (no text, a scheme that is not read, an address that is none), or
            `locator_outside` for a path or a key that is not below `media_root`.
    """
    locator = _checked_text(value)
    if locator.startswith(TAR_PREFIX):
        tar, member = split_tar(locator)
        place = _plain_place(tar, media_root)
        return Place(locator=join_tar(place.locator, member), address=join_tar(place.address, member))
    return _plain_place(locator, media_root)


def split_tar(text: str) -> tuple[str, str]:
    """Return (tar, member) of a locator or address `tar:<tar>!<member>`; the first `!` ends the tar's own place.

    Raises:
        RowProblem: it has no tar or no member, or names a tar in a tar.
    """
    tar, mark, member = text.removeprefix(TAR_PREFIX).partition("!")
    if not text.startswith(TAR_PREFIX) or not (tar and mark and member) or tar.startswith(TAR_PREFIX):
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {text!r:.200}; allowed: tar:<path of a tar>!<member>")
    return tar, member


def join_tar(tar: str, member: str) -> str:
    """Return the locator or address of a tar's member."""
    return f"{TAR_PREFIX}{tar}!{member}"


def without_secrets(text: str) -> str:
    """Return a message whose addresses have no user info and nothing in their queries that may be a secret."""
    if "://" not in text:
        return text
    return _SECRET.sub(r"\1...", _USER_INFO.sub("", text))


def _checked_text(value: Any) -> str:
    if value is None or value == "":
        raise RowProblem(Reason.FIELD_MISSING, "the row names no video; its locator column is empty or absent")
    if not isinstance(value, str):
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {value!r:.200}; allowed: a text")
    if "\x00" in value or len(value.encode("utf-8", "replace")) > MAX_LOCATOR_BYTES:
        raise RowProblem(Reason.FIELD_INVALID, f"locator holds a NUL or is over {MAX_LOCATOR_BYTES} bytes")
    if not _is_unicode(value):
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {value!r:.200}; allowed: valid Unicode")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _plain_place(locator: str, media_root: str) -> Place:
    scheme = _scheme_of(locator)
    if scheme in WEB_SCHEMES:
        return _web_place(locator)
    if scheme in BUCKET_SCHEMES:
        return _bucket_place(locator)
    if scheme is not None:
        raise RowProblem(
            Reason.FIELD_INVALID,
            f"locator is {locator!r:.200}; allowed: a path, tar:, or an address of {', '.join(SCHEMES)}",
        )
    if _is_url(media_root):
        return Place(locator=locator, address=_below_url(media_root, locator))
    return Place(locator=locator, address=_below_folder(media_root, locator))


def _scheme_of(locator: str) -> str | None:
    """Return a locator's scheme in lower case; None for a path."""
    found = _SCHEME.match(locator)
    if found is None:
        return "" if locator.startswith("//") and "://" in locator else None
    scheme = found[1].lower()
    return scheme if locator[found.end() :].startswith("//") or scheme in PROTOCOLS else None


def _web_place(locator: str) -> Place:
    """Return an http(s) address in its normal form: lower-case scheme and host, IDN as ASCII, no fragment."""
    if found := _UNSAFE_IN_URL.search(locator):
        raise RowProblem(
            Reason.FIELD_INVALID, f"address is {locator!r:.200}; it holds {found[0]!r}; percent-encode it, or drop it"
        )
    try:
        parts = urlsplit(locator)
        host, port = _ascii_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise RowProblem(Reason.FIELD_INVALID, f"address is {locator!r:.200}: {error}") from None
    if not host:
        raise RowProblem(Reason.FIELD_INVALID, f"address is {locator!r:.200}; it names no host")
    netloc = host if port is None else f"{host}:{port}"
    user, mark, _ = parts.netloc.rpartition("@")
    path, query = _ascii(parts.path), _ascii(parts.query)
    bare = SplitResult(parts.scheme, netloc, path, unsigned_query(query), "")
    whole = SplitResult(parts.scheme, f"{_ascii(user)}{mark}{netloc}", path, query, "")
    return Place(locator=urlunsplit(bare), address=urlunsplit(whole))


def _ascii_host(host: str) -> str:
    if ":" in host:
        return f"[{host}]"
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"the host is no name ({error})") from None


def _ascii(text: str) -> str:
    """Return text with what no address may hold percent-encoded as UTF-8 (RFC 3987, 3.1); what is encoded stays."""
    return _TO_ENCODE.sub(lambda found: quote(found[0], safe=""), text)


def _bucket_place(locator: str) -> Place:
    """Return the place of an object; the name of an object may hold spaces, `?` and `#`, but no controls."""
    scheme, _, rest = locator.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket or not key or "@" in bucket or any(ord(sign) < 32 or ord(sign) == 127 for sign in rest):
        raise RowProblem(
            Reason.FIELD_INVALID,
            f"address is {without_secrets(locator)!r:.200}; allowed: {scheme.lower()}://bucket/key without user info "
            "and control characters",
        )
    address = f"{scheme.lower()}://{rest}"
    return Place(locator=address, address=address)


def _below_url(root: str, locator: str) -> str:
    """Return the address of a relative locator below a prefix."""
    inside = posixpath.normpath(locator)
    if locator.startswith("/") or inside in (".", "..") or inside.startswith("../"):
        raise _outside(locator, "prefix")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in locator):
        raise RowProblem(Reason.FIELD_INVALID, f"locator is {locator!r:.200}; it holds a control character")
    web = root.startswith(("http://", "https://"))
    return f"{root.rstrip('/')}/{quote(inside) if web else inside}"


def _below_folder(root: str, locator: str) -> str:
    """Return the path of a locator; a row must not reach files beside the source's own."""
    base = _absolute(root)
    path = os.path.normpath(os.path.join(base, locator))
    if path != base and not path.startswith(base if base.endswith("/") else f"{base}/"):
        raise _outside(locator, "folder")
    return path


_is_url = functools.lru_cache(maxsize=256)(is_url)


@functools.lru_cache(maxsize=256)
def _absolute(root: str) -> str:
    return os.path.abspath(root)


def _outside(locator: str, what: str) -> RowProblem:
    return RowProblem(
        Reason.LOCATOR_OUTSIDE,
        f"locator is {locator!r:.200}, outside the media {what}; set media_root to a {what} above",
    )
