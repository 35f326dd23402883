"""Numbers of spans, before any media is touched."""

from __future__ import annotations

from fractions import Fraction

import pytest

from curation.media.spans import refuse_impossible, ticks_at_or_after
from curation.media.tasks import Span
from schemas.media import ClipFormat, Cutting

# (time in microseconds, time base, first tick at or after it)
TICKS = {
    "zero": (0, Fraction(1, 25), 0),
    "a frame's own time": (40_000, Fraction(1, 25), 1),
    "one microsecond later": (40_001, Fraction(1, 25), 2),
    "one microsecond earlier": (39_999, Fraction(1, 25), 1),
    "a third of a second, rounded down": (333_333, Fraction(1, 3), 1),
    "a third of a second, over": (333_334, Fraction(1, 3), 2),
    "two thirds, reported as 666,667": (666_667, Fraction(1, 3), 2),
    "ntsc frame 1 is reported as 33,367": (33_367, Fraction(1001, 30_000), 1),
    "10 ms into a 40 ms tick": (10_000, Fraction(1, 25), 1),
}

REFUSED: dict[str, tuple[Span, str]] = {
    "zero length": ((1_000_000, 1_000_000), "span_empty"),
    "zero length from the start": ((None, 0), "span_empty"),
    "negative start": ((-1, 1_000_000), "span_negative"),
    "negative end": ((None, -5), "span_negative"),
    "end before start": ((2_000_000, 1_000_000), "span_negative"),
    "one microsecond too long": ((0, 60_000_001), "span_too_long"),
}


@pytest.mark.parametrize("name", TICKS)
def test_first_tick(name: str) -> None:
    time_us, time_base, tick = TICKS[name]
    assert ticks_at_or_after(time_us, time_base) == tick


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_span(name: str) -> None:
    span, reason = REFUSED[name]
    alive, failures = refuse_impossible((span, (0, 60_000_000)), ClipFormat(), Cutting())
    assert alive == [1]
    assert [(failure.span_index, failure.stage, failure.reason) for failure in failures] == [(0, "cut", reason)]
