"""Texts: cleaned once, kept or dropped with a reason; an empty or broken text never takes its clip with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import ftfy

from schemas.corpus import TextLimits
from schemas.reasons import Reason
from schemas.records import Text

_SPACE = re.compile(r"\s+")
# C0 and C1 controls that survive white-space folding, and the noncharacters of plane 0.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(raw: object, max_bytes: int) -> str | Reason:
    """Return a text fit for storing, or why it is dropped.

    Broken encodings are repaired (ftfy), the form is NFC, white space is folded, other control characters go. What
    cannot be trusted is dropped: a value that is no string, a lone surrogate, a NUL, more than `max_bytes` of UTF-8.
    """
    if raw is None:
        return Reason.TEXT_EMPTY
    if not isinstance(raw, str) or "\x00" in raw or _SURROGATE.search(raw):
        return Reason.TEXT_BROKEN
    # The bound comes first: repairing a megabyte of text costs seconds.
    if len(raw.encode("utf-8")) > max_bytes:
        return Reason.TEXT_TOO_LONG
    text = _CONTROL.sub("", ftfy.fix_text(raw, normalization="NFC"))
    text = _SPACE.sub(" ", text).strip()
    if len(text.encode("utf-8")) > max_bytes:
        return Reason.TEXT_TOO_LONG
    return text or Reason.TEXT_EMPTY


DroppedTexts = tuple[tuple[str, str, int], ...]


def clean_texts(texts: Iterable[Text], limits: TextLimits) -> tuple[tuple[Text, ...], DroppedTexts]:
    """Return the texts of one record that are kept, and (kind, reason, how many) of those that are dropped."""
    kept: list[Text] = []
    dropped: Counter[tuple[str, str]] = Counter()
    for text in texts:
        cleaned = clean_text(text.text, limits.max_bytes)
        if isinstance(cleaned, Reason):
            dropped[str(text.kind), cleaned.value] += 1
        else:
            kept.append(Text(kind=str(text.kind), text=cleaned, start_us=text.start_us, end_us=text.end_us))
    fitting = within_limits(kept, limits)
    dropped.update((text.kind, Reason.TEXT_SURPLUS.value) for text in kept[len(fitting) :])
    return tuple(fitting), tuple((*key, count) for key, count in sorted(dropped.items()))


def within_limits(texts: list[Text], limits: TextLimits) -> list[Text]:
    """Return the longest run of first texts that fits the limits on number and total bytes."""
    total_bytes = 0
    for position, text in enumerate(texts):
        total_bytes += len(text.text.encode("utf-8"))
        if position >= limits.max_texts or total_bytes > limits.max_total_bytes:
            return texts[:position]
    return texts
