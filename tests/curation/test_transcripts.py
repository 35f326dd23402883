"""Words to segments, and the words around them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.sources.rows import RowProblem
from curation.transcripts import Word, cut_segments, texts_around, timed_words
from schemas.corpus import Transcripts


def words(*told: tuple[str, float]) -> list[Word]:
    return timed_words([text for text, _ in told], [round(start * 1e6) for _, start in told], Transcripts())


def cut(options: Transcripts, *told: tuple[str, float]) -> list[str]:
    spoken = words(*told)
    return [" ".join(word.text for word in spoken[seg.first : seg.last]) for seg in cut_segments(spoken, options)]


TALK = (("Hello,", 0.0), ("all.", 0.4), ("Now", 1.0), ("we", 1.2), ("cook", 1.4), ("rice!", 1.6), ("Ready?", 9.0))

CUTS = {
    "sentences": (Transcripts(), ["Hello, all.", "Now we cook rice!", "Ready?"]),
    "a budget of words": (Transcripts(cut="words", words=3), ["Hello, all. Now", "we cook rice!", "Ready?"]),
    "a pause": (Transcripts(cut="words"), ["Hello, all. Now we cook rice!", "Ready?"]),
    "at most a second": (
        Transcripts(cut="words", max_s=1.0),
        ["Hello, all.", "Now we cook", "rice!", "Ready?"],
    ),
    "a short sentence goes on": (Transcripts(min_s=1.1), ["Hello, all. Now we cook rice!", "Ready?"]),
    "a sentence of just that length": (Transcripts(min_s=1.0), ["Hello, all.", "Now we cook rice!", "Ready?"]),
    "a short sentence, and a pause": (Transcripts(min_s=4.0), ["Hello, all. Now we cook rice!", "Ready?"]),
    "a short sentence, and no more words": (
        Transcripts(min_s=4.0, words=2),
        ["Hello, all.", "Now we", "cook rice!", "Ready?"],
    ),
    "a short sentence, and no more time": (
        Transcripts(min_s=1.2, max_s=1.2),
        ["Hello, all. Now", "we cook", "rice!", "Ready?"],
    ),
}


@pytest.mark.parametrize("case", CUTS)
def test_segments(case: str) -> None:
    options, expected = CUTS[case]
    assert cut(options, *TALK) == expected


def test_more_segments_than_allowed_are_refused() -> None:
    assert len(cut(Transcripts(max_segments=3), *TALK)) == 3
    with pytest.raises(RowProblem, match=r"allowed: 2 \(transcripts.max_segments\)"):
        cut(Transcripts(max_segments=2), *TALK)


def test_a_least_length_above_the_longest_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_s is 20; allowed: at most max_s \\(15\\)"):
        Transcripts(min_s=20.0)


def test_a_word_of_unknown_end_lasts_to_the_next_one_or_a_second() -> None:
    spoken = words(("a", 0.0), ("b", 0.3), ("c", 5.0))
    assert [(word.start_us, word.end_us) for word in spoken] == [
        (0, 300_000),
        (300_000, 1_300_000),
        (5_000_000, 6_000_000),
    ]


def test_texts_around_hold_the_words_that_begin_in_the_moved_span() -> None:
    spoken = words(*TALK)
    options = Transcripts(offsets_s=(-1.0, 1.0, 20.0))
    segment = cut_segments(spoken, options)[1]
    around = texts_around(spoken, [word.start_us for word in spoken], segment, options)
    found = [(text.text, (text.start_us or 0) - segment.start_us) for text in around]
    assert found == [("Now we cook rice!", 0), ("Hello, all. Now we cook", -1_000_000)]
    assert (segment.start_us, segment.end_us) == (1_000_000, 2_600_000)


times = st.lists(st.integers(0, 60_000_000), min_size=0, max_size=60).map(sorted)


@given(times, st.integers(1, 8), st.sampled_from(["sentences", "words"]), st.data())
def test_every_word_is_in_one_segment_and_segments_are_in_order(
    starts: list[int], budget: int, cut_at: str, data: st.DataObject
) -> None:
    texts = [data.draw(st.sampled_from(["a", "b.", "c?"])) for _ in starts]
    options = Transcripts.model_validate({"cut": cut_at, "words": budget})
    spoken = timed_words(texts, starts, options)
    segments = cut_segments(spoken, options)
    assert [place for seg in segments for place in range(seg.first, seg.last)] == list(range(len(spoken)))
    assert all(seg.start_us < seg.end_us for seg in segments)
    assert all(one.start_us <= other.start_us for one, other in itertools.pairwise(segments))
    assert all(seg.last - seg.first <= budget for seg in segments)


@given(times, st.floats(0.0, 15.0), st.data())
def test_what_is_shorter_than_the_least_length_could_not_go_on(
    starts: list[int], min_s: float, data: st.DataObject
) -> None:
    texts = [data.draw(st.sampled_from(["a", "b.", "c?"])) for _ in starts]
    options = Transcripts(min_s=min_s)
    spoken = timed_words(texts, starts, options)
    for seg in cut_segments(spoken, options):
        words_us = spoken[seg.last - 1].end_us - spoken[seg.first].start_us
        if words_us < round(min_s * 1e6) and seg.last < len(spoken):
            after = spoken[seg.last]
            full = seg.last - seg.first == options.words
            pause = after.start_us - spoken[seg.last - 1].end_us > round(options.max_gap_s * 1e6)
            assert full or pause or after.end_us - spoken[seg.first].start_us > round(options.max_s * 1e6)


@given(times)
def test_segments_of_words_that_differ_in_time_never_overlap(starts: list[int]) -> None:
    distinct = sorted(set(starts))
    spoken = timed_words(["w"] * len(distinct), distinct, Transcripts())
    segments = cut_segments(spoken, Transcripts(words=3))
    assert all(one.end_us <= other.start_us for one, other in itertools.pairwise(segments))


def test_caption_lines_that_overlap_give_segments_that_do_not() -> None:
    lines = [
        Word(text="first line", start_us=0, end_us=4_000_000),
        Word(text="second line", start_us=3_000_000, end_us=6_000_000),
    ]
    segments = cut_segments(lines, Transcripts(cut="words", words=1))
    assert [(seg.start_us, seg.end_us) for seg in segments] == [(0, 3_000_000), (3_000_000, 6_000_000)]


@given(times, st.integers(-20, 20))
def test_a_window_holds_exactly_the_words_that_begin_in_it(starts: list[int], offset_s: int) -> None:
    spoken = timed_words([f"w{place}" for place in range(len(starts))], starts, Transcripts())
    options = Transcripts(words=4, offsets_s=(float(offset_s),))
    for segment in cut_segments(spoken, options):
        for text in texts_around(spoken, starts, segment, options):
            assert text.start_us is not None and text.end_us is not None
            if text.start_us != segment.start_us:
                inside = [word.text for word in spoken if text.start_us <= word.start_us < text.end_us]
                assert text.text.split() == inside
