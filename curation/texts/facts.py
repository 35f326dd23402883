"""What is measured of a text: its length, its language with a margin, its nouns and verbs. Pure and repeatable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from schemas.ids import text_id
from schemas.records import SampleText, Text

# Ours, after trying short captions: `shop now` is called Nigerian Pidgin, `stock footage` is English. Bytes and not
# characters, because a character of Chinese says as much as three of English and has three bytes.
MIN_LETTER_BYTES = 12
_NO_LANGUAGE = "zxx"
"""ISO 639-3: no linguistic content; py3langid answers it for numbers."""
_TAGGED_LANGUAGE = "en"

_loading = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class TextFacts:
    """Measurements of one text; None is "not measured", never a number.

    Attributes:
        chars: code points.
        words: runs of characters between white space; of little meaning in scripts that do not part words.
        language: ISO 639 code by py3langid; None under 12 bytes of letters, and for what is no language.
        margin_1e4: probability of that language less that of the next one, in [0, 10000] of 1e-4; None with language.
        nouns, verbs: words whose most frequent part of speech is noun or verb; None unless the language is English.
    """

    chars: int
    words: int
    language: str | None
    margin_1e4: int | None
    nouns: int | None
    verbs: int | None


def text_facts(text: str) -> TextFacts:
    """Return the facts of a cleaned text. The first call in a process loads two models, about 0.8 s."""
    language, margin_1e4 = language_of(text)
    nouns, verbs = noun_and_verb_counts(text) if language == _TAGGED_LANGUAGE else (None, None)
    return TextFacts(
        chars=len(text),
        words=len(text.split()),
        language=language,
        margin_1e4=margin_1e4,
        nouns=nouns,
        verbs=verbs,
    )


def language_of(text: str) -> tuple[str | None, int | None]:
    """Return a text's language and its margin over the next one in 1e-4; (None, None) where neither can be told."""
    letters = sum(len(character.encode("utf-8")) for character in text if character.isalpha())
    if letters < MIN_LETTER_BYTES:
        return None, None
    (language, best), (_, second) = _identifier().rank(text)[:2]
    if language == _NO_LANGUAGE:
        return None, None
    return language, round((best - second) * 10_000)


def noun_and_verb_counts(text: str) -> tuple[int, int]:
    """Return how many words of an English text TextBlob takes for nouns and for verbs (Penn tags NN* and VB*)."""
    tags = [tag for _, tag in _tagger()(text)]
    return sum(tag.startswith("NN") for tag in tags), sum(tag.startswith("VB") for tag in tags)


def sample_text(sample_id: str, source: str, text: Text) -> SampleText:
    """Return a text of a sample with its id and its facts, as it is stored."""
    facts = text_facts(text.text)
    return SampleText(
        text_id=text_id(sample_id, text.kind, text.text),
        sample_id=sample_id,
        source=source,
        kind=text.kind,
        text=text.text,
        raw=text.raw,
        start_us=text.start_us,
        end_us=text.end_us,
        **vars(facts),
    )


def _identifier() -> Any:
    with _loading:
        return _load_identifier()


@cache
def _load_identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _tagger() -> Callable[[str], list[tuple[str, str]]]:
    with _loading:
        return _load_tagger()


@cache
def _load_tagger() -> Callable[[str], list[tuple[str, str]]]:
    from textblob.en import tag

    # Its lexicon is read at the first look-up; a second thread in the middle of that would find half of it.
    tag("a first word")
    found: Callable[[str], list[tuple[str, str]]] = tag
    return found
