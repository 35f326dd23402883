from __future__ import annotations

import pytest

from curation.texts import clean_text, clean_texts
from schemas.corpus import TextLimits
from schemas.reasons import Reason
from schemas.records import Text

CASES = {
    "plain": ("a red circle", "a red circle"),
    "spaces and newlines fold": ("  a\n\tred \u00a0 circle ", "a red circle"),
    "mojibake is mended": ("schÃ¶n", "schön"),
    "decomposed becomes composed": ("e\u0301", "é"),
    "control characters go": ("a\x07b", "ab"),
    "right to left stays": ("שלום world", "שלום world"),
    "markup stays text": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "formula stays text": ("=cmd|'/c calc'!A0", "=cmd|'/c calc'!A0"),
    "none": (None, Reason.TEXT_EMPTY),
    "empty": ("", Reason.TEXT_EMPTY),
    "only spaces": (" \n ", Reason.TEXT_EMPTY),
    "only controls": ("\x07", Reason.TEXT_EMPTY),
    "lone surrogate": ("a\ud800", Reason.TEXT_BROKEN),
    "bytes that were no UTF-8": (b"caf\xe9".decode("utf-8", "surrogateescape"), Reason.TEXT_BROKEN),
    "NUL": ("a\x00b", Reason.TEXT_BROKEN),
    "a number": (7, Reason.TEXT_BROKEN),
    "a megabyte": ("x" * 1_000_000, Reason.TEXT_TOO_LONG),
    "one byte over": ("é" * 50 + "x", Reason.TEXT_TOO_LONG),
}


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_cleaned_or_dropped_with_its_reason(case: str) -> None:
    raw, expected = CASES[case]
    assert clean_text(raw, max_bytes=100) == expected


def test_surplus_texts_are_dropped_and_counted() -> None:
    texts = [Text(kind="alt", text=f"text {number}") for number in range(4)]
    kept, dropped = clean_texts([*texts, Text(kind="alt", text="")], TextLimits(max_texts=3))
    assert [text.text for text in kept] == ["text 0", "text 1", "text 2"]
    assert dropped == (("alt", "text_empty", 1), ("alt", "text_surplus", 1))


def test_the_total_of_a_sample_is_bounded() -> None:
    texts = [Text(kind="alt", text="x" * 40) for _ in range(3)]
    kept, dropped = clean_texts(texts, TextLimits(max_total_bytes=100))
    assert (len(kept), dropped) == (2, (("alt", "text_surplus", 1),))
