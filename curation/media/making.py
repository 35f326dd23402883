"""Spans that the media side makes itself: shots or windows of a video without one, parts of a span that is too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from curation.media.tasks import Span
from schemas.media import ClipFormat, Cutting

US_PER_S = 1_000_000


@dataclass(frozen=True, kw_only=True)
class WantedSpan:
    """A span to cut.

    Attributes:
        index: which of the task's spans it was asked by.
        made: whether the media side made it; then both bounds are known.
    """

    index: int
    span: Span
    made: bool


def wanted_spans(
    asked: Sequence[tuple[int, Span]],
    end_us: int,
    rules: tuple[Cutting, ClipFormat],
    shots_us: Callable[[], list[int]],
) -> list[WantedSpan]:
    """Return what is to be cut for the spans asked for, in their order.

    Args:
        asked: (index, span) of the task.
        end_us: of the video.
        rules: how spans are made, and how long a clip may be.
        shots_us: the times at which a new shot begins; called only where shots are asked for.
    """
    cutting, clip = rules
    wanted: list[WantedSpan] = []
    for index, span in asked:
        made = _made(span, end_us, cutting, clip, shots_us)
        if made is None:
            wanted.append(WantedSpan(index=index, span=span, made=False))
        else:
            wanted.extend(WantedSpan(index=index, span=part, made=True) for part in made)
    return wanted


def _made(
    span: Span, end_us: int, cutting: Cutting, clip: ClipFormat, shots_us: Callable[[], list[int]]
) -> list[Span] | None:
    """Return the spans made of one that was asked for; None where it is cut as it is."""
    max_us, min_us = round(clip.max_s * US_PER_S), round(clip.min_s * US_PER_S)
    if span == (None, None) and cutting.no_span == "windows":
        return windows(end_us, round(cutting.window_s * US_PER_S), round(cutting.stride_s * US_PER_S), min_us)
    if span == (None, None) and cutting.no_span == "shots":
        edges = [0, *(time for time in shots_us() if 0 < time < end_us), end_us]
        between = [(start, end) for start, end in pairwise(edges) if end - start >= min_us]
        return [part for start, end in between for part in equal_parts(start, end, max_us)]
    start_us, stop_us = span[0] or 0, end_us if span[1] is None else span[1]
    if cutting.long_spans == "split" and stop_us - start_us > max_us:
        return list(equal_parts(start_us, stop_us, max_us))
    return None


def windows(end_us: int, window_us: int, stride_us: int, min_us: int) -> list[Span]:
    """Return windows from the start on; the last one ends with the video and is left out where it is too short."""
    starts = range(0, max(1, end_us), stride_us)
    found = [(start, min(end_us, start + window_us)) for start in starts]
    return [(start, end) for start, end in found if end - start >= max(1, min_us)]


def equal_parts(start_us: int, end_us: int, max_us: int) -> list[Span]:
    """Return a span in the fewest equal parts that are no longer than allowed, to the microsecond without gaps."""
    length = end_us - start_us
    count = max(1, -(-length // max_us))
    edges = [start_us + length * part // count for part in range(count + 1)]
    return list(pairwise(edges))
