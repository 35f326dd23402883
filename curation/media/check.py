"""Looking at a clip that came out: decode it once, count, measure, take its score frames."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np

from curation.media.colours import luma_view, picture_rgb, planes, square_rgb
from curation.media.content import ContentDigest
from curation.media.probe import US_PER_S
from curation.media.signals import SignalTaker
from curation.media.spans import PlannedSpan
from curation.media.strips import uniform_indices, write_strip
from curation.media.tasks import CutClip, CutTask, MediaError
from curation.media.text_frames import text_indices, text_size_px, write_text_frames
from schemas.reasons import Reason

# hidden reference frames of VP8 are packets without a picture, so a count may fall short by a share
MAX_MISSING_SHARE = 0.25


@dataclass(frozen=True)
class _Decoded:
    """A clip decoded from start to end: count, ticks in seconds, and what was kept of the wanted frames."""

    frames: int
    extent_us: int
    duration_us: int
    width_px: int
    height_px: int
    taker: SignalTaker
    content_sha256: str
    squares: list[np.ndarray]
    text_pictures: list[np.ndarray]


def check_clip(path: str, span: PlannedSpan, task: CutTask, *, has_audio: bool) -> CutClip:
    """Return the facts of a clip that ffmpeg wrote, and write beside it its strip and what the text finder is to see.

    Args:
        has_audio: whether the original has an audio stream.

    Raises:
        MediaError: `no_frames`, `truncated`, `too_short`, `span_too_long` or `clip_undecodable`.
    """
    decoded = _decode(path, task) if os.path.getsize(path) else None
    if decoded is None or decoded.frames == 0:
        reason = Reason.TRUNCATED if span.unreadable else Reason.NO_FRAMES
        raise MediaError(reason, f"{span.promised} frames promised, none decoded")
    _check_promise(decoded, span, task)
    if decoded.duration_us < task.clip.min_s * US_PER_S:
        raise MediaError(Reason.TOO_SHORT, f"{decoded.duration_us} us; allowed: {task.clip.min_s} s or more")
    strip_path = Path(path).with_suffix(".jpg")
    strip_path.write_bytes(write_strip(decoded.squares))
    if task.text_area:
        write_text_frames(path, decoded.text_pictures)
    data = Path(path).read_bytes()
    return CutClip(
        span_index=span.index,
        media_path=path,
        media_sha256=hashlib.sha256(data).hexdigest(),
        media_bytes=len(data),
        content_sha256=decoded.content_sha256,
        duration_us=decoded.duration_us,
        frames=decoded.frames,
        fps_1e3=(2 * decoded.frames * US_PER_S * 1000 + decoded.duration_us) // (2 * decoded.duration_us),
        width_px=decoded.width_px,
        height_px=decoded.height_px,
        signals=decoded.taker.signals(has_audio=has_audio),
        strip_path=str(strip_path),
        made_us=span.made_us,
    )


def _check_sound(container: av.container.InputContainer) -> None:
    """Decode the sound of a clip that has any; a decoder's error is the caller's."""
    if container.streams.audio:
        container.seek(0)
        for _ in container.decode(container.streams.audio[0]):
            pass


def _check_promise(decoded: _Decoded, span: PlannedSpan, task: CutTask) -> None:
    tolerance_us = task.limits.span_tolerance_s * US_PER_S
    step_us = 0 if task.clip.fps is None else US_PER_S / task.clip.fps
    missing_us = span.extent_us - decoded.extent_us
    if missing_us > tolerance_us + step_us:
        detail = f"{missing_us} us missing; {decoded.frames} of {span.promised} frames decoded"
        raise MediaError(Reason.TRUNCATED, detail)
    missing = span.promised - decoded.frames
    allowed = max(span.promised * MAX_MISSING_SHARE, tolerance_us * span.promised / max(1, span.extent_us))
    if task.clip.fps is None and missing > allowed:
        raise MediaError(Reason.TRUNCATED, f"{decoded.frames} of {span.promised} promised frames decoded")


def _decode(path: str, task: CutTask) -> _Decoded | None:
    try:
        with av.open(f"file:{path}", format="mp4") as container:
            # ffmpeg also writes a file without any stream when no frame lies in the span
            return _decode_stream(container, task) if container.streams.video else None
    except av.error.FFmpegError as error:
        raise MediaError(Reason.CLIP_UNDECODABLE, f"{Path(path).name}: {error}") from error


def _decode_stream(container: av.container.InputContainer, task: CutTask) -> _Decoded:
    stream = container.streams.video[0]
    stream.thread_count = 1
    stated = stream.frames
    tick_us = (stream.time_base or 0) * US_PER_S
    for_strip = uniform_indices(max(1, stated), task.frames.count)
    for_text = text_indices(max(1, stated)) if task.text_area else []
    taker = SignalTaker(max(1, stated))
    content = ContentDigest()
    squares: list[np.ndarray] = []
    text_pictures: list[np.ndarray] = []
    ticks: list[int] = []
    for index, frame in enumerate(container.decode(stream)):
        ticks.append(frame.pts or 0)
        content.add(frame)
        taker.add(index, round((ticks[-1] - ticks[0]) * tick_us), luma_view(frame))
        if index in for_strip:
            square = square_rgb(planes(frame), frame.colorspace, task.frames.size_px)
            squares += [square] * for_strip.count(index)
        if index in for_text:
            size_px = text_size_px(frame.width, frame.height)
            text_pictures.append(picture_rgb(planes(frame), frame.colorspace, size_px))
    _check_sound(container)
    if len(ticks) != stated:
        raise MediaError(Reason.CLIP_UNDECODABLE, f"{len(ticks)} of the clip's {stated} frames decode")
    extent = (max(ticks) - min(ticks)) if ticks else 0
    # the stream's length counts the last frame to its end; where that is not known, frames are taken as even
    whole = stream.duration or 0
    if whole <= extent:
        whole = extent + extent // max(1, len(ticks) - 1)
    return _Decoded(
        frames=len(ticks),
        extent_us=round(extent * tick_us),
        duration_us=round(whole * tick_us),
        width_px=stream.codec_context.width,
        height_px=stream.codec_context.height,
        taker=taker,
        content_sha256=content.hexdigest(),
        squares=squares,
        text_pictures=text_pictures,
    )
