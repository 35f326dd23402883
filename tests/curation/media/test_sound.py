"""Clips with sound: in step with the picture, and only when asked for."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from curation.media import MediaSandbox
from schemas.media import ClipFormat
from tests.curation.media.conftest import make_task
from tests.curation.media.make import run_ffmpeg

WITH_SOUND = ClipFormat(audio="aac")
FLASH_S = 1.6
# A frame of AAC is 21 ms, and its beginning is not sharp.
IN_STEP_S = 0.03


def film(path: Path, *more: str, seconds: float = 4.0) -> Path:
    """White from 1.6 s to 1.8 s, with a tone at the same time."""
    picture = f"color=black:s=64x64:r=25:d={seconds},drawbox=c=white:t=fill:enable='between(t,{FLASH_S},1.79)'"
    tone = f"aevalsrc='0.5*sin(2*PI*880*t)*between(t,{FLASH_S},1.8)':s=44100:d={seconds}"
    inputs = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone)
    run_ffmpeg(*inputs, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", *more, f"file:{path}")
    return path


def onsets_s(media: str) -> tuple[float, float]:
    """Return when the picture turns white and when the tone begins, in seconds of the clip."""
    with av.open(media) as container:
        stream = container.streams.video[0]
        white = next(
            float((frame.pts or 0) * stream.time_base)
            for frame in container.decode(stream)
            if frame.to_ndarray(format="gray").mean() > 128
        )
    with av.open(media) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (48_000, 2)
        for frame in container.decode(stream):
            loud = np.abs(frame.to_ndarray()[0]) > 0.1
            if loud.any():
                return white, float((frame.pts or 0) * stream.time_base) + int(loud.argmax()) / 48_000
    raise AssertionError("the tone is not there")


FILMS = {
    "mp4": (".mp4", ()),
    "a transport stream that begins late": (".ts", ("-output_ts_offset", "95")),
    "matroska": (".mkv", ()),
}


@pytest.mark.parametrize("case", FILMS)
@pytest.mark.parametrize("start_s", [0.0, 0.52, 1.24])
def test_sound_is_in_step_with_the_picture(case: str, start_s: float, sandbox: MediaSandbox, tmp_path: Path) -> None:
    suffix, more = FILMS[case]
    video = film(tmp_path / f"film{suffix}", *more)
    span = (round(start_s * 1_000_000), 3_000_000)
    outcome = sandbox.cut(make_task(video, tmp_path / "out", span, (2_000_000, 3_000_000), clip=WITH_SOUND))
    assert outcome.failures == ()
    white_s, tone_s = onsets_s(outcome.clips[0].media_path)
    assert white_s == pytest.approx(FLASH_S - start_s, abs=0.001)
    assert tone_s == pytest.approx(white_s, abs=IN_STEP_S)


def test_sound_of_a_late_span_that_is_sought(sandbox: MediaSandbox, tmp_path: Path) -> None:
    head, whole = tmp_path / "head.mp4", tmp_path / "whole.mp4"
    quiet = ("-f", "lavfi", "-i", "color=black:s=64x64:r=25:d=40", "-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono")
    run_ffmpeg(*quiet, "-t", "40", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", f"file:{head}")
    film(tmp_path / "tail.mp4")
    (tmp_path / "list.txt").write_text(f"file '{head}'\nfile '{tmp_path / 'tail.mp4'}'\n")
    run_ffmpeg("-f", "concat", "-safe", "0", "-i", str(tmp_path / "list.txt"), "-c", "copy", f"file:{whole}")
    (clip,) = sandbox.cut(make_task(whole, tmp_path / "out", (41_000_000, 43_000_000), clip=WITH_SOUND)).clips
    white_s, tone_s = onsets_s(clip.media_path)
    assert white_s == pytest.approx(FLASH_S - 1.0, abs=0.05)
    assert tone_s == pytest.approx(white_s, abs=0.06)


def test_no_sound_unless_it_is_asked_for_and_there(sandbox: MediaSandbox, tmp_path: Path) -> None:
    video = film(tmp_path / "film.mp4")
    (plain,) = sandbox.cut(make_task(video, tmp_path / "plain", (0, 2_000_000))).clips
    with av.open(plain.media_path) as container:
        assert not container.streams.audio
    assert plain.signals.has_audio is True
    run_ffmpeg("-i", f"file:{video}", "-an", "-c", "copy", f"file:{tmp_path / 'mute.mp4'}")
    (mute,) = sandbox.cut(make_task(tmp_path / "mute.mp4", tmp_path / "mute", (0, 2_000_000), clip=WITH_SOUND)).clips
    assert mute.signals.has_audio is False
    assert mute.media_sha256 == plain.media_sha256, "sound changes nothing of the picture's bytes"


def test_clips_with_sound_repeat_byte_for_byte(sandbox: MediaSandbox, tmp_path: Path) -> None:
    video = film(tmp_path / "film.mp4")
    digests = {
        sandbox.cut(make_task(video, tmp_path / f"{number}", (0, 2_000_000), clip=WITH_SOUND)).clips[0].media_sha256
        for number in range(2)
    }
    assert len(digests) == 1
