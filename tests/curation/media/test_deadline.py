"""The deadline grows with the asked work, ends hostile files all the same, and costs no clip that was finished."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from curation.media import MediaSandbox, decode_clip, ffmpeg_build
from schemas.media import MediaLimits
from schemas.reasons import RETRYABLE, Reason
from tests.curation.media.conftest import make_task
from tests.curation.media.fake_ffmpeg import write_fake
from tests.curation.media.make import run_ffmpeg, write_counter_video, write_test_video

# each for itself takes longer to start ffmpeg for than this
NO_TIME_S = 0.05
HANGS_LATER = """#!/bin/sh
if [ -e '{mark}' ]; then exec sleep 86397; fi
: > '{mark}'
exec '{ffmpeg}' "$@"
"""


def test_asked_work_lengthens_the_deadline(sandbox: MediaSandbox, tmp_path: Path) -> None:
    video = write_test_video(tmp_path / "video.mp4", seconds=4)
    spans = [(second * 1_000_000, (second + 1) * 1_000_000) for second in range(4)]
    fixed = MediaLimits(wall_s=NO_TIME_S, frame_ms=0)
    (failure,) = sandbox.cut(make_task(video, tmp_path / "fixed", *spans, limits=fixed)).failures
    assert (failure.reason, failure.span_index) == (Reason.TIMEOUT, None)
    grown = MediaLimits(wall_s=NO_TIME_S, frame_ms=500)
    assert len(sandbox.cut(make_task(video, tmp_path / "grown", *spans, limits=grown)).clips) == 4


def test_finished_clips_are_kept_at_the_deadline(
    sandbox: MediaSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first group of spans is cut; ffmpeg hangs in the second."""
    video = write_counter_video(tmp_path / "video.mp4", [40 * number for number in range(150)])
    spans = [(40_000 * first, 40_000 * first + 400_000) for first in range(70)]
    fake = tmp_path / "fake-ffmpeg"
    fake.write_text(HANGS_LATER.format(mark=tmp_path / "mark", ffmpeg=ffmpeg_build().path), encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(fake))
    limits = MediaLimits(wall_s=12, frame_ms=0)
    outcome = sandbox.cut(make_task(video, tmp_path / "out", *spans, limits=limits))
    finished = [clip.span_index for clip in outcome.clips]
    assert finished == list(range(64)), "as many as one process holds"
    assert [(failure.span_index, failure.reason) for failure in outcome.failures] == [
        (index, Reason.TIMEOUT) for index in range(64, 70)
    ]
    assert Reason.TIMEOUT in RETRYABLE
    assert outcome.video is not None and outcome.video.duration_us == 6_000_000
    for clip in outcome.clips[::20]:
        assert len(list(decode_clip(Path(clip.media_path)))) == clip.frames == 10


# what a container may promise in order to live long
PROMISES = {
    "many frames": ("testsrc2=s=64x64:r=1000:d=20", 2.0),
    "large frames": ("color=s=4096x2304:r=25:d=1", 100.0),
}


@pytest.mark.parametrize("case", PROMISES)
def test_no_promise_lengthens_it_past_the_most(
    case: str, sandbox: MediaSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, frame_ms = PROMISES[case]
    video = tmp_path / "video.mp4"
    run_ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", str(video))
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(write_fake(tmp_path, "sleeps")))
    limits = MediaLimits(wall_s=1, frame_ms=frame_ms, max_wall_s=2.5)
    started_s = time.monotonic()
    (failure,) = sandbox.cut(make_task(video, tmp_path / "out", limits=limits)).failures
    assert failure.reason is Reason.TIMEOUT
    assert failure.detail == "not done after 2.5 s"
    assert time.monotonic() - started_s < 2.5 + 10


def test_a_lie_about_the_length_buys_no_time(
    sandbox: MediaSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the frames that the index promises lie behind the end of the file: they are not counted."""
    video = write_test_video(tmp_path / "video.mp4", seconds=40)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 10])
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(write_fake(tmp_path, "sleeps")))
    limits = MediaLimits(wall_s=1, frame_ms=10)
    # 500 frames are promised in the span; about 100 of them are there to be decoded and encoded
    (failure,) = sandbox.cut(make_task(video, tmp_path / "out", (0, 20_000_000), limits=limits)).failures
    allowed_s = float(failure.detail.removeprefix("not done after ").removesuffix(" s"))
    assert 1 + 1 < allowed_s < 1 + 3
