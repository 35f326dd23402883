"""What a container promises: the stream to cut, its size and colours, and the time of every frame it says it holds.

ffmpeg's exit code does not tell truncation, so the promised times are kept and compared with what was decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from curation.media.source_file import SourceFile
from curation.media.tasks import MediaError
from schemas.media import MediaLimits
from schemas.reasons import Reason

US_PER_S = 1_000_000
# below this nothing can be seen, and codecs with 16 px blocks carry mostly padding
MIN_SIDE_PX = 16
# sides further apart are a strip and no picture; the widest screens are 4 to 1
MAX_ASPECT = 16
# containers whose stated duration is only an estimate from the last timestamp in the file: it promises nothing
ESTIMATED_DURATION = frozenset({"mpegts", "ogg", "gif"})
# Containers in which ffmpeg finds key frames by an index, or by reading on. In others it guesses a place in the file.
SOUGHT = frozenset({"mov", "matroska"})
# VP8 has packets without a picture: a frame that a seek lost would not be missed
HIDES_FRAMES = frozenset({"vp8", "libvpx"})
# a lie about the length must not cost memory
MAX_ABSENT_FRAMES = 100_000
# the wheel's own VP8 and VP9 decoders drop the alpha plane of WebM; libvpx keeps it
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A readable container and its first real video stream.

    Attributes:
        decoder: an ffmpeg decoder to ask for, or None for the usual one.
        sar: sample aspect ratio, 1 where unknown.
        time_base: seconds of one tick of the stream's timestamps.
        matrix: the colour matrix's number in ITU-T H.273 (2 is unspecified).
        times_us: int64, sorted: presentation times of the promised frames, from the first one. For an indexed mp4 these
            are decoding times, which differ by a few frames' reordering.
        end_us: end of the video as promised.
        readable_end_us: where the bytes of the file stop short of the promise; None where the file is whole.
        key_times_us: int64, sorted: times of the key frames, where the container can be sought by them; else empty.
        exact_times: whether `times_us` are times of presentation, so that counting frames tells if one is missing.
        audio_index: of the first audio stream; None where there is none.
        container_start_us: the earliest timestamp of any stream, from which ffmpeg counts.
    """

    container: str
    codec: str
    decoder: str | None
    stream_index: int
    width_px: int
    height_px: int
    sar: Fraction
    time_base: Fraction
    fps_1e3: int
    pix_fmt: str
    has_alpha: bool
    is_rgb: bool
    matrix: int
    times_us: np.ndarray
    end_us: int
    readable_end_us: int | None
    key_times_us: np.ndarray
    exact_times: bool
    audio_index: int | None
    container_start_us: int


def probe(source: SourceFile, limits: MediaLimits) -> Probe:
    """Open the container with its format forced and read what it promises; decodes at most what opening needs.

    Raises:
        MediaError: `bad_container`, `no_video`, `encrypted`, `unsupported_codec`, `bad_dimensions`, `frame_too_large`,
            `too_long` or `no_frames`.
    """
    try:
        with _opened(source, limits) as container:
            stream = _first_video(container)
            _check_stream(stream, limits, _size_px(stream, source, limits))
            promise = _promise(container, stream, source)
            found = _describe(source, container, stream, promise)
    except av.error.FFmpegError as error:
        raise MediaError(Reason.BAD_CONTAINER, f"{source.container}: {error.strerror}") from error
    if found.end_us > limits.max_duration_s * US_PER_S:
        raise MediaError(Reason.TOO_LONG, f"{found.end_us} us; allowed: {limits.max_duration_s} s")
    return found


@contextmanager
def opened_video(source: SourceFile, limits: MediaLimits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a checked original and its first real video stream.

    Raises:
        MediaError: it has none.
    """
    with _opened(source, limits) as container:
        yield container, _first_video(container)


def first_tick(source: SourceFile, limits: MediaLimits) -> int | None:
    """Return the timestamp, in ticks of the stream, of the first frame that decodes; None when none does."""
    try:
        with _opened(source, limits) as container:
            stream = _first_video(container)
            stream.thread_count = 1
            frame = next(container.decode(stream), None)
    except av.error.FFmpegError:
        return None
    return None if frame is None else frame.pts


@contextmanager
def _opened(source: SourceFile, limits: MediaLimits, **more: str) -> Iterator[InputContainer]:
    # max_pixels also reaches the decoders that opening a container starts
    options = {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": source.container,
        "max_pixels": str(limits.max_pixels),
        **more,
    }
    container = av.open(f"file:{source.path}", format=source.container, options=options, metadata_errors="replace")
    with container:
        yield container


def _first_video(container: InputContainer) -> VideoStream:
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise MediaError(Reason.NO_VIDEO, f"streams: {', '.join(kinds) or 'none'}")
    return streams[0]


def _size_px(stream: VideoStream, source: SourceFile, limits: MediaLimits) -> tuple[int, int]:
    """Return a stream's width and height; of a frame too large for a decoder to open at all, what the header says."""
    context = stream.codec_context
    if context is None or context.width:
        return (0, 0) if context is None else (context.width, context.height)
    with _opened(source, limits, codec_whitelist="none") as container:
        unopened = _first_video(container)
        return unopened.width, unopened.height


def _check_stream(stream: VideoStream, limits: MediaLimits, size_px: tuple[int, int]) -> None:
    context = stream.codec_context
    if context is None:
        raise MediaError(Reason.UNSUPPORTED_CODEC, f"stream {stream.index}: no decoder for it")
    if context.codec_tag in ("encv", "drmi"):
        raise MediaError(Reason.ENCRYPTED, f"codec tag {context.codec_tag}")
    width, height = size_px
    if width < MIN_SIDE_PX or height < MIN_SIDE_PX:
        raise MediaError(Reason.BAD_DIMENSIONS, f"{width}x{height} px; allowed: sides of {MIN_SIDE_PX} px or more")
    sar = stream.sample_aspect_ratio or Fraction(1)
    # square pixels are made by changing the width, so a lie about the pixels' shape is a lie about the size
    pixels = max(width * height, int(width * sar * height))
    if pixels > limits.max_pixels:
        raise MediaError(Reason.FRAME_TOO_LARGE, f"{width}x{height} px, pixels {sar}; allowed: {limits.max_pixels}")
    shown_px = float(width * sar)
    if shown_px < MIN_SIDE_PX:
        raise MediaError(Reason.BAD_DIMENSIONS, f"{width}x{height} px with pixels of {sar}")
    if max(shown_px, height) > MAX_ASPECT * min(shown_px, height):
        raise MediaError(
            Reason.BAD_DIMENSIONS, f"{width}x{height} px, pixels {sar}; allowed: sides of 1 to {MAX_ASPECT}"
        )
    if not stream.time_base:
        raise MediaError(Reason.BAD_CONTAINER, "the stream has no time base")


@dataclass(frozen=True)
class _Promise:
    """Promised times of all frames and of key frames in ticks, sorted; the ends in ticks.

    `readable_end` is None where the file is whole, `keys` empty where it cannot be sought; `exact` where times are of
    presentation.
    """

    ticks: np.ndarray
    end: int
    readable_end: int | None
    keys: np.ndarray
    exact: bool


def _promise(container: InputContainer, stream: VideoStream, source: SourceFile) -> _Promise:
    if source.container == "mov" and stream.frames > 0:
        return _indexed(stream, source.bytes)
    return _scanned(container, stream, source.container)


def _indexed(stream: VideoStream, size_bytes: int) -> _Promise:
    """An mp4 that is not fragmented: its index names time, place and size of every frame without reading them."""
    listed = list(stream.index_entries)
    entries = [entry for entry in listed if not entry.is_discard]
    if stream.frames == 1 and not stream.duration:
        raise MediaError(Reason.STILL_IMAGE, "one picture without a duration")
    if not entries:
        raise MediaError(Reason.BAD_CONTAINER, f"{stream.frames} frames are stated and none is in the index")
    ticks = np.sort(np.array([entry.timestamp for entry in entries], dtype=np.int64))
    absent = [entry.timestamp for entry in entries if entry.pos + entry.size > size_bytes]
    start = int(ticks[0])
    end = max(stream.duration or 0, int(ticks[-1]) - start + _usual_gap(ticks))
    readable_end = min(absent) - start if absent else None
    keys = [entry.timestamp for entry in entries if entry.is_keyframe]
    sought = _keys(keys if len(listed) == len(entries) else [], ticks)
    return _Promise(ticks - start, end, readable_end, sought, exact=False)


def _scanned(container: InputContainer, stream: VideoStream, name: str) -> _Promise:
    """Any other container: read all packets, without decoding, and compare with the stated duration if there is one."""
    times: list[int] = []
    keys: list[int] = []
    last_end_s = Fraction(0)
    try:
        for packet in container.demux():
            time = packet.dts if packet.pts is None else packet.pts
            if time is None or packet.is_discard:
                continue
            last_end_s = max(last_end_s, (time + (packet.duration or 0)) * Fraction(packet.time_base))
            if packet.stream_index == stream.index:
                times.append(time)
                keys += [time] if packet.is_keyframe else []
    except av.error.FFmpegError as error:
        # a broken tail: what was read so far is still a video
        if not times:
            raise MediaError(Reason.BAD_CONTAINER, f"reading packets: {error.strerror}") from error
    if not times:
        raise MediaError(Reason.NO_FRAMES, "the container holds no packet of its video stream")
    ticks = np.sort(np.array(times, dtype=np.int64))
    start = int(ticks[0])
    end = int(ticks[-1]) - start + _usual_gap(ticks)
    stated = None if name in ESTIMATED_DURATION else _stated_ticks(container, stream, start)
    any_end = max(end, int(last_end_s / _time_base(stream)) - start)
    sought = _keys(keys if name in SOUGHT and stream.codec_context.name not in HIDES_FRAMES else [], ticks)
    if stated is not None and stated > any_end:
        return _Promise(
            np.concatenate([ticks - start, _absent_ticks(ticks, end, stated)]), stated, end, sought, exact=True
        )
    return _Promise(ticks - start, end, None, sought, exact=True)


def _keys(keys: list[int], ticks: np.ndarray) -> np.ndarray:
    """Return key frames' times from the first frame of all; none where they cannot be trusted.

    An index without a list of key frames calls every frame one: a decoder that starts there shows rubbish.
    """
    return np.sort(np.array(keys if len(keys) < len(ticks) else [], dtype=np.int64)) - int(ticks[0])


def _stated_ticks(container: InputContainer, stream: VideoStream, start: int) -> int | None:
    if stream.duration:
        return stream.duration
    # what Matroska states is the time of the end, so the start counts
    tag_s = _parse_duration_s(stream.metadata.get("DURATION", ""))
    if tag_s is None and container.duration:
        tag_s = Fraction(container.duration, US_PER_S)
    return None if tag_s is None else int(tag_s / _time_base(stream)) - max(0, start)


def _parse_duration_s(text: str) -> Fraction | None:
    """Return the seconds of Matroska's DURATION tag, such as `00:00:02.133000000`; None when it is not one."""
    parts = text.strip("\0 ").split(":")
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds


def _absent_ticks(ticks: np.ndarray, end: int, stated: int) -> np.ndarray:
    """Return the times of the frames that the stated length implies behind the last one there is."""
    step = max(_usual_gap(ticks), (stated - end) // MAX_ABSENT_FRAMES)
    return np.arange(end, stated, step, dtype=np.int64)


def _usual_gap(ticks: np.ndarray) -> int:
    return max(1, int(np.median(np.diff(ticks)))) if len(ticks) > 1 else 1


def _time_base(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, US_PER_S)


def _describe(source: SourceFile, container: InputContainer, stream: VideoStream, promise: _Promise) -> Probe:
    context = stream.codec_context
    to_us = _time_base(stream) * US_PER_S
    layout = context.format
    codec = context.codec.canonical_name
    has_alpha_plane = stream.metadata.get("alpha_mode") == "1" and codec in ALPHA_DECODERS
    readable_end = promise.readable_end
    return Probe(
        container=source.container,
        codec=codec,
        decoder=ALPHA_DECODERS[codec] if has_alpha_plane else None,
        stream_index=stream.index,
        width_px=context.width,
        height_px=context.height,
        sar=stream.sample_aspect_ratio or Fraction(1),
        time_base=_time_base(stream),
        fps_1e3=round((stream.average_rate or 0) * 1000),
        pix_fmt=context.pix_fmt or "",
        has_alpha=has_alpha_plane or (layout is not None and any(part.is_alpha for part in layout.components)),
        is_rgb=layout is not None and (layout.is_rgb or layout.has_palette),
        matrix=int(context.colorspace),
        times_us=np.round(promise.ticks * float(to_us)).astype(np.int64),
        end_us=round(promise.end * to_us),
        readable_end_us=None if readable_end is None else round(readable_end * to_us),
        key_times_us=np.round(promise.keys * float(to_us)).astype(np.int64),
        exact_times=promise.exact,
        audio_index=next((found.index for found in container.streams.audio), None),
        container_start_us=container.start_time or 0,
    )
