"""Spans that the media side makes: windows, shots, parts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.media import MediaSandbox
from curation.media.making import equal_parts, wanted_spans, windows
from curation.media.tasks import Span
from schemas.media import ClipFormat, Cutting
from schemas.reasons import Reason
from tests.curation.media.conftest import make_task
from tests.curation.media.make import run_ffmpeg, write_test_video

S = 1_000_000
CLIP = ClipFormat(min_s=1.0, max_s=10.0)


def made(span: Span, end_us: int, shots: list[int] | None = None, **cutting: object) -> list[tuple[Span, bool]]:
    rules = (Cutting.model_validate(cutting), CLIP)
    found = wanted_spans([(0, span)], end_us, rules, lambda: shots or [])
    return [(one.span, one.made) for one in found]


CASES = {
    "a span is cut as it is": (((2 * S, 5 * S), 60 * S, {}), [((2 * S, 5 * S), False)]),
    "a whole video is cut as it is": (((None, None), 5 * S, {}), [((None, None), False)]),
    "windows": (
        ((None, None), 11 * S, {"no_span": "windows", "window_s": 5, "stride_s": 5}),
        [((0, 5 * S), True), ((5 * S, 10 * S), True), ((10 * S, 11 * S), True)],
    ),
    "windows that overlap, the last too short": (
        ((None, None), 6_500_000, {"no_span": "windows", "window_s": 4, "stride_s": 3}),
        [((0, 4 * S), True), ((3 * S, 6_500_000), True)],
    ),
    "windows leave a given span alone": (((0, 2 * S), 9 * S, {"no_span": "windows"}), [((0, 2 * S), False)]),
    "a long span in equal parts": (
        ((1 * S, 22 * S), 60 * S, {"long_spans": "split"}),
        [((1 * S, 8 * S), True), ((8 * S, 15 * S), True), ((15 * S, 22 * S), True)],
    ),
    "an open span in equal parts": (
        ((None, None), 12 * S, {"long_spans": "split"}),
        [((0, 6 * S), True), ((6 * S, 12 * S), True)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_made_of_a_span(case: str) -> None:
    (span, end_us, cutting), expected = CASES[case]
    assert made(span, end_us, **cutting) == expected


def test_shots_are_between_their_edges_and_short_ones_are_left_out() -> None:
    found = made((None, None), 30 * S, [4 * S, 4_500_000, 7 * S], no_span="shots")
    spans = [span for span, _ in found]
    assert spans[:2] == [(0, 4 * S), (4_500_000, 7 * S)]
    assert spans[2:] == equal_parts(7 * S, 30 * S, 10 * S)


lengths = st.integers(1, 200 * S)


@given(st.integers(0, 50 * S), lengths, st.integers(1 * S, 20 * S))
def test_parts_cover_a_span_without_gaps_and_are_equal(start: int, length: int, max_us: int) -> None:
    parts = equal_parts(start, start + length, max_us)
    assert parts[0][0] == start and parts[-1][1] == start + length
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    sizes = [(end or 0) - (begin or 0) for begin, end in parts]
    assert max(sizes) <= max_us and max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-length // max_us)


@given(lengths, st.integers(1 * S, 20 * S), st.integers(1 * S, 20 * S), st.integers(0, 3 * S))
def test_windows_lie_inside_the_video(end: int, window: int, stride: int, shortest: int) -> None:
    found = windows(end, window, stride, shortest)
    assert all(0 <= (one or 0) < (other or 0) <= end for one, other in found)
    assert all(shortest <= (other or 0) - (one or 0) <= window for one, other in found)
    assert [one for one, _ in found] == [place * stride for place in range(len(found))]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots of 2 s, 3 s and 2.4 s at 25 frames a second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    shots = (
        "testsrc=s=160x120:r=25:d=2",
        "mandelbrot=s=160x120:r=25:end_pts=75,trim=duration=3",
        "smptebars=s=160x120:r=25:d=2.4",
    )
    graph = ";".join(f"{shot},format=yuv420p,setsar=1[{place}]" for place, shot in enumerate(shots))
    run_ffmpeg("-filter_complex", f"{graph};[0][1][2]concat=n=3[v]", "-map", "[v]", str(path))
    return path


def test_the_shots_of_a_film_become_clips(sandbox: MediaSandbox, film: Path, tmp_path: Path) -> None:
    task = make_task(film, tmp_path / "out", cutting=Cutting(no_span="shots"))
    outcome = sandbox.cut(task)
    assert outcome.failures == ()
    spans = [clip.made_us for clip in outcome.clips]
    expected = [(0, 2 * S), (2 * S, 5 * S), (5 * S, 7_400_000)]
    assert len(spans) == 3
    for found, wanted in zip(spans, expected, strict=True):
        assert found is not None
        assert abs(found[0] - wanted[0]) <= 40_000 and abs(found[1] - wanted[1]) <= 40_000
    assert [clip.frames for clip in outcome.clips] == [50, 75, 60]
    assert all(clip.signals.cuts_us == () for clip in outcome.clips), "no cut is left inside a shot"


def test_the_whole_film_tells_its_cuts(sandbox: MediaSandbox, film: Path, tmp_path: Path) -> None:
    (clip,) = sandbox.cut(make_task(film, tmp_path / "out")).clips
    assert clip.made_us is None
    assert clip.signals.cuts_us == (2 * S, 5 * S)


def test_windows_and_parts_in_the_sandbox(sandbox: MediaSandbox, tmp_path: Path) -> None:
    video = write_test_video(tmp_path / "a.mp4", seconds=3.0)
    rules = Cutting(no_span="windows", window_s=1, stride_s=1)
    outcome = sandbox.cut(make_task(video, tmp_path / "windows", cutting=rules))
    assert [clip.made_us for clip in outcome.clips] == [(0, S), (S, 2 * S), (2 * S, 3 * S)]
    assert len({clip.media_path for clip in outcome.clips}) == 3
    short = ClipFormat(max_s=1.5)
    task = make_task(video, tmp_path / "parts", (0, 3 * S), clip=short, cutting=Cutting(long_spans="split"))
    assert [clip.made_us for clip in sandbox.cut(task).clips] == [(0, 1_500_000), (1_500_000, 3 * S)]
    (failure,) = sandbox.cut(make_task(video, tmp_path / "long", (0, 3 * S), clip=short)).failures
    assert failure.reason is Reason.SPAN_TOO_LONG


def test_a_video_that_is_too_short_for_a_window_is_a_reject(sandbox: MediaSandbox, tmp_path: Path) -> None:
    video = write_test_video(tmp_path / "a.mp4", seconds=0.4)
    rules = Cutting(no_span="windows", window_s=1, stride_s=1)
    task = make_task(video, tmp_path / "out", clip=ClipFormat(min_s=0.5), cutting=rules)
    assert [failure.reason for failure in sandbox.cut(task).failures] == [Reason.TOO_SHORT]
