"""Speech with times: words to segments, and the words around a segment at several offsets.

Speech seldom says what is seen at the same moment (Han et al. 2022 find about a third of HowTo100M's sentences visible
at all), so a segment carries what was said a few seconds earlier and later too; each is scored, and the best is found.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curation.sources.rows import RowProblem, parse_time
from schemas.corpus import Transcripts
from schemas.reasons import Reason
from schemas.records import Text, TextKind

US_PER_S = 1_000_000
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*$")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A spoken word, or a caption line, from its start to its end (or to where the next one starts)."""

    text: str
    start_us: int
    end_us: int


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A span of speech: words[first:last] of the transcript that it was cut from."""

    start_us: int
    end_us: int
    first: int
    last: int


def word_time_us(value: object) -> int:
    """Return the time of a word, given in seconds.

    Raises:
        RowProblem: it has none, or it is no time.
    """
    time_us = parse_time(value, US_PER_S)
    if time_us is None:
        raise RowProblem(Reason.FIELD_MISSING, "a word has no time")
    return time_us


def timed_words(texts: Sequence[str], starts_us: Sequence[int], options: Transcripts) -> list[Word]:
    """Return words of which only the starts are known: each ends where the next one starts, or after `max_word_s`.

    Args:
        starts_us: in order; of the same length as `texts`.
    """
    longest_us = round(options.max_word_s * US_PER_S)
    if not starts_us:
        return []
    ends = [*starts_us[1:], starts_us[-1] + longest_us]
    return [
        Word(text=text, start_us=start, end_us=max(start + 1, min(end, start + longest_us)))
        for text, start, end in zip(texts, starts_us, ends, strict=True)
    ]


def cut_segments(words: Sequence[Word], options: Transcripts) -> list[Segment]:
    """Return the segments of a transcript in order; each word is in exactly one.

    A segment ends with a sentence (`cut: sentences`) that is not shorter than `min_s`, or with its budget of words;
    before a pause of `max_gap_s`; and before it would last longer than `max_s`. One that is too short for a clip is
    left for the clip's own limits.

    Raises:
        RowProblem: there are more than `max_segments`.
    """
    found: list[Segment] = []
    first = 0
    for place in range(1, len(words) + 1):
        if place < len(words) and not _ends(words, first, place, options) and not _breaks(words, first, place, options):
            continue
        found.append(_segment(words, first, place))
        first = place
        if len(found) > options.max_segments:
            allowed = f"allowed: {options.max_segments} (transcripts.max_segments)"
            raise RowProblem(Reason.FIELD_INVALID, f"its speech falls into more segments; {allowed}")
    return found


def _ends(words: Sequence[Word], first: int, place: int, options: Transcripts) -> bool:
    """Return whether a segment of words[first:place] is complete."""
    count = sum(len(word.text.split()) for word in words[first:place])
    if count >= options.words:
        return True
    lasts_us = words[place - 1].end_us - words[first].start_us
    ends = options.cut == "sentences" and bool(_SENTENCE_END.search(words[place - 1].text))
    return ends and lasts_us >= round(options.min_s * US_PER_S)


def _breaks(words: Sequence[Word], first: int, place: int, options: Transcripts) -> bool:
    """Return whether the next word, words[place], cannot go on with words[first:place]."""
    pause_us = words[place].start_us - words[place - 1].end_us
    lasts_us = words[place].end_us - words[first].start_us
    return pause_us > round(options.max_gap_s * US_PER_S) or lasts_us > round(options.max_s * US_PER_S)


def _segment(words: Sequence[Word], first: int, last: int) -> Segment:
    start_us = words[first].start_us
    end_us = max(start_us + 1, max(word.end_us for word in words[first:last]))
    if last < len(words):
        # Caption lines overlap; segments do not.
        end_us = max(start_us + 1, min(end_us, words[last].start_us))
    return Segment(start_us=start_us, end_us=end_us, first=first, last=last)


def texts_around(
    words: Sequence[Word], starts: Sequence[int], segment: Segment, options: Transcripts
) -> Iterator[Text]:
    """Yield a segment's own words, and those that begin in its span moved by each offset, as texts with spans.

    The offset of a text is its span's start less the segment's start, so a span may begin before the video does; where
    nothing is said, there is no text.

    Args:
        starts: of all words, in microseconds; taken once for a transcript.
    """
    for offset_s in sorted({0.0, *options.offsets_s}, key=abs):
        moved_us = round(offset_s * US_PER_S)
        start_us, end_us = segment.start_us + moved_us, segment.end_us + moved_us
        if moved_us == 0:
            chosen = words[segment.first : segment.last]
        else:
            chosen = words[bisect.bisect_left(starts, start_us) : bisect.bisect_left(starts, end_us)]
        said = " ".join(word.text for word in chosen)
        if said and end_us > 0:
            yield Text(kind=TextKind.ASR.value, text=said, start_us=start_us, end_us=end_us)
