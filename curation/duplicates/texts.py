"""Texts of one source that are nearly the same: boilerplate titles, spam, captions of a template.

Texts that are equal after case and punctuation are taken away are one. Of what is left, MinHash signatures of the word
pairs find candidates (locality-sensitive hashing, Broder 1997), and the word pairs themselves decide.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

import polars as pl
from datasketch import MinHash, MinHashLSH

from schemas.ids import stable_id

# datasketch's own default; more permutations find more and cost as much more.
PERMUTATIONS = 128
# Of one text, so many candidates are compared, the first by their words: a template that thousands share is joined
# through them, and the cost stays in proportion to the number of texts.
MAX_CANDIDATES = 64
# Candidates are looked for this much below the threshold, and missing one weighs more than comparing one in vain:
# hashing is a matter of chance, and the word pairs decide.
SLACK = 0.2
_SEED = 1
_WORD = re.compile(r"\w+")
GROUPS = pl.Schema({"text_id": pl.String, "text_group": pl.String, "text_copies": pl.Int64})


def plain(text: str) -> str:
    """Return the words of a text, in lower case, with single spaces."""
    return " ".join(_WORD.findall(text.casefold()))


def shingles(words: str) -> frozenset[str]:
    """Return the pairs of neighbouring words of a plain text; of a single word, the word."""
    split = words.split(" ")
    return frozenset(" ".join(pair) for pair in itertools.pairwise(split)) or frozenset(split)


def near_texts(texts: Iterable[tuple[str, str]], min_jaccard: float) -> pl.DataFrame:
    """Return GROUPS of the texts that have others nearly like them: `text_copies` is how many there are in all.

    Neither the order of the texts nor that of the calls has a part in it. A text without a word is like no other.

    Args:
        texts: (text id, text) of one source.
        min_jaccard: shingles that two texts share, of all that either has, from which they are joined.
    """
    by_words: dict[str, list[str]] = {}
    for text_id, text in texts:
        words = plain(text)
        if words:
            by_words.setdefault(words, []).append(text_id)
    names = sorted(by_words)
    parents = list(range(len(names)))
    for one, other in _edges(names, min_jaccard):
        parents[_root(parents, max(one, other))] = _root(parents, min(one, other))
    members: dict[int, list[str]] = {}
    for place, words in enumerate(names):
        members.setdefault(_root(parents, place), []).extend(by_words[words])
    rows = [
        (text_id, stable_id("texts", names[root]), len(own))
        for root, own in members.items()
        if len(own) > 1
        for text_id in own
    ]
    return pl.DataFrame(rows, schema=GROUPS, orient="row").sort("text_id")


def _edges(names: list[str], min_jaccard: float) -> Iterator[tuple[int, int]]:
    sets = [shingles(words) for words in names]
    encoded = [sorted(shingle.encode("utf-8") for shingle in own) for own in sets]
    signatures = MinHash.bulk(encoded, num_perm=PERMUTATIONS, seed=_SEED)
    index = MinHashLSH(threshold=max(0.1, min_jaccard - SLACK), num_perm=PERMUTATIONS, weights=(0.1, 0.9))
    for place, signature in enumerate(signatures):
        index.insert(place, signature, check_duplication=False)
    for place, signature in enumerate(signatures):
        # Names are sorted, so that the first candidates are the same however the texts came.
        for other in sorted(found for found in index.query(signature) if found != place)[:MAX_CANDIDATES]:
            if len(sets[place] & sets[other]) >= min_jaccard * len(sets[place] | sets[other]):
                yield place, other


def _root(parents: list[int], place: int) -> int:
    """Return the root of a place, and hang what is on the way there."""
    root = place
    while parents[root] != root:
        root = parents[root]
    while parents[place] != root:
        parents[place], place = root, parents[place]
    return root
