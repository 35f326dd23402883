"""Spans of a video: which are worth cutting, and which ticks of the stream they hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from curation.media.probe import US_PER_S, Probe
from curation.media.tasks import CutFailure, MediaError, Span
from schemas.media import ClipFormat, Cutting, MediaLimits
from schemas.reasons import Reason, Stage

# An open end is cut at the longest clip and this much more, so that "too long" is seen without encoding the rest.
OPEN_END_MARGIN_US = US_PER_S


@dataclass(frozen=True, kw_only=True)
class PlannedSpan:
    """A span to cut: microseconds from the first presentation time, with the frames that are promised in it.

    Attributes:
        promised: count of promised frames; extent_us: from the first promised frame's start to the last one's.
        unreadable: the file's bytes end before the span does.
        made_us: the span as it was made, where it was not asked for.
    """

    index: int
    start_us: int
    end_us: int
    promised: int
    extent_us: int
    unreadable: bool
    made_us: tuple[int, int] | None = None


def refuse_impossible(
    spans: tuple[Span, ...], clip: ClipFormat, cutting: Cutting
) -> tuple[list[int], list[CutFailure]]:
    """Return the indices of the spans that can be cut from some video, and failures of the others."""
    max_us = None if cutting.long_spans == "split" else clip.max_s * US_PER_S
    alive: list[int] = []
    failures: list[CutFailure] = []
    for index, span in enumerate(spans):
        try:
            _check_numbers(span, max_us)
            alive.append(index)
        except MediaError as error:
            failures.append(cut_failure(index, error))
    return alive, failures


def cut_failure(index: int, error: MediaError, made_us: tuple[int, int] | None = None) -> CutFailure:
    """Return the failure of one span."""
    return CutFailure(span_index=index, stage=Stage.CUT, reason=error.reason, detail=error.detail, made_us=made_us)


def _check_numbers(span: Span, max_us: float | None) -> None:
    start_us, end_us = span
    if (start_us or 0) < 0 or (end_us or 0) < 0:
        raise MediaError(Reason.SPAN_NEGATIVE, f"[{start_us}, {end_us}) us")
    if end_us is None:
        return
    length_us = end_us - (start_us or 0)
    if length_us <= 0:
        reason = Reason.SPAN_EMPTY if length_us == 0 else Reason.SPAN_NEGATIVE
        raise MediaError(reason, f"[{start_us}, {end_us}) us")
    if max_us is not None and length_us > max_us:
        raise MediaError(Reason.SPAN_TOO_LONG, f"{length_us} us; allowed: {max_us / US_PER_S} s")


def plan_span(index: int, span: Span, video: Probe, clip: ClipFormat, limits: MediaLimits) -> PlannedSpan:
    """Return what is to be cut for a span whose numbers are in order.

    Raises:
        MediaError: `span_past_end` or `span_too_long`.
    """
    start_us = span[0] or 0
    end_us = video.end_us if span[1] is None else span[1]
    tolerance_us = round(limits.span_tolerance_s * US_PER_S)
    if start_us >= video.end_us or end_us > video.end_us + tolerance_us:
        raise MediaError(Reason.SPAN_PAST_END, f"[{start_us}, {end_us}) us of a video of {video.end_us} us")
    if end_us - start_us > clip.max_s * US_PER_S:
        raise MediaError(Reason.SPAN_TOO_LONG, f"{end_us - start_us} us; allowed: {clip.max_s} s")
    if span[1] is None:
        # the promise may be a little short of the last frame
        end_us += OPEN_END_MARGIN_US
    inside = video.times_us[(video.times_us >= start_us) & (video.times_us < end_us)]
    readable_us = video.readable_end_us
    return PlannedSpan(
        index=index,
        start_us=start_us,
        end_us=end_us,
        promised=len(inside),
        extent_us=int(np.ptp(inside)) if len(inside) else 0,
        unreadable=readable_us is not None and end_us > readable_us,
    )


def ticks_at_or_after(time_us: int, time_base: Fraction) -> int:
    """Return the first tick whose time, rounded to a whole microsecond, is at or after `time_us`.

    A frame's time is its tick in microseconds, rounded half up; spans are compared with that number, so a span that
    starts at a frame's reported time holds the frame.
    """
    return math.ceil((Fraction(time_us) - Fraction(1, 2)) / (time_base * US_PER_S))
