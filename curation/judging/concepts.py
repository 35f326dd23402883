"""Per-concept balancing of sampling weights, as MetaCLIP (arXiv 2309.16671, section 3) balances its pairs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.judging import tables
from curation.judging.facts import is_ruled_out
from schemas.ids import bucket_of, stable_id
from schemas.judging import Balance

_WORD = re.compile(r"\w+")
# Concepts are added up in 2**6 parts, so that no part grows with the list.
BLOCK_BITS = 6
FULL_1E4 = 10_000


@dataclass(frozen=True, kw_only=True)
class Concepts:
    """A list of concepts, each one or several words; `longest` is how many words the longest has."""

    names: frozenset[str]
    longest: int

    def named_in(self, text: str) -> list[str]:
        """Return the concepts that a text names, each once, sorted."""
        words = _words(text)
        spans = {
            " ".join(words[start : start + length])
            for length in range(1, self.longest + 1)
            for start in range(len(words) - length + 1)
        }
        return sorted(spans & self.names)


def read_concepts(lines: Iterable[str]) -> Concepts:
    """Return the concepts of a list, one a line; a line without a word is left out."""
    words = [_words(line) for line in lines]
    names = frozenset(" ".join(own) for own in words if own)
    return Concepts(names=names, longest=max((len(own) for own in words), default=0))


def load_concepts(path: Path) -> Concepts:
    """Return the concepts of a file."""
    return read_concepts(path.read_text(encoding="utf-8").splitlines())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def with_concepts(facts: pl.DataFrame, concepts: Concepts) -> pl.DataFrame:
    """Return facts with the concepts of each sample's own text in place of `text`; null where there is no text."""
    named = [None if text is None else concepts.named_in(text) for text in facts["text"].to_list()]
    return facts.drop("text").with_columns(concepts=pl.Series(named, dtype=pl.List(pl.String)))


def count_concepts(facts: pl.DataFrame, *, leave_out: bool) -> pl.DataFrame:
    """Return rows of the table `concepts`: in how many samples that go into shards each is named."""
    held = pl.col("twin") | is_ruled_out(leave_out=leave_out)
    named = facts.filter(~held).select(pl.col("concepts").explode().alias("concept")).drop_nulls()
    counted = named.group_by("concept").agg(samples=pl.len().cast(pl.Int64))
    blocks = [bucket_of(stable_id(concept), BLOCK_BITS) for concept in counted["concept"].to_list()]
    return counted.with_columns(block=pl.Series(blocks, dtype=pl.Int32)).select(list(tables.CONCEPTS.schema))


def balance_1e4(concepts: Sequence[str] | None, counts: Mapping[str, int], balance: Balance) -> int:
    """Return what a sample's weight is multiplied by, 10,000 is 1.

    Args:
        concepts: named in its text; None for a sample without a text, which is left as it is.
    """
    if concepts is None:
        return FULL_1E4
    if not concepts:
        return round(balance.unmatched * FULL_1E4)
    lost = 1.0
    for concept in concepts:
        lost *= 1.0 - min(1.0, balance.clips_per_concept / max(1, counts.get(concept, 0)))
    return round((1.0 - lost) * FULL_1E4)


def with_balance(facts: pl.DataFrame, counts: Mapping[str, int], balance: Balance) -> pl.DataFrame:
    """Return facts with `balance_1e4`."""
    factors = [balance_1e4(own, counts, balance) for own in facts["concepts"].to_list()]
    return facts.with_columns(balance_1e4=pl.Series(factors, dtype=pl.Int64))
