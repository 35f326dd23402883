"""Cleaned words onto heard ones: known pairs, and what holds for any words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.alignment import MAX_PAIRS, TooManyWords, aligned_starts, believed_words, heard_places

# cleaned, heard, the place of each cleaned word's heard one
PAIRS: dict[str, tuple[str, str, list[int]]] = {
    "the same words": ("a dog runs", "a dog runs", [0, 1, 2]),
    "case does not count": ("B C", "a b a c", [1, 3]),
    "punctuation does not count": ("rn.", "rnb rn", [1]),
    "a heard word left out": ("we cook rice", "we uh cook rice", [0, 2, 3]),
    "a word put in": ("we will cook rice", "we cook rice", [0, 0, 1, 2]),
    "a word mended": ("the onions melt", "the unions melt", [0, 1, 2]),
    "one word of two": ("a pancakewaffle person", "a pancake waffle person", [0, 1, 3]),
    "a short word beside a short one": ("a pan cake person", "a pancake person", [0, 0, 1, 2]),
    # MERLOT's own example of what its rule gets wrong: there `person` falls to `waffle`.
    "what comes after a joined word": (
        "much of a pancakewaffle person so i love a good",
        "much of a pancake waffle person so i love a",
        [0, 1, 2, 3, 5, 6, 7, 8, 9, 9],
    ),
    "nothing in common": ("x y", "aa bb cc", [0, 2]),
    "more than was heard": ("one two three", "one", [0, 0, 0]),
    "one word of many": ("three", "one two three four", [2]),
    "signs alone": ("- a", "a", [0, 0]),
    "no cleaned word": ("", "a b", []),
}


@pytest.mark.parametrize("case", PAIRS)
def test_each_cleaned_word_finds_its_heard_one(case: str) -> None:
    cleaned, heard, expected = PAIRS[case]
    assert heard_places(cleaned.split(), heard.split()) == expected


def test_words_that_share_a_heard_word_follow_each_other_within_it() -> None:
    assert aligned_starts(["pan", "cake"], ["pancake"], [(2_000, 2_900)]) == [2_000, 2_450]
    assert aligned_starts(["a", "b", "c"], ["x"], [(7, 8)]) == [7, 7, 7]


def test_words_that_run_on_after_the_speech_are_not_believed() -> None:
    words = [str(number) for number in range(1_000)]
    assert len(believed_words(words, 1)) == 33
    assert len(believed_words(words, 500)) == 550
    assert believed_words(words[:40], 10) == words[:40]


def test_more_pairs_than_are_compared_are_refused() -> None:
    words = ["w"] * 2_001
    with pytest.raises(TooManyWords, match="2001 words to 2001 heard ones; allowed: 4000000 pairs"):
        heard_places(words, words)
    assert MAX_PAIRS == 4_000_000


word = st.text(alphabet="abcA.,-é", max_size=5)
heard_words = st.lists(word, min_size=1, max_size=25)
spans_after = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 1_000)), min_size=25, max_size=25)


def spans_of(steps: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Return spans that begin where, or some time after, the one before ends."""
    ends = itertools.accumulate(pause + lasts + 1 for pause, lasts in steps[:count])
    return [(end - lasts - 1, end) for end, (_, lasts) in zip(ends, steps, strict=False)]


@given(st.lists(word, max_size=25), heard_words, spans_after)
def test_starts_never_decrease_and_stay_inside_the_speech(
    cleaned: list[str], heard: list[str], steps: list[tuple[int, int]]
) -> None:
    spans = spans_of(steps, len(heard))
    starts = aligned_starts(cleaned, heard, spans)
    assert len(starts) == len(cleaned)
    assert starts == sorted(starts)
    assert all(spans[0][0] <= start < spans[-1][1] for start in starts)
    assert all(any(begin <= start < end for begin, end in spans) for start in starts)


@given(heard_words)
def test_words_that_were_not_changed_keep_their_places(heard: list[str]) -> None:
    letters = [f"{place}{text}" for place, text in enumerate(heard)]
    assert heard_places([f"{text.upper()}!" for text in letters], letters) == list(range(len(letters)))


def slow_cost(cleaned: Sequence[str], heard: Sequence[str]) -> int:
    """The cost of the cheapest way, pair by pair, of words of one letter."""
    ways: dict[tuple[int, int], int] = {(-1, -1): 0}
    for row, column in itertools.product(range(len(heard)), range(len(cleaned))):
        steps = ((row - 1, column - 1), (row - 1, column), (row, column - 1))
        ways[row, column] = min(ways[step] for step in steps if step in ways) + (heard[row] != cleaned[column])
    return ways[len(heard) - 1, len(cleaned) - 1]


letters = st.lists(st.sampled_from("abcd"), min_size=1, max_size=12)


@given(letters, letters)
def test_no_way_through_the_places_is_dearer_than_the_cheapest_one(cleaned: list[str], heard: list[str]) -> None:
    places = heard_places(cleaned, heard)
    unlike = sum(heard[place] != text for place, text in zip(places, cleaned, strict=True))
    # The way also leads past the heard words that nothing was chosen for, so what was chosen costs no more than it.
    assert unlike <= slow_cost(cleaned, heard)
