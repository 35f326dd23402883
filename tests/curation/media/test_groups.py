"""Which spans are cut together, and from where: what is decoded grows with what is asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.media.groups import Group, frames_to_decode, group_spans, seek_us
from curation.media.probe import Probe
from curation.media.spans import PlannedSpan
from schemas.media import ClipFormat, MediaLimits

S = 1_000_000
STEP_US = 40_000


def video(seconds: int, *, keys_s: float | None = 2.0, size: tuple[int, int] = (1280, 720)) -> Probe:
    """A video of 25 frames a second with a key frame every `keys_s`; None where it cannot be sought."""
    times_us = np.arange(0, seconds * S, STEP_US, dtype=np.int64)
    every = None if keys_s is None else round(keys_s * S)
    return Probe(
        container="mov",
        codec="h264",
        decoder=None,
        stream_index=0,
        width_px=size[0],
        height_px=size[1],
        sar=Fraction(1),
        time_base=Fraction(1, 25),
        fps_1e3=25_000,
        pix_fmt="yuv420p",
        has_alpha=False,
        is_rgb=False,
        matrix=1,
        times_us=times_us,
        end_us=seconds * S,
        readable_end_us=None,
        key_times_us=times_us[:0] if every is None else np.arange(0, seconds * S, every, dtype=np.int64),
        exact_times=False,
        audio_index=None,
        container_start_us=0,
    )


def spans_at(starts_s: list[float], length_s: float = 5.0) -> list[PlannedSpan]:
    return [
        PlannedSpan(
            index=index,
            start_us=round(start * S),
            end_us=round((start + length_s) * S),
            promised=round(length_s * 25),
            extent_us=round(length_s * S) - STEP_US,
            unreadable=False,
        )
        for index, start in enumerate(starts_s)
    ]


def grouped(found: list[Group]) -> list[tuple[list[int], float | None]]:
    """Places of the spans of each group, and where it seeks to in seconds."""
    return [
        ([span.index for span in group.spans], None if group.seek_us is None else group.seek_us / S) for group in found
    ]


CASES: dict[str, tuple[list[float], float | None, list[tuple[list[int], float | None]]]] = {
    "all in one process": ([0, 5, 12], 2, [([0, 1, 2], None)]),
    "in order of time": ([12, 0, 5], 2, [([1, 2, 0], None)]),
    "late spans are sought, at the key frame before the last": ([61], 2, [([0], 58.135)]),
    "on a key frame, still the one before it": ([60], 2, [([0], 58.135)]),
    "a gap that is long enough is left out": ([0, 20], 2, [([0], None), ([1], 18.135)]),
    "a gap that is not is decoded": ([0, 16], 2, [([0, 1], None)]),
    "a key frame every half second: a second ahead": ([60.2], 0.5, [([0], 59.135)]),
    "few key frames: the gap spares too little": ([0, 25], 12, [([0, 1], None)]),
    "nothing can be sought": ([0, 200], None, [([0, 1], None)]),
}


@pytest.mark.parametrize("case", CASES)
def test_groups(case: str) -> None:
    starts_s, keys_s, wanted = CASES[case]
    assert grouped(group_spans(spans_at(starts_s), video(300, keys_s=keys_s), ClipFormat(), MediaLimits())) == wanted


def test_a_long_span_keeps_a_short_one_inside_it_company() -> None:
    long, short = spans_at([0], 40.0)[0], spans_at([0, 20])[1]
    assert grouped(group_spans([long, short], video(300), ClipFormat(), MediaLimits())) == [([0, 1], None)]


def test_a_process_holds_as_many_encoders_as_memory_allows() -> None:
    spans = spans_at([float(start) for start in range(100)])
    sizes = {
        memory_mb: max(
            len(group.spans) for group in group_spans(spans, video(300), ClipFormat(), MediaLimits(memory_mb=memory_mb))
        )
        for memory_mb in (128, 1024, 8192)
    }
    assert sizes == {128: 2, 1024: 23, 8192: 64}


def decoded(found: list[Group], of: Probe) -> int:
    return sum(frames_to_decode(of, group) for group in found)


def test_a_hundred_spans_of_ten_minutes_decode_it_hardly_more_than_once() -> None:
    film = video(600)
    spans = spans_at([6.0 * place for place in range(100)])
    groups = group_spans(spans, film, ClipFormat(), MediaLimits())
    assert len(groups) == 5
    assert 15_000 - 30 <= decoded(groups, film) <= 15_000 * 1.05


def test_few_spans_of_four_hours_decode_little_of_it() -> None:
    film = video(14_400)
    spans = spans_at([0, 4_000, 8_000, 14_000])
    groups = group_spans(spans, film, ClipFormat(), MediaLimits())
    assert decoded(groups, film) <= 4 * 25 * (5 + 2 * 2 + 1)


def test_what_cannot_be_sought_is_decoded_from_the_start_by_each_process() -> None:
    film = video(600, keys_s=None)
    spans = spans_at([6.0 * place for place in range(100)])
    groups = group_spans(spans, film, ClipFormat(), MediaLimits())
    assert [group.seek_us for group in groups] == [None] * 5
    assert decoded(groups, film) == sum(frames_to_decode(film, Group(group.spans)) for group in groups) > 40_000


starts = st.lists(st.integers(0, 590 * S), min_size=1, max_size=60)


@given(starts, st.sampled_from([0.4, 1.0, 2.0, 10.0]))
def test_every_span_is_in_one_group_that_starts_early_enough(starts_us: list[int], keys_s: float) -> None:
    film = video(600, keys_s=keys_s)
    spans = spans_at([start / S for start in starts_us])
    groups = group_spans(spans, film, ClipFormat(), MediaLimits())
    assert sorted(span.index for group in groups for span in group.spans) == list(range(len(spans)))
    for group in groups:
        if group.seek_us is not None:
            first_us = min(span.start_us for span in group.spans)
            between = film.key_times_us[(film.key_times_us > group.seek_us) & (film.key_times_us <= first_us)]
            assert len(between) >= 1, "a key frame to start from, even if the one sought is missed"
            assert group.seek_us == seek_us(min(group.spans, key=lambda span: span.start_us), film)
