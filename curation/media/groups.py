"""Which spans one ffmpeg process cuts, and from where in the file it decodes, so that cost grows with what is asked.

A process decodes from its first span's seek point to the end of its last span, once for all its spans. Its encoders
hold their memory until it ends, so a process takes only so many spans; and a long stretch that no span wants is left
out by seeking past it with another process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from curation.media.probe import US_PER_S, Probe
from curation.media.spans import PlannedSpan
from schemas.media import ClipFormat, MediaLimits

MAX_OUTPUTS = 64
# Resident bytes of one x264 encoder: per pixel of its frame, and whatever its size. They grow with the preset's
# look-ahead (10 frames for veryfast, 40 for medium). Measured at 288 and 1080 lines, all in all: veryfast 79 to 110
# bytes per pixel, medium 174 to 245. ffmpeg opens an encoder with its first frame and frees it when the process ends.
ENCODER_BYTES_PER_PIXEL = {"ultrafast": 90, "superfast": 90, "veryfast": 90, "faster": 140, "fast": 180}
ENCODER_BYTES_PER_PIXEL_SLOW = 250
ENCODER_BASE_BYTES = 4_000_000
# what all encoders of one process may take of the memory limit
ENCODER_MEMORY_SHARE = 0.4
# Seeking must spare this many frames, or a process decodes on: starting one costs as much as decoding about 100 frames
# of 720 lines.
MIN_SPARED_FRAMES = 250
# A seek goes to the key frame before the last one, and at least so far ahead of the span: frames that lean on an
# earlier group of pictures (open groups, gradual refresh) and the first packets of sound pass unseen.
SEEK_MARGIN_US = US_PER_S
# where frames are reordered ffmpeg seeks 3/23 s earlier than it is told (fftools/ffmpeg_demux.c)
REORDER_US = 135_000


@dataclass(frozen=True)
class Group:
    """Spans that one process cuts, in order of time.

    Attributes:
        seek_us: where it begins to decode, from the first frame; None is the start of the file.
    """

    spans: tuple[PlannedSpan, ...]
    seek_us: int | None = None

    @property
    def end_us(self) -> int:
        """The end of the last span."""
        return max(span.end_us for span in self.spans)


def group_spans(spans: Iterable[PlannedSpan], video: Probe, clip: ClipFormat, limits: MediaLimits) -> list[Group]:
    """Return the spans in order of time, in groups that one process can hold within the memory limit."""
    size = _most_spans(video, clip, limits)
    video = _with_safe_seeks(video, clip)
    groups: list[Group] = []
    for span in sorted(spans, key=lambda span: (span.start_us, span.end_us, span.index)):
        if groups and len(groups[-1].spans) < size and not _spares(groups[-1].end_us, span, video):
            groups[-1] = Group((*groups[-1].spans, span), groups[-1].seek_us)
        else:
            groups.append(Group((span,), seek_us(span, video) if _spares(0, span, video) else None))
    return groups


def can_be_shared(spans: Iterable[PlannedSpan], video: Probe, clip: ClipFormat) -> bool:
    """Whether others can cut a part of the spans without decoding all that lies before it."""
    last = max(spans, key=lambda span: span.start_us)
    return seek_us(last, _with_safe_seeks(video, clip)) is not None


def _with_safe_seeks(video: Probe, clip: ClipFormat) -> Probe:
    """Return a video without key frames to seek to where seeking would change what comes out."""
    if video.container == "matroska" and takes_audio(video, clip):
        # Matroska rounds times to milliseconds, and a decoder of sound counts on from its first one: where it begins
        # would move the sound by some samples
        return replace(video, key_times_us=video.key_times_us[:0])
    return video


def seek_us(span: PlannedSpan, video: Probe) -> int | None:
    """Return where decoding must begin for a span, from the first frame; None where only the start will do."""
    before = video.key_times_us[video.key_times_us <= span.start_us]
    if len(before) < 2:
        return None
    last_us = int(before[-1])
    sure = before[(before < last_us) & (before <= span.start_us - SEEK_MARGIN_US)]
    return min(int(sure[-1]) + REORDER_US, last_us - 1) if len(sure) else None


def takes_audio(video: Probe, clip: ClipFormat) -> bool:
    """Whether clips of the video get its sound."""
    return clip.audio != "none" and video.audio_index is not None


def frames_to_decode(video: Probe, group: Group) -> int:
    """Return how many of the frames that the file holds are decoded to cut the spans of a group."""
    return readable_frames(video, (group.seek_us or 0) - REORDER_US, group.end_us)


def readable_frames(video: Probe, start_us: int, end_us: int) -> int:
    """Return how many of the promised frames lie in a span and in the file."""
    if video.readable_end_us is not None:
        end_us = min(end_us, video.readable_end_us)
    first, past = np.searchsorted(video.times_us, [start_us, end_us])
    return max(0, int(past - first))


def clip_pixels(video: Probe, clip: ClipFormat) -> float:
    """Return the pixels of a frame of the video's clips."""
    shown_width_px = float(video.width_px * video.sar)
    scale = min(1.0, clip.short_side_px / min(shown_width_px, video.height_px))
    return shown_width_px * video.height_px * scale * scale


def _most_spans(video: Probe, clip: ClipFormat, limits: MediaLimits) -> int:
    bytes_per_pixel = ENCODER_BYTES_PER_PIXEL.get(clip.preset, ENCODER_BYTES_PER_PIXEL_SLOW)
    encoder_bytes = ENCODER_BASE_BYTES + bytes_per_pixel * clip_pixels(video, clip)
    budget_bytes = limits.memory_mb * 1_000_000 * ENCODER_MEMORY_SHARE
    return max(1, min(MAX_OUTPUTS, int(budget_bytes // encoder_bytes)))


def _spares(from_us: int, span: PlannedSpan, video: Probe) -> bool:
    """Whether seeking to a span spares enough of the frames that decoding on from a time would meet."""
    to_us = seek_us(span, video)
    return to_us is not None and readable_frames(video, from_us, to_us) >= MIN_SPARED_FRAMES
