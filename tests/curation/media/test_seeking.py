"""Seeking changes what is decoded and not a byte of what comes out; a seek that goes wrong costs time and no frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from curation.media import MediaSandbox, ffmpeg_build
from curation.media.ffmpeg_cut import CutJob, clip_path, cut_command
from curation.media.ffmpeg_run import run_ffmpeg
from curation.media.groups import Group, group_spans
from curation.media.probe import Probe, first_tick, probe
from curation.media.source_file import open_source
from curation.media.spans import PlannedSpan, plan_span
from schemas.media import ClipFormat, MediaLimits
from tests.curation.media.conftest import make_task
from tests.curation.media.make import run_ffmpeg as make

# 70 s at 10 frames a second of a picture that moves and is noisy: a frame decoded without its references shows
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=128x96:r=10:d=70,noise=alls=12:allf=t")
SPANS = ((45_130_000, 46_200_000), (63_000_000, 64_000_000))
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "2", "-g", "33")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
X265_GOP = "log-level=0:keyint=33:min-keyint=33:bframes=3"
VP9 = ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-g", "33", "-b:v", "200k")
LATE_SOUND = ("-f", "lavfi", "-i", "sine=d=70", "-itsoffset", "1.3")
FEW = "select='lt(n\\,200)+not(mod(n\\,3))'"


@dataclass(frozen=True)
class Way:
    """How the film is written; `sought` is whether its late spans are sought."""

    name: str
    output: tuple[str, ...]
    sought: bool = True
    audio: Literal["none", "aac"] = "none"


WAYS: dict[str, Way] = {
    "mp4": Way("a.mp4", X264),
    "mp4, open groups": Way("a.mp4", (*X264, "-x264-params", "open-gop=1")),
    "mp4, gradual refresh": Way("a.mp4", (*X264, "-bf", "0", "-x264-params", "intra-refresh=1")),
    "mp4, 4 B-frames in a pyramid": Way("a.mp4", (*X264, "-bf", "4", "-x264-params", "b-pyramid=normal:ref=4")),
    "mp4, no B-frames": Way("a.mp4", (*X264, "-bf", "0")),
    "mp4, HEVC with open groups": Way("a.mp4", (*X265, "-x265-params", f"{X265_GOP}:open-gop=1", "-tag:v", "hvc1")),
    "mp4, variable rate": Way("a.mp4", ("-vf", FEW, "-fps_mode", "vfr", *X264)),
    "mp4, offset": Way("a.mp4", (*X264, "-output_ts_offset", "30")),
    "mp4, fragments": Way("a.mp4", (*X264, "-movflags", "frag_keyframe+empty_moov")),
    "mp4, with its sound": Way("a.mp4", ("-f", "lavfi", "-i", "sine=d=70", *X264, "-c:a", "aac"), audio="aac"),
    "matroska": Way("a.mkv", X264),
    "matroska, open groups": Way("a.mkv", (*X264, "-x264-params", "open-gop=1")),
    "matroska, gradual refresh": Way("a.mkv", (*X264, "-bf", "0", "-x264-params", "intra-refresh=1")),
    "matroska, HEVC with open groups": Way("a.mkv", (*X265, "-x265-params", f"{X265_GOP}:open-gop=1")),
    "matroska, variable rate": Way("a.mkv", ("-vf", FEW, "-fps_mode", "vfr", *X264)),
    "matroska, offset": Way("a.mkv", (*X264, "-output_ts_offset", "30")),
    "matroska, no index": Way("a.mkv", (*X264, "-live", "1")),
    # times of sound are rounded to milliseconds there, and counted on from where decoding began
    "matroska, with its sound": Way(
        "a.mkv", ("-f", "lavfi", "-i", "sine=d=70", *X264, "-c:a", "aac"), sought=False, audio="aac"
    ),
    "WebM, VP9": Way("a.webm", (*VP9, "-auto-alt-ref", "1", "-lag-in-frames", "16")),
    "WebM, VP8": Way("a.webm", ("-c:v", "libvpx", "-cpu-used", "8", "-g", "33", "-b:v", "200k"), sought=False),
    "matroska, AV1": Way("a.mkv", ("-c:v", "libsvtav1", "-preset", "12", "-g", "33", "-svtav1-params", "lp=1")),
    "matroska, FFV1": Way("a.mkv", ("-c:v", "ffv1", "-g", "12")),
    "matroska, every frame a key frame": Way("a.mkv", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"), sought=False),
    "transport stream": Way("a.ts", X264, sought=False),
    "AVI": Way("a.avi", ("-c:v", "mpeg4", "-q:v", "4", "-g", "33"), sought=False),
    "Flash video": Way("a.flv", X264, sought=False),
}


@dataclass(frozen=True)
class Original:
    """A film, opened and planned as the child does it, each span in a group of its own."""

    job: CutJob
    groups: list[Group]


def opened(path: Path, folder: Path, clip: ClipFormat) -> Original:
    """Read a film and plan its late spans."""
    folder.mkdir(exist_ok=True)
    limits = MediaLimits()
    source = open_source(str(path), limits)
    video: Probe = probe(source, limits)
    planned = [plan_span(index, span, video, clip, limits) for index, span in enumerate(SPANS)]
    job = CutJob(
        ffmpeg_path=ffmpeg_build().path,
        source_path=str(path),
        folder=str(folder),
        video=video,
        clip=clip,
        limits=limits,
        first_tick=first_tick(source, limits),
    )
    return Original(job, [group for span in planned for group in group_spans([span], video, clip, limits)])


def clips_of(original: Original, groups: list[Group]) -> dict[int, bytes]:
    """The bytes of the clips that some groups are cut to."""
    found: dict[int, bytes] = {}
    for group in groups:
        run = run_ffmpeg(cut_command(original.job, group), original.job.folder, cpu_s=120)
        assert run.code == 0, run.stderr
        for span in group.spans:
            found[span.index] = Path(clip_path(original.job.folder, span)).read_bytes()
    return found


@pytest.mark.parametrize("case", WAYS)
def test_the_same_bytes_with_and_without_seeking(case: str, tmp_path: Path) -> None:
    way = WAYS[case]
    path = tmp_path / way.name
    make(*PICTURE, *way.output, str(path))
    original = opened(path, tmp_path / "out", ClipFormat(audio=way.audio))
    assert [group.seek_us is not None for group in original.groups] == [way.sought] * 2
    sought = clips_of(original, original.groups)
    assert all(len(data) > 1_000 for data in sought.values()) and len(sought) == 2
    from_start = clips_of(original, [Group(tuple(span for group in original.groups for span in group.spans))])
    assert sought == from_start


def lying_index(data: bytes) -> bytes:
    """Return a matroska file whose index names a time 20 s too early for every place: a seek to 40 s comes out at 60 s.

    In the index (Cues, 1C 53 BB 6B) a time (CueTime) is B3, its size with the highest bit set, and the number.
    """
    # the last one is the index itself; the first one says where it is
    at, shifted = data.rindex(b"\x1c\x53\xbb\x6b"), bytearray(data)
    while (at := data.find(b"\xb3", at + 1)) != -1:
        size = data[at + 1] & 0x7F
        time = int.from_bytes(data[at + 2 : at + 2 + size], "big")
        if data[at + 1] & 0x80 and size in (2, 3) and time <= 70_000:
            shifted[at + 2 : at + 2 + size] = max(0, time - 20_000).to_bytes(size, "big")
    return bytes(shifted)


def test_a_seek_that_goes_too_far_is_made_good(sandbox: MediaSandbox, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.mkv", tmp_path / "bad.mkv"
    make(*PICTURE, *X264, str(good))
    bad.write_bytes(lying_index(good.read_bytes()))
    original = opened(bad, tmp_path / "lost", ClipFormat())
    (span, _) = (group.spans[0] for group in original.groups)
    assert isinstance(span, PlannedSpan)
    run_ffmpeg(cut_command(original.job, original.groups[0]), original.job.folder, cpu_s=120)
    assert Path(clip_path(original.job.folder, span)).stat().st_size < 1_000, "the seek does go too far"
    found = [sandbox.cut(make_task(path, tmp_path / path.stem, *SPANS)) for path in (good, bad)]
    assert [outcome.failures for outcome in found] == [(), ()]
    assert [clip.media_sha256 for clip in found[0].clips] == [clip.media_sha256 for clip in found[1].clips]
