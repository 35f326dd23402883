"""Cut points are exact to the frame whatever the container does with times and the codec with pictures.

One video whose frame n shows n at 40 n ms is rewritten in many ways. In each, a span must hold the frames whose time
from the first presented frame lies in it, no more and no fewer, with their times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from curation.media import CutClip, decode_clip_timed
from curation.media.tasks import Span
from tests.curation.media.conftest import Cut
from tests.curation.media.make import read_counter, run_ffmpeg, write_counter_video

FRAMES, STEP_US = 150, 40_000
SPANS: dict[str, Span] = {
    "from the start": (None, 1_000_000),
    "between key frames": (1_480_000, 2_520_000),
    "a microsecond after a frame": (1_000_001, 2_000_001),
    "to the end": (4_000_000, None),
}
# a new H.264 picture; few B-frames, so that presentation and decoding differ in order
X264 = ("-c:v", "libx264", "-crf", "12", "-g", "25", "-bf", "2")
X265 = ("-c:v", "libx265", "-x265-params", "log-level=0:keyint=25", "-pix_fmt", "yuv420p10le")
PQ = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc")
HLG = ("-vf", "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc")
VP9 = ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-crf", "20", "-b:v", "0", "-g", "25")
COPY = ("-c", "copy")
INTERLACED = ("-vf", "setfield=tff", "-flags", "+ildct+ilme", *X264)
EARLIER = ("-vf", "setpts=PTS-1/TB", "-fps_mode", "passthrough", "-avoid_negative_ts", "disabled")
EVERY_THIRD = "select='lt(n\\,50)+not(mod(n\\,3))'"


def every(number: int) -> bool:
    """All frames of the counter are in the video."""
    return number >= 0


def thinned(number: int) -> bool:
    """Of the later frames every third is in the video."""
    return number < 50 or number % 3 == 0


@dataclass(frozen=True)
class Way:
    """How the counter is rewritten.

    Attributes:
        output: options behind the input; before: options in front of it.
        first: the number of the first frame that a player shows.
        upright: turns a frame of a clip back so that its number can be read.
        shown: whether a frame of the counter is in the video.
    """

    name: str
    output: tuple[str, ...]
    before: tuple[str, ...] = ()
    first: int = 0
    upright: Callable[[np.ndarray], np.ndarray] = np.asarray
    shown: Callable[[int], bool] = every


WAYS: dict[str, Way] = {
    # -ss in front of a copy starts the stream at a key frame and hides, by an edit list, what lies before 0.5 s
    "edit list": Way("a.mp4", COPY, before=("-ss", "0.5"), first=13),
    "edit list behind a key frame": Way("a.mp4", COPY, before=("-ss", "1.33"), first=34),
    "negative times, matroska": Way("a.mkv", (*EARLIER, "-c:v", "ffv1")),
    "negative times, mov": Way("a.mov", (*EARLIER, *X264, "-use_editlist", "0")),
    "negative times, transport stream": Way("a.ts", (*COPY, "-output_ts_offset", "-1")),
    "offset of 30 s, mp4": Way("a.mp4", (*COPY, "-output_ts_offset", "30")),
    "offset of 30 s, matroska": Way("a.mkv", (*COPY, "-output_ts_offset", "30")),
    "offset of a day, transport stream": Way("a.ts", (*COPY, "-output_ts_offset", "95000")),
    "variable rate": Way("a.mp4", ("-vf", EVERY_THIRD, "-fps_mode", "vfr", *X264), shown=thinned),
    "variable rate, matroska": Way("a.mkv", ("-vf", EVERY_THIRD, "-fps_mode", "vfr", *X264), shown=thinned),
    "turned by 90 degrees": Way(
        "a.mp4", COPY, before=("-display_rotation", "90"), upright=lambda frame: np.rot90(frame, -1)
    ),
    "turned by 180 degrees": Way(
        "a.mp4", COPY, before=("-display_rotation", "180"), upright=lambda frame: frame[::-1, ::-1]
    ),
    "wide pixels": Way("a.mp4", ("-vf", "setsar=4/3", *X264)),
    "interlaced": Way("a.mp4", INTERLACED),
    "interlaced, transport stream": Way("a.ts", INTERLACED),
    "10 bits": Way("a.mp4", ("-pix_fmt", "yuv420p10le", *X264)),
    "HDR, PQ": Way("a.mp4", (*X265, *PQ, "-tag:v", "hvc1")),
    "HDR, HLG": Way("a.mkv", (*X265, *HLG)),
    "alpha, WebM": Way("a.webm", ("-vf", "format=yuva420p", *VP9)),
    "alpha, mov": Way("a.mov", ("-vf", "format=rgba", "-c:v", "qtrle")),
    "full range": Way("a.mp4", ("-vf", "scale=out_range=full", "-pix_fmt", "yuvj420p", *X264)),
    "odd sides, 4:4:4": Way("a.mp4", ("-vf", "scale=321:193", "-pix_fmt", "yuv444p", *X264)),
    "odd sides, VP9": Way("a.webm", ("-vf", "scale=321:193", *VP9)),
    "open groups of pictures": Way("a.mp4", (*X264, "-x264-params", "open-gop=1")),
    "fragments": Way("a.mp4", (*COPY, "-movflags", "frag_keyframe+empty_moov")),
    "VP8": Way("a.webm", ("-c:v", "libvpx", "-cpu-used", "8", "-b:v", "2M")),
    "AV1": Way("a.mkv", ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1", "-crf", "20")),
    "Theora": Way("a.ogv", ("-c:v", "libtheora", "-q:v", "9")),
    "Flash video": Way("a.flv", COPY),
    "AVI with B-frames": Way("a.avi", COPY),
    "GIF": Way("a.gif", ("-r", "25")),
}


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The counter at 25 frames a second, a key frame every second."""
    path = tmp_path_factory.mktemp("counter") / "counter.mp4"
    return write_counter_video(path, [number * STEP_US // 1000 for number in range(FRAMES)], gop_frames=25)


def in_span(way: Way, span: Span) -> list[int]:
    """The numbers that a span of the rewritten video holds."""
    start_us, end_us = span[0] or 0, 10**12 if span[1] is None else span[1]
    numbers = [number for number in range(way.first, FRAMES) if way.shown(number)]
    return [number for number in numbers if start_us <= (number - way.first) * STEP_US < end_us]


def told_by(way: Way, clip: CutClip) -> tuple[list[int], list[int]]:
    """The numbers in a clip, and its times in microseconds from its first frame."""
    frames = list(decode_clip_timed(Path(clip.media_path)))
    return [read_counter(way.upright(frame)) for _, frame in frames], [time_us for time_us, _ in frames]


@pytest.mark.parametrize("case", WAYS)
def test_a_span_holds_its_frames_and_no_others(case: str, counter: Path, tmp_path: Path, cut: Cut) -> None:
    way = WAYS[case]
    path = tmp_path / way.name
    run_ffmpeg(*way.before, "-i", str(counter), *way.output, str(path))
    outcome = cut(path, *SPANS.values())
    assert outcome.failures == ()
    for clip, (name, span) in zip(outcome.clips, SPANS.items(), strict=True):
        wanted = in_span(way, span)
        numbers, times_us = told_by(way, clip)
        assert numbers == wanted, name
        assert times_us == [(number - wanted[0]) * STEP_US for number in wanted], name


def facts_of(path: Path) -> dict[str, object]:
    """What a container says of its video, and what its first frame turns out to be."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        frame = next(container.decode(stream))
        start_s = 0 if stream.start_time is None else round(float(stream.start_time * (stream.time_base or 0)), 2)
        return {
            "start_s": start_s,
            "pix_fmt": context.pix_fmt,
            "transfer": int(context.color_trc),
            "range": int(context.color_range),
            "pixel": stream.sample_aspect_ratio,
            "rotation": frame.rotation,
            "interlaced": frame.interlaced_frame,
            "size": (context.width, context.height),
            "frames": stream.frames,
            "alpha": stream.metadata.get("alpha_mode"),
        }


SAID: dict[str, dict[str, object]] = {
    "negative times, matroska": {"start_s": -1.0},
    "offset of 30 s, mp4": {"start_s": 30.0},
    "offset of 30 s, matroska": {"start_s": 30.0},
    "offset of a day, transport stream": {"start_s": 95_001.4},
    "variable rate": {"frames": 83},
    "turned by 90 degrees": {"rotation": 90},
    "turned by 180 degrees": {"rotation": -180},
    "wide pixels": {"pixel": Fraction(4, 3)},
    "interlaced": {"interlaced": True},
    "10 bits": {"pix_fmt": "yuv420p10le"},
    "HDR, PQ": {"pix_fmt": "yuv420p10le", "transfer": 16},
    "HDR, HLG": {"pix_fmt": "yuv420p10le", "transfer": 18},
    "alpha, WebM": {"alpha": "1"},
    "alpha, mov": {"pix_fmt": "argb"},
    "full range": {"range": 2},
    "odd sides, 4:4:4": {"size": (321, 193), "pix_fmt": "yuv444p"},
}


@pytest.mark.parametrize("case", SAID)
def test_the_ways_are_what_they_are_called(case: str, counter: Path, tmp_path: Path) -> None:
    way = WAYS[case]
    path = tmp_path / way.name
    run_ffmpeg(*way.before, "-i", str(counter), *way.output, str(path))
    found = facts_of(path)
    assert {name: found[name] for name in SAID[case]} == SAID[case]
