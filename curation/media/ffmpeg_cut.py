"""The ffmpeg command of a group of spans: each is an output of it, in the corpus's own format.

Bytes repeat exactly for one ffmpeg build and instruction set: one thread per codec, x264 without CPU-dependent
shortcuts, bit-exact scaling, no metadata, no times of day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from curation.media.groups import Group, takes_audio
from curation.media.probe import US_PER_S, Probe
from curation.media.spans import PlannedSpan, ticks_at_or_after
from schemas.media import ClipFormat, MediaLimits

# the largest single allocation: an 8K frame of 10 bits needs 100 MB, a 16k picture needs 800 MB
MAX_ALLOC_BYTES = 268_435_456
# mp4 keeps a frame's length in 32 bits of its time scale: nanosecond ticks overflow after 4 s
FINEST_TIME_BASE = Fraction(1, US_PER_S)
# ITU-T H.273 matrix numbers that are kept as they are; anything else is converted to BT.709
MATRIX_UNSPECIFIED = 2
KEPT_MATRICES = frozenset({1, 5, 6})
# what players assume of an untagged video: BT.601 up to the 576 lines of PAL, BT.709 above
MAX_SD_LINES = 576


def clip_path(folder: str, span: PlannedSpan) -> str:
    """Return where a span's clip is written."""
    name = f"clip-{span.index:05d}" if span.made_us is None else f"clip-{span.index:05d}-{span.made_us[0]}"
    return str(Path(folder) / f"{name}.mp4")


@dataclass(frozen=True, kw_only=True)
class CutJob:
    """What all spans of a video have in common: the program, the paths, the video and the formats.

    Attributes:
        first_tick: the first frame's timestamp in ticks of the stream; None where nothing is to be sought.
    """

    ffmpeg_path: str
    source_path: str
    folder: str
    video: Probe
    clip: ClipFormat
    limits: MediaLimits
    first_tick: int | None = None


def cut_command(job: CutJob, group: Group) -> list[str]:
    """Return the argument list that cuts a group; paths are written so that no name can be taken for an option."""
    video, clip, spans = job.video, job.clip, group.spans
    first_tick = None if group.seek_us is None else job.first_tick
    seek_us = None if first_tick is None else group.seek_us
    source = _input(job, seek_us)
    relative = _relative_times(source[str(video.stream_index)], video, first_tick)
    pictures = [
        _picture(_cut(branch, span, video), video, clip)
        for branch, span in zip(_branches(relative, "split", len(spans)), spans, strict=True)
    ]
    sounds = _sounds(source, job, spans, sought=seek_us is not None)
    outputs = [
        ffmpeg.output(picture, *sound, f"file:{clip_path(job.folder, span)}", **_coding(clip, with_audio=bool(sound)))
        for picture, sound, span in zip(pictures, sounds, spans, strict=True)
    ]
    merged = outputs[0] if len(outputs) == 1 else ffmpeg.merge_outputs(*outputs)
    argv: list[str] = ffmpeg.compile(merged, cmd=[job.ffmpeg_path, *_global_options(keep_times=seek_us is not None)])
    return argv


def _global_options(*, keep_times: bool) -> list[str]:
    quiet = ["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    single = ["-filter_threads", "1", "-filter_complex_threads", "1"]
    # frames that do not decode are counted against the promise afterwards; the rate alone must not lose other spans
    bounds = ["-max_alloc", str(MAX_ALLOC_BYTES), "-max_error_rate", "1"]
    return [*quiet, *single, *bounds, *(["-copyts"] if keep_times else [])]


def _input(job: CutJob, seek_us: int | None) -> Any:
    video = job.video
    options: dict[str, Any] = {
        "f": video.container,
        "format_whitelist": video.container,
        "protocol_whitelist": "file,pipe",
        "threads": 1,
        "max_pixels": job.limits.max_pixels,
        # a change of size in mid-stream must not rebuild the graph: the times would start again from zero
        "reinit_filter": 0,
    }
    if video.decoder is not None:
        options["c:v"] = video.decoder
    if seek_us is not None:
        options.update(ss=f"{seek_us}us", noaccurate_seek=None)
    return ffmpeg.input(f"file:{job.source_path}", **options)


def _sounds(source: Any, job: CutJob, spans: Sequence[PlannedSpan], *, sought: bool) -> list[list[Any]]:
    """Return the sound of each span, in step with its picture; nothing where none is wanted or there.

    Sound is counted from the first presented frame, as the picture is: ffmpeg counts both from the earliest timestamp
    of the file, or keeps the file's own when it was sought. Where sound begins late or has holes there is silence.
    """
    video = job.video
    if not takes_audio(video, job.clip) or job.first_tick is None:
        return [[] for _ in spans]
    origin_us = 0 if sought else video.container_start_us
    first_s = Fraction(job.first_tick) * video.time_base - Fraction(origin_us, US_PER_S)
    relative = source[str(video.audio_index)].filter("asetpts", f"PTS-({float(first_s):.9f})/TB")
    return [
        [_sound(branch, span)] for branch, span in zip(_branches(relative, "asplit", len(spans)), spans, strict=True)
    ]


def _sound(stream: Any, span: PlannedSpan) -> Any:
    start_s, end_s = span.start_us / US_PER_S, span.end_us / US_PER_S
    cut = stream.filter("atrim", start=f"{start_s:.6f}", end=f"{end_s:.6f}")
    moved = cut.filter("asetpts", f"PTS-({start_s:.6f})/TB")
    return moved.filter("aresample", 48000, **{"async": 1, "first_pts": 0})


def _relative_times(stream: Any, video: Probe, first_tick: int | None) -> Any:
    """Times counted from the first presented frame, in the ticks that cut points are computed in."""
    start = "STARTPTS" if first_tick is None else f"({round(first_tick * video.time_base / _tick(video))})"
    return stream.filter("settb", str(_tick(video))).filter("setpts", f"PTS-{start}")


def _tick(video: Probe) -> Fraction:
    return max(video.time_base, FINEST_TIME_BASE)


def _branches(stream: Any, splitter: str, count: int) -> list[Any]:
    if count == 1:
        return [stream]
    parts = stream.filter_multi_output(splitter, count)
    return [parts[index] for index in range(count)]


def _cut(stream: Any, span: PlannedSpan, video: Probe) -> Any:
    tick = _tick(video)
    trimmed = stream.filter(
        "trim", start_pts=ticks_at_or_after(span.start_us, tick), end_pts=ticks_at_or_after(span.end_us, tick)
    )
    return trimmed.filter("setpts", "PTS-STARTPTS")


def _picture(stream: Any, video: Probe, clip: ClipFormat) -> Any:
    """Square pixels, the shorter side at most `short_side_px`, even sides, 8-bit yuv420p of limited range, no alpha."""
    if clip.fps is not None:
        stream = stream.filter("fps", clip.fps, start_time=0)
    if video.has_alpha:
        # colour times alpha is the picture over black
        stream = stream.filter("format", "gbrap").filter("premultiply", inplace=1)
    if video.matrix == MATRIX_UNSPECIFIED and not video.is_rgb and not video.has_alpha:
        matrix = "bt709" if min(video.height_px, video.width_px) > MAX_SD_LINES else "smpte170m"
        stream = stream.filter("setparams", colorspace=matrix)
    factor = f"min(1,{clip.short_side_px}/min(iw*sar,ih))"
    size = {"w": f"max(2,2*round(iw*sar*{factor}/2))", "h": f"max(2,2*round(ih*{factor}/2))"}
    colours = {"out_range": "tv"}
    if video.is_rgb or video.has_alpha or video.matrix not in {*KEPT_MATRICES, MATRIX_UNSPECIFIED}:
        colours["out_color_matrix"] = "bt709"
    scaled = stream.filter("scale", **size, **colours, flags="bicubic+accurate_rnd+bitexact")
    return scaled.filter("setsar", 1).filter("format", "yuv420p")


def _coding(clip: ClipFormat, *, with_audio: bool) -> dict[str, Any]:
    sound: dict[str, Any] = {"c:a": "aac", "b:a": "96k", "ac": 2} if with_audio else {"an": None}
    return {
        "f": "mp4",
        **sound,
        "sn": None,
        "dn": None,
        "c:v": "libx264",
        "preset": clip.preset,
        "crf": clip.crf,
        "g": clip.gop_frames,
        "threads": 1,
        "x264-params": "cpu-independent=1",
        # vfr keeps the frames' own times and drops only frames that repeat a time, which mp4 cannot hold
        "fps_mode": "vfr",
        "enc_time_base:v" if with_audio else "enc_time_base": "filter",
        "flags": "+bitexact",
        "fflags": "+bitexact",
        "map_metadata": -1,
        "map_chapters": -1,
        "movflags": "+faststart",
    }
