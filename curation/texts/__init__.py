"""Texts: cleaned once, kept or dropped with a reason; an empty or broken text never takes its clip with it.

docs/texts.md states the rules. Importing this package loads no language model.
"""

from curation.texts.cleaning import DroppedTexts, clean_text, clean_texts, within_limits
from curation.texts.facts import TextFacts, sample_text, text_facts
from curation.texts.markup import plain_text

__all__ = [
    "DroppedTexts",
    "TextFacts",
    "clean_text",
    "clean_texts",
    "plain_text",
    "sample_text",
    "text_facts",
    "within_limits",
]
