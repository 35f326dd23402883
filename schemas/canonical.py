"""One way to turn values into bytes: everything with a digest is written through here."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any, *, indent: int | None = None) -> bytes:
    """Return UTF-8 JSON with sorted keys and a final newline.

    Args:
        value: anything `json` can write; NaN and infinities are refused, because browsers cannot read them.
        indent: spaces per level, or None for one line.

    Raises:
        ValueError: the value holds NaN or an infinity.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return (text + "\n").encode("utf-8")


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex characters."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """Return the SHA-256 (64 hex characters) of a value's canonical JSON."""
    return sha256_hex(canonical_json(value))
