"""Cut points are exact: every frame of a test video carries its own number in its pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.media import decode_clip, decode_clip_timed
from curation.media.tasks import CutOutcome, Span
from schemas.media import ClipFormat
from tests.curation.media.conftest import Cut
from tests.curation.media.make import read_counter, run_ffmpeg, write_counter_video, write_test_video

EVEN_MS = [40 * number for number in range(150)]
# 25 fps, then 10 fps from frame 50 on, then a hole of 2 s before frame 80
UNEVEN_MS = [40 * n for n in range(50)] + [2_000 + 100 * n for n in range(30)] + [7_000 + 40 * n for n in range(40)]

SPANS: dict[str, Span] = {
    "from the start": (None, 1_000_000),
    "between key frames": (1_480_000, 2_520_000),
    "borders between frames": (1_481_000, 2_519_000),
    "one microsecond after a frame": (1_000_001, 2_000_001),
    "to the end": (4_900_000, None),
}


def numbers(outcome: CutOutcome, span_index: int) -> list[int]:
    """The frame numbers in the clip of a span."""
    assert outcome.failures == ()
    clip = next(clip for clip in outcome.clips if clip.span_index == span_index)
    return [read_counter(frame) for frame in decode_clip(Path(clip.media_path))]


def expected(times_ms: list[int], span: Span) -> list[int]:
    """The frames whose time from the first frame lies in the half-open span."""
    start_us, end_us = span[0] or 0, 10**12 if span[1] is None else span[1]
    return [number for number, time in enumerate(times_ms) if start_us <= (time - times_ms[0]) * 1000 < end_us]


@pytest.mark.parametrize("kind", ["mp4", "matroska", "mpegts", "avi"])
def test_even_frames(kind: str, tmp_path: Path, cut: Cut) -> None:
    path = tmp_path / "video"
    source = write_counter_video(tmp_path / "video.mp4", EVEN_MS)
    offset = ("-output_ts_offset", "95000") if kind == "mpegts" else ()
    again = ("-c:v", "mpeg4", "-q:v", "2", "-r", "25") if kind == "avi" else ("-c", "copy")
    run_ffmpeg("-i", str(source), *again, *offset, "-f", kind, str(path))
    outcome = cut(path, *SPANS.values())
    for index, (name, span) in enumerate(SPANS.items()):
        assert numbers(outcome, index) == expected(EVEN_MS, span), name


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_uneven_frames_keep_their_times(container: str, tmp_path: Path, cut: Cut) -> None:
    path = write_counter_video(tmp_path / "video", UNEVEN_MS, container=container)
    spans: list[Span] = [(1_960_000, 2_300_001), (1_500_000, 7_100_000), (4_000_000, 7_040_000)]
    outcome = cut(path, *spans)
    for index, span in enumerate(spans):
        wanted = expected(UNEVEN_MS, span)
        assert numbers(outcome, index) == wanted
        times = [time_us for time_us, _ in decode_clip_timed(Path(outcome.clips[index].media_path))]
        assert times == [1000 * (UNEVEN_MS[number] - UNEVEN_MS[wanted[0]]) for number in wanted]


def test_sound_that_starts_earlier_does_not_shift_the_cut(tmp_path: Path, cut: Cut) -> None:
    video = write_counter_video(tmp_path / "video.mp4", EVEN_MS)
    path = tmp_path / "late.mkv"
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=7", "-itsoffset", "0.7", "-i", str(video), "-c:v", "copy", str(path))
    assert numbers(cut(path, (1_000_000, 1_400_000)), 0) == list(range(25, 35))


def test_constant_rate_on_request(tmp_path: Path, cut: Cut) -> None:
    path = write_counter_video(tmp_path / "video.mp4", EVEN_MS)
    clip = cut(path, (1_000_000, 3_000_000), clip=ClipFormat(fps=5)).clips[0]
    assert (clip.frames, clip.fps_1e3, clip.duration_us) == (10, 5_000, 2_000_000)


def test_bytes_repeat_alone_and_together(tmp_path: Path, cut: Cut) -> None:
    path = write_test_video(tmp_path / "video.mp4", seconds=6)
    spans: list[Span] = [(0, 2_000_000), (1_000_000, 3_000_000), (3_500_000, None)]
    first, again = cut(path, *spans), cut(path, *spans)
    assert [clip.media_sha256 for clip in first.clips] == [clip.media_sha256 for clip in again.clips]
    for one, other in zip(first.clips, again.clips, strict=True):
        assert Path(one.strip_path).read_bytes() == Path(other.strip_path).read_bytes()
    for index, span in enumerate(spans):
        assert cut(path, span).clips[0].media_sha256 == first.clips[index].media_sha256


def test_many_spans_need_several_processes(tmp_path: Path, cut: Cut) -> None:
    path = write_counter_video(tmp_path / "video.mp4", EVEN_MS)
    spans = [(40_000 * first, 40_000 * first + 400_000) for first in range(130)]
    outcome = cut(path, *spans)
    assert [clip.span_index for clip in outcome.clips] == list(range(130))
    assert numbers(outcome, 129) == list(range(129, 139))


def test_size_change_in_mid_stream_keeps_times_and_size(tmp_path: Path, cut: Cut) -> None:
    small = write_test_video(tmp_path / "small.ts", size="160x120", extra=("-f", "mpegts"))
    large = write_test_video(tmp_path / "large.ts", size="320x240", extra=("-f", "mpegts", "-output_ts_offset", "2.08"))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    clip = cut(path, (1_000_000, 3_000_000)).clips[0]
    assert (clip.frames, clip.width_px, clip.height_px) == (50, 160, 120)


# 10 fps for 70 s: the late spans are sought, the early one keeps a joint run from seeking
LONG_MS = [100 * number for number in range(700)]


@pytest.mark.parametrize("sound_first", [False, True])
def test_seeking_finds_the_same_frames(sound_first: bool, tmp_path: Path, cut: Cut) -> None:
    path = write_counter_video(tmp_path / "plain.mp4", LONG_MS, gop_frames=33)
    if sound_first:
        path = tmp_path / "late.mp4"
        late = ("-itsoffset", "1.3", "-i", str(tmp_path / "plain.mp4"))
        run_ffmpeg("-f", "lavfi", "-i", "sine=d=70", *late, "-c:v", "copy", str(path))
    early, late_one, last = (0, 1_000_000), (45_100_000, 47_000_001), (69_000_000, None)
    together = cut(path, early, late_one, last)
    assert numbers(together, 1) == expected(LONG_MS, late_one)
    assert numbers(together, 2) == expected(LONG_MS, last)
    sought = cut(path, late_one, last)
    assert [clip.media_sha256 for clip in sought.clips] == [clip.media_sha256 for clip in together.clips[1:]]
