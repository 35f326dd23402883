"""Stable ids: 26 lower-case base32 characters (130 bits) of SHA-256 over length-prefixed fields.

An id depends on content alone, never on a position, a clock or a machine, and holds no dot, so that it can be a key in
a webdataset tar (a key ends at the first dot).
"""

from __future__ import annotations

import base64
import hashlib
import re

ID_CHARS = 26
ID_PATTERN = re.compile(r"[a-z2-7]{26}")

Field = str | int | bytes | None


def _encode_field(field: Field) -> bytes:
    """Return one field with its type and length in front, so that no two lists of fields share an encoding."""
    if field is None:
        return b"\x00"
    if isinstance(field, bytes):
        tag, data = b"b", field
    elif isinstance(field, int):
        tag, data = b"i", str(field).encode("ascii")
    else:
        tag, data = b"s", field.encode("utf-8")
    return tag + len(data).to_bytes(8, "big") + data


def stable_id(*fields: Field) -> str:
    """Return the id of a list of fields.

    Raises:
        UnicodeEncodeError: a text field holds a lone surrogate; clean texts before making ids of them.
    """
    digest = hashlib.sha256(b"".join(_encode_field(field) for field in fields)).digest()
    return base64.b32encode(digest).decode("ascii")[:ID_CHARS].lower()


def record_id(source: str, raw_row: bytes) -> str:
    """Return the id of one row of a source; `raw_row` is the row's canonical bytes."""
    return stable_id("record", source, raw_row)


def clip_id(video_sha256: str, start_us: int | None, end_us: int | None) -> str:
    """Return the id of the half-open span [start_us, end_us) of a video; None is the video's own start or end."""
    return stable_id("clip", video_sha256, start_us, end_us)


def sample_id(source: str, clip: str) -> str:
    """Return the id of a clip as one source tells it: the key in shards."""
    return stable_id("sample", source, clip)


def text_id(sample: str, kind: str, text: str) -> str:
    """Return the id of one text of a sample."""
    return stable_id("text", sample, kind, text)


def bucket_of(stable: str, bits: int) -> int:
    """Return the bucket in [0, 2**bits) of an id: its first `bits` bits (bits in 0..60)."""
    if not 0 <= bits <= 60:
        raise ValueError(f"bits is {bits}; allowed 0 to 60")
    value = 0
    for character in stable[:12]:
        value = value * 32 + "abcdefghijklmnopqrstuvwxyz234567".index(character)
    return value >> (60 - bits)
