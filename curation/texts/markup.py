"""HTML taken out of texts that were written for a page: tags go, entities become characters."""

from __future__ import annotations

import re

from ftfy.fixes import unescape_html

# The element names of the HTML living standard and the obsolete ones that it lists. Only these are tags: `<3`,
# `<laughs>` and `List<String>` are what somebody wrote. Between inline elements no space is put: `<b>bold</b>ly`.
_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big blink cite code data del dfn em font i ins kbd mark nobr q s samp small span strike "
    "strong sub sup time tt u var wbr"
)
_BLOCK_NAMES = (
    "address applet area article aside audio base basefont blockquote body br button canvas caption center col "
    "colgroup datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 "
    "h2 h3 h4 h5 h6 head header hgroup hr html iframe img input label legend li link main map marquee math menu meta "
    "meter nav noframes noscript object ol optgroup option output p param picture plaintext pre progress rp rt ruby "
    "search section select slot source summary svg table tbody td template textarea tfoot th thead title tr track ul "
    "video"
)
_INLINE, _BLOCK = frozenset(_INLINE_NAMES.split()), frozenset(_BLOCK_NAMES.split())
# What is inside these is never read by a visitor; one that is not closed goes on to the end, as in a browser.
# No pattern holds two open-ended repeats over the same characters, so each is linear in the text.
_UNREAD = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)(?:[\s/][^<>]*)?>")
_DECLARATION = re.compile(r"<(?:!DOCTYPE|!\[CDATA\[|\?xml)[^<>]*>", re.IGNORECASE)
_ROUNDS = 3
"""Pages that were escaped twice are met in feeds; more often is not an accident but an attack on the loop."""


def plain_text(text: str) -> str:
    """Return a text without HTML.

    Comments, scripts and styles go with what they hold. Tags of known elements go; an element that is not inline
    leaves a space. Entities that end in a semicolon become their characters. This repeats, at most three times,
    until nothing changes, so that text that was escaped twice comes out plain too.
    """
    for _ in range(_ROUNDS):
        if "<" not in text and "&" not in text:
            return text
        stripped = text
        if "<" in text:
            stripped = _DECLARATION.sub(" ", _UNREAD.sub(" ", text))
            stripped = _TAG.sub(_without_tag, stripped)
        stripped = unescape_html(stripped)
        if stripped == text:
            return text
        text = stripped
    return text


def _without_tag(found: re.Match[str]) -> str:
    name = found[1].lower()
    if name in _INLINE:
        return ""
    return " " if name in _BLOCK or name in ("script", "style") else found[0]
