"""Which texts of a record are kept, and in what form; what is dropped is counted by kind and reason."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import ftfy

from curation.texts.markup import plain_text
from schemas.corpus import TextLimits
from schemas.reasons import Reason
from schemas.records import Text, TextKind

_SPACE = re.compile(r"\s+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17)
)
# What a reader does not see, and what reorders what they see: C0 and C1 controls that survive white-space folding;
# soft hyphen; zero-width space and word joiner; marks, embeddings, overrides and isolates of the bidirectional
# algorithm; interlinear annotation and object replacement; byte order mark; tag characters; noncharacters. The joiners
# U+200C and U+200D stay: Persian, the Indic scripts and emoji are written with them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc"
    f"\U000e0000-\U000e007f{_NONCHARACTERS}]"
)

# Which kinds stay where a sample has more texts than it may hold. First what people wrote to be seen beside this video,
# then what is of this clip (speech, machine captions), last what tells of the whole video at length, or in loose words.
KINDS_BY_WORTH = (
    TextKind.CAPTION,
    TextKind.TITLE,
    TextKind.ALT,
    TextKind.ASR,
    TextKind.GENERATED,
    TextKind.DESCRIPTION,
    TextKind.TAGS,
)
_WORTH = {kind.value: place for place, kind in enumerate(KINDS_BY_WORTH)}

DroppedTexts = tuple[tuple[str, str, int], ...]


def clean_text(raw: object, max_bytes: int, *, markup: bool = False) -> str | Reason:
    """Return a text fit for storing, or why it is dropped.

    Broken encodings are repaired (ftfy), white space is folded, characters that a reader does not see go, the form is
    NFC. What cannot be trusted is dropped: a value that is no string, a lone surrogate, a NUL, more than `max_bytes`
    of UTF-8 before or after.

    Args:
        markup: the text was written for a page: HTML is taken out of it first.
    """
    if raw is None:
        return Reason.TEXT_EMPTY
    if not isinstance(raw, str):
        return Reason.TEXT_BROKEN
    # Nearly all texts are plain: nothing below would change them.
    if raw.isascii() and raw.isprintable() and "&" not in raw and not (markup and "<" in raw):
        return _bounded(_folded(raw), max_bytes) if len(raw) <= max_bytes else Reason.TEXT_TOO_LONG
    if "\x00" in raw or _SURROGATE.search(raw):
        return Reason.TEXT_BROKEN
    # The bound comes first: repairing a megabyte of text costs seconds.
    if len(raw.encode("utf-8")) > max_bytes:
        return Reason.TEXT_TOO_LONG
    return _bounded(_repaired(plain_text(raw) if markup else raw), max_bytes)


def _folded(text: str) -> str:
    return " ".join(text.split()) if "  " in text else text.strip()


def _repaired(text: str) -> str:
    seen = _UNSEEN.sub("", ftfy.fix_text(text, normalization=None))
    # The form comes last: without a control character between them, a letter and its accent are neighbours.
    return _SPACE.sub(" ", unicodedata.normalize("NFC", seen)).strip()


def _bounded(text: str, max_bytes: int) -> str | Reason:
    if not text.isascii() and len(text.encode("utf-8")) > max_bytes:
        return Reason.TEXT_TOO_LONG
    return (text or Reason.TEXT_EMPTY) if len(text) <= max_bytes else Reason.TEXT_TOO_LONG


def clean_texts(texts: Iterable[Text], limits: TextLimits) -> tuple[tuple[Text, ...], DroppedTexts]:
    """Return the texts of one record that are kept, and (kind, reason, how many) of those that are dropped.

    A kept text has its `raw` when cleaning changed it, and no text takes the place of another kind's.
    """
    kept: list[Text] = []
    dropped: Counter[tuple[str, str]] = Counter()
    markup_kinds = {kind.value for kind in limits.markup_kinds}
    for text in texts:
        kind = str(text.kind)
        cleaned = clean_text(text.text, limits.max_bytes, markup=kind in markup_kinds)
        if isinstance(cleaned, Reason):
            dropped[kind, cleaned.value] += 1
        else:
            raw = None if cleaned == text.text else text.text
            kept.append(Text(kind=kind, text=cleaned, start_us=text.start_us, end_us=text.end_us, raw=raw))
    fitting, beyond = within_limits(kept, limits)
    dropped.update((text.kind, Reason.TEXT_SURPLUS.value) for text in beyond)
    return tuple(fitting), tuple((*key, count) for key, count in sorted(dropped.items()))


def within_limits(texts: Sequence[Text], limits: TextLimits) -> tuple[list[Text], list[Text]]:
    """Return the texts that fit the limits on number and total bytes, and those beyond, each in the order given.

    Kinds are taken in the order of KINDS_BY_WORTH, texts of a kind in the order given, up to the first one too much. A
    text counts with its own bytes or its raw form's, whichever are more; both together are at most twice the limit.
    """
    by_worth = sorted(range(len(texts)), key=lambda place: _WORTH[texts[place].kind])
    total_bytes = 0
    for count, place in enumerate(by_worth):
        text = texts[place]
        total_bytes += max(len(text.text.encode("utf-8")), len((text.raw or "").encode("utf-8")))
        if count >= limits.max_texts or total_bytes > limits.max_total_bytes:
            fitting, beyond = sorted(by_worth[:count]), sorted(by_worth[count:])
            return [texts[place] for place in fitting], [texts[place] for place in beyond]
    return list(texts), []
