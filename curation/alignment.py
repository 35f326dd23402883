"""Words without times onto the words that were heard: dynamic time warping over the edit distance of words.

A transcript that was cleaned (YT-Temporal's `cleanasr`) lost its times, and words of it. Zellers et al. 2021 (MERLOT,
arXiv 2106.02636; rowanz/merlot `data/process.py`, `align_using_dtw`) find them again by the cheapest way to go through
both word by word, where a pair costs the letters by which its words differ. Two things differ here. A cleaned word that
the way leads past several heard words takes the one that is most like it, where MERLOT takes the first, which its own
comment calls weird. And words that share a heard word follow each other within it, where MERLOT gives them one time.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

# A cleaning model sometimes runs on after the speech has ended: so many words more than were heard are believed, as a
# share of the heard ones and at least so many (`radius_perc` and `radius_abs` of MERLOT).
SURPLUS_SHARE = 0.1
SURPLUS_WORDS = 32
# One chunk of a transcript, heard words times cleaned ones; MERLOT's model reads at most 1,024 tokens at once.
MAX_PAIRS = 4_000_000
# A word that long is none; its letters are compared up to here.
MAX_LETTERS = 60
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Costs = npt.NDArray[np.int32]


class TooManyWords(ValueError):
    """More words than are compared with each other."""


def believed_words(cleaned: Sequence[str], heard: int) -> Sequence[str]:
    """Return the cleaned words of a chunk without those that run on after `heard` heard ones."""
    return cleaned[: heard + max(int(heard * SURPLUS_SHARE), SURPLUS_WORDS)]


def heard_places(cleaned: Sequence[str], heard: Sequence[str]) -> list[int]:
    """Return for each cleaned word the place of the heard word that it stands for.

    The places never decrease and are all in range(len(heard)).

    Args:
        heard: at least one word.

    Raises:
        TooManyWords: more than MAX_PAIRS pairs.
    """
    if not cleaned:
        return []
    if len(cleaned) * len(heard) > MAX_PAIRS:
        raise TooManyWords(f"{len(cleaned)} words to {len(heard)} heard ones; allowed: {MAX_PAIRS} pairs")
    costs: Costs = cdist(_letters(heard), _letters(cleaned), scorer=Levenshtein.distance, dtype=np.int32)
    return _likest(costs, _ways(costs))


def _letters(words: Sequence[str]) -> list[str]:
    return [word.translate(_NO_PUNCTUATION).lower()[:MAX_LETTERS] for word in words]


def _ways(costs: Costs) -> Costs:
    """Return the cost of the cheapest way from the first pair to each pair, by one step in either or both.

    All pairs of one anti-diagonal are computed at once from the two before it.
    """
    rows, columns = costs.shape
    # One row and one column in front that no way leads through, but for the corner where it starts.
    ways = np.full((rows + 1, columns + 1), np.iinfo(np.int32).max // 2, dtype=np.int32)
    ways[0, 0] = 0
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        column = diagonal - row
        cheapest = np.minimum(np.minimum(ways[row, column + 1], ways[row + 1, column]), ways[row, column])
        ways[row + 1, column + 1] = costs[row, column] + cheapest
    return ways[1:, 1:]


def _likest(costs: Costs, ways: Costs) -> list[int]:
    """Return for each column the row of the cheapest way through it whose pair costs least, the first of equal ones."""
    row, column = costs.shape[0] - 1, costs.shape[1] - 1
    chosen = [row] * (column + 1)
    while row or column:
        row, column, entered = *_before(ways, row, column), column
        if column != entered or costs[row, column] <= costs[chosen[column], column]:
            chosen[column] = row
    return chosen


def _before(ways: Costs, row: int, column: int) -> tuple[int, int]:
    """Return the pair that the cheapest way comes from; of equal ones a step in both, then one in the heard words."""
    if not row:
        return row, column - 1
    if not column:
        return row - 1, column
    steps = ((row - 1, column - 1), (row - 1, column), (row, column - 1))
    return min(steps, key=lambda step: int(ways[step]))


def aligned_starts(cleaned: Sequence[str], heard: Sequence[str], spans_us: Sequence[tuple[int, int]]) -> list[int]:
    """Return when each cleaned word starts; words that stand for one heard word share its span evenly.

    The starts never decrease, and lie between the first heard word's start and the last one's end.

    Args:
        heard: at least one word.
        spans_us: [start, end) of each heard word, in order, microseconds; none reaches beyond the next one's start,
            unless they start together.

    Raises:
        TooManyWords: more than MAX_PAIRS pairs.
    """
    starts: list[int] = []
    for place, group in groupby(heard_places(cleaned, heard)):
        count = len(list(group))
        start_us, end_us = spans_us[place]
        starts += [start_us + number * (end_us - start_us) // count for number in range(count)]
    return starts
