from __future__ import annotations

import html
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.texts import TextFacts, clean_text, clean_texts, plain_text, sample_text, text_facts, within_limits
from curation.texts.cleaning import KINDS_BY_WORTH, _repaired
from schemas.corpus import TextLimits
from schemas.reasons import Reason
from schemas.records import SampleText, Text, TextKind

# name -> (raw, as a caption, as a title): a title was written for a page.
CASES = {
    "plain": ("a red circle", "a red circle", "a red circle"),
    "spaces and newlines fold": ("  a\n\tred \u00a0 circle ", "a red circle", "a red circle"),
    "mojibake is mended": ("schÃ¶n", "schön", "schön"),
    "decomposed becomes composed": ("e\u0301", "é", "é"),
    "composed across a control character": ("e\x07\u0301", "é", "é"),
    "control characters go": ("a\x07b", "ab", "ab"),
    "formula stays text": ("=cmd|'/c calc'!A0", "=cmd|'/c calc'!A0", "=cmd|'/c calc'!A0"),
    "right to left stays in its order": ("שלום world سلام", "שלום world سلام", "שלום world سلام"),
    "overrides and isolates go": ("a\u202egnp.exe\u202c \u2066b\u2069", "agnp.exe b", "agnp.exe b"),
    "direction marks go": ("\u200fאבג\u200e 1", "אבג 1", "אבג 1"),
    "zero width and soft hyphens go": ("\ufeffa\u200bb\u00adc", "abc", "abc"),
    "tag characters go": ("a\U000e0069\U000e0067", "a", "a"),
    "noncharacters of any plane go": ("a\uffff\U0001fffeb", "ab", "ab"),
    "joiners stay": (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f680",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f680",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f680",
    ),
    "inline tags leave nothing": ("<b>bold</b>ly", "<b>bold</b>ly", "boldly"),
    "other tags leave a space": ("<p>one</p>two<br/>three", "<p>one</p>two<br/>three", "one two three"),
    "a script goes with what it holds": (
        "<script>alert(1)</script>hi",
        "<script>alert(1)</script>hi",
        "hi",
    ),
    "a script that never ends": ("<script>alert(1)", "<script>alert(1)", Reason.TEXT_EMPTY),
    "a style with an odd end": ("<STYLE type=x>b{}</style >hi", "<STYLE type=x>b{}</style >hi", "hi"),
    "a comment": ("a<!-- <b> -->b", "a<!-- <b> -->b", "a b"),
    "attributes": ("<img src=x onerror=alert(1)>a", "<img src=x onerror=alert(1)>a", "a"),
    "entities": ("Q&amp;A &eacute;", "Q&A é", "Q&A é"),
    "escaped twice": ("&amp;lt;i&amp;gt;a", "<i>a", "a"),
    "an address keeps its ampersands": ("see x?a=1&para=2", "see x?a=1&para=2", "see x?a=1&para=2"),
    "what is no element stays": ("I <3 it, <laughs> x<y List<String>", "I <3 it, <laughs> x<y List<String>", None),
    "none": (None, Reason.TEXT_EMPTY, Reason.TEXT_EMPTY),
    "empty": ("", Reason.TEXT_EMPTY, Reason.TEXT_EMPTY),
    "only spaces": (" \n ", Reason.TEXT_EMPTY, Reason.TEXT_EMPTY),
    "only controls": ("\x07", Reason.TEXT_EMPTY, Reason.TEXT_EMPTY),
    "only what is not seen": ("\u200b\u202e", Reason.TEXT_EMPTY, Reason.TEXT_EMPTY),
    "only tags": ("<p></p>", "<p></p>", Reason.TEXT_EMPTY),
    "lone surrogate": ("a\ud800", Reason.TEXT_BROKEN, Reason.TEXT_BROKEN),
    "bytes that were no UTF-8": (
        b"caf\xe9".decode("utf-8", "surrogateescape"),
        Reason.TEXT_BROKEN,
        Reason.TEXT_BROKEN,
    ),
    "NUL": ("a\x00b", Reason.TEXT_BROKEN, Reason.TEXT_BROKEN),
    "a number": (7, Reason.TEXT_BROKEN, Reason.TEXT_BROKEN),
    "a megabyte": ("x" * 1_000_000, Reason.TEXT_TOO_LONG, Reason.TEXT_TOO_LONG),
    "a megabyte of tags": ("<b>" * 333_333, Reason.TEXT_TOO_LONG, Reason.TEXT_TOO_LONG),
    "one byte over": ("é" * 50 + "x", Reason.TEXT_TOO_LONG, Reason.TEXT_TOO_LONG),
    "to the byte": ("é" * 50, "é" * 50, "é" * 50),
    "plain, one byte over": ("x" * 101, Reason.TEXT_TOO_LONG, Reason.TEXT_TOO_LONG),
}


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_cleaned_or_dropped_with_its_reason(case: str) -> None:
    raw, as_caption, as_title = CASES[case]
    assert clean_text(raw, max_bytes=100) == as_caption
    assert clean_text(raw, max_bytes=100, markup=True) == (as_caption if as_title is None else as_title)


@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=60))
def test_the_short_way_of_plain_texts_gives_what_the_long_one_gives(raw: str) -> None:
    assert clean_text(raw, 100) == (_repaired(raw) or Reason.TEXT_EMPTY)


@given(st.text(max_size=40), st.booleans())
def test_what_is_kept_can_be_stored(raw: str, markup: bool) -> None:
    cleaned = clean_text(raw, 60, markup=markup)
    if isinstance(cleaned, Reason):
        return
    assert 0 < len(cleaned.encode("utf-8")) <= 60
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned == cleaned.strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned)
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@given(st.text(st.sampled_from("ab &;<>"), max_size=30))
def test_a_text_that_was_escaped_for_a_page_comes_back(text: str) -> None:
    # Words that hold no tag of their own survive one escaping.
    if plain_text(text) == text:
        assert plain_text(html.escape(text, quote=False)) == text


def test_kinds_are_kept_apart_and_the_raw_form_is_kept_where_it_differs() -> None:
    said = "<i>red</i> &amp;  blue"
    texts = [Text(kind=kind, text=said, start_us=5, end_us=9) for kind in ("caption", "title", "asr")]
    kept, dropped = clean_texts([*texts, Text(kind=TextKind.ALT, text="plain")], TextLimits())
    assert kept == (
        Text(kind="caption", text="<i>red</i> &amp; blue", start_us=5, end_us=9, raw=said),
        Text(kind="title", text="red & blue", start_us=5, end_us=9, raw=said),
        Text(kind="asr", text="<i>red</i> &amp; blue", start_us=5, end_us=9, raw=said),
        Text(kind="alt", text="plain"),
    )
    assert dropped == ()


def test_which_kinds_hold_markup_is_a_choice() -> None:
    limits = TextLimits(markup_kinds=(TextKind.CAPTION,))
    kept, _ = clean_texts([Text(kind="caption", text="<b>a"), Text(kind="title", text="<b>a")], limits)
    assert [text.text for text in kept] == ["a", "<b>a"]


def test_surplus_texts_are_dropped_and_counted() -> None:
    texts = [Text(kind="alt", text=f"text {number}") for number in range(4)]
    kept, dropped = clean_texts([*texts, Text(kind="alt", text="")], TextLimits(max_texts=3))
    assert [text.text for text in kept] == ["text 0", "text 1", "text 2"]
    assert dropped == (("alt", "text_empty", 1), ("alt", "text_surplus", 1))


# name -> (kinds in the order given, how many may stay, the places that stay)
SURPLUS = {
    "a caption behind much speech": (["asr", "asr", "asr", "caption"], 2, [0, 3]),
    "all kinds": (["tags", "description", "generated", "asr", "alt", "title", "caption"], 3, [4, 5, 6]),
    "of this clip before of the whole video": (["description", "tags", "generated"], 1, [2]),
    "alphabetical order has no say": (["alt", "title", "caption"], 2, [1, 2]),
    "of one kind the first": (["alt", "alt", "alt"], 2, [0, 1]),
    "no more than may stay": (["tags", "asr"], 2, [0, 1]),
}


@pytest.mark.parametrize("case", SURPLUS)
def test_which_texts_stay_where_there_are_too_many(case: str) -> None:
    kinds, most, stay = SURPLUS[case]
    texts = [Text(kind=kind, text=f"text {place}") for place, kind in enumerate(kinds)]
    kept, beyond = within_limits(texts, TextLimits(max_texts=most))
    assert kept == [texts[place] for place in stay]
    assert beyond == [text for place, text in enumerate(texts) if place not in stay]


def test_every_kind_has_its_place() -> None:
    assert sorted(KINDS_BY_WORTH) == sorted(TextKind)


@given(
    st.lists(st.builds(Text, kind=st.sampled_from([kind.value for kind in TextKind]), text=st.text(max_size=30))),
    st.integers(1, 8),
    st.integers(16, 100),
)
def test_no_text_is_lost_or_doubled_by_the_limits(texts: list[Text], most: int, most_bytes: int) -> None:
    limits = TextLimits(max_texts=most, max_total_bytes=most_bytes)
    kept, beyond = within_limits(texts, limits)
    assert Counter([*kept, *beyond]) == Counter(texts)
    assert len(kept) <= most and sum(len(text.text.encode()) for text in kept) <= most_bytes
    worth = {kind.value: place for place, kind in enumerate(KINDS_BY_WORTH)}
    assert all(worth[one.kind] <= worth[other.kind] for one in kept for other in beyond)


def test_the_total_of_a_sample_is_bounded() -> None:
    texts = [Text(kind="alt", text="x" * 40) for _ in range(3)]
    kept, dropped = clean_texts(texts, TextLimits(max_total_bytes=100))
    assert (len(kept), dropped) == (2, (("alt", "text_surplus", 1),))


def test_a_raw_form_counts_where_it_is_longer() -> None:
    texts = [Text(kind="alt", text="x", raw="x" + " " * 39) for _ in range(3)]
    assert [len(part) for part in within_limits(texts, TextLimits(max_total_bytes=100))] == [2, 1]


# text -> facts; margins are py3langid 0.4's.
FACTS = {
    "English": (
        "a red circle moves left across the dark background",
        TextFacts(chars=50, words=9, language="en", margin_1e4=9818, nouns=3, verbs=1),
    ),
    "another language has no tags": (
        "ein roter Kreis bewegt sich nach links",
        TextFacts(chars=38, words=7, language="de", margin_1e4=9247, nouns=None, verbs=None),
    ),
    "few characters that say much": (
        "猫が寝ている",
        TextFacts(chars=6, words=1, language="ja", margin_1e4=10000, nouns=None, verbs=None),
    ),
    "too short to tell": (
        "shop now",
        TextFacts(chars=8, words=2, language=None, margin_1e4=None, nouns=None, verbs=None),
    ),
    "no language at all": (
        "12345 67890 😀 !!!",
        TextFacts(chars=17, words=4, language=None, margin_1e4=None, nouns=None, verbs=None),
    ),
    "empty": ("", TextFacts(chars=0, words=0, language=None, margin_1e4=None, nouns=None, verbs=None)),
}


@pytest.mark.parametrize("case", FACTS)
def test_facts_of_a_text(case: str) -> None:
    text, expected = FACTS[case]
    assert text_facts(text) == expected


def test_a_sample_text_carries_its_facts() -> None:
    told = Text(kind="asr", text="a dog runs home", start_us=1, end_us=2, raw="a dog  runs home")
    assert sample_text("s" * 26, "mined", told) == SampleText(
        text_id="y6yqi557yh5mlxm5t2aejcnhao",
        sample_id="s" * 26,
        source="mined",
        kind="asr",
        text="a dog runs home",
        raw="a dog  runs home",
        start_us=1,
        end_us=2,
        chars=15,
        words=4,
        language="en",
        margin_1e4=1672,
        nouns=2,
        verbs=1,
    )


def test_cleaning_loads_no_language_model() -> None:
    code = (
        "import sys\nfrom curation.texts import clean_text\nclean_text('é', 9)\n"
        "print(sorted({'py3langid', 'textblob', 'nltk'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
