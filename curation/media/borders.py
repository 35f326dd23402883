"""The part of a clip's picture inside its uniform borders: letterbox and pillarbox bars, pads, frames of one colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

# A border's luma stays within so many of 219 steps, everywhere in it and all the time: x264 at CRF 40 moves flat bars
# by under 8 (tried on padded real clips).
FLAT_STEPS = 12
# Few pixels of a line may be darker, and as few brighter: a sharp edge rings into a narrow border.
ODD_SHARE = 0.01
# A wider border of one colour is taken for part of the picture. Portrait video in a 16:9 frame has 34 % a side.
MAX_SIDE_SHARE = 0.4
# The edge of a border is soft over up to this share of the side: scaling and block filters smear it.
SOFT_SHARE = 0.02
# Up to this luma a border is black.
BLACK_LUMA = 24
# A letterboxed film may have been padded once more, with another colour.
MAX_LAYERS = 3

Levels = NDArray[np.int16]


@dataclass(frozen=True)
class _Proof:
    """What shows that flat lines are a border, and no sky, page margin or dark corner.

    Attributes:
        side_share: least width; a narrower one changes little, and is found in one copy and lost in another.
        edge_share: just behind its edge, so much of the picture, on average over time, has another level: a border ends
            straight and suddenly, a corner gradually, a page margin at a line of text.
    """

    side_share: float
    edge_share: float


# Tried on 360 re-encoded, scaled, trimmed and padded copies of real and drawn clips: all but 9 get the box of their
# original; those are dark clips, padded with black. Black is a border's usual colour, so less proof is asked for.
BLACK, COLOURED = _Proof(0.0125, 0.25), _Proof(0.025, 0.5)
# Steps from a border's level to another one.
EDGE_STEPS = 10


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels; right and bottom are the first column and row outside of it."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Lines:
    """Luma over time of pixels on lines, the outermost line first: int16 [lines, along] each."""

    darkest: Levels
    brightest: Levels
    mean: Levels

    def of(self, part: slice | tuple[slice, slice]) -> Lines:
        """Return some of them."""
        return Lines(self.darkest[part], self.brightest[part], self.mean[part])

    def turned(self) -> Lines:
        """Return columns as lines."""
        return Lines(self.darkest.T, self.brightest.T, self.mean.T)


def picture_box(darkest: NDArray[np.uint8], brightest: NDArray[np.uint8], mean: NDArray[np.uint8]) -> Box:
    """Return the part of a clip's picture inside its borders; all of it where it has none, or is flat all over.

    Args:
        darkest: uint8 [H, W], least luma that each pixel has in the pictures looked at.
        brightest: the same, the largest.
        mean: the same, on average.
    """
    height, width = darkest.shape
    rows = Lines(*(each.astype(np.int16) for each in (darkest, brightest, mean)))
    box = whole = Box(0, 0, width, height)
    for _ in range(MAX_LAYERS):
        inner = _without_layer(rows, box)
        if inner == box:
            break
        if inner.right <= inner.left or inner.bottom <= inner.top:
            return whole
        box = inner
    return box


def _without_layer(rows: Lines, box: Box) -> Box:
    """Take one border off: above and below first, then left and right in what is left."""
    height, width = rows.mean.shape
    # near the corners, the soft edge of the border before may still show
    aside, above = _soft(width), _soft(height)
    inside = rows.of((slice(None), slice(box.left + aside, box.right - aside)))
    top, below = _opposite(inside, box.top, height - box.bottom)
    columns = rows.of(slice(top + above, height - below - above)).turned()
    left, beside = _opposite(columns, box.left, width - box.right)
    return replace(box, left=left, top=top, right=width - beside, bottom=height - below)


def _opposite(lines: Lines, at_start: int, at_end: int) -> tuple[int, int]:
    """Return how many lines to take off at the start and at the end, some of them already gone.

    Where only one side shows a black border, the other one has it too if it is black so far: a black pad on a dark
    corner cannot be told from it.
    """
    turned = lines.of(slice(None, None, -1))
    start, end = _border(lines, at_start), _border(turned, at_end)
    wide = max(start - at_start, end - at_end)
    if start == at_start and _is_black(lines, at_start, wide):
        start += wide
    if end == at_end and _is_black(turned, at_end, wide):
        end += wide
    return start, end


def _is_black(lines: Lines, start: int, wide: int) -> bool:
    """Return whether there are so many lines of black, but for the soft edge."""
    flat = max(1, wide - _soft(len(lines.mean)))
    black = _flat_lines(lines, start) >= flat
    return black and int(lines.mean[start : start + flat].max(initial=0)) <= BLACK_LUMA


def _soft(lines: int) -> int:
    return max(2, round(lines * SOFT_SHARE))


def _border(lines: Lines, cut: int) -> int:
    """Return how many lines to take off at the start, `cut` of them already gone."""
    count, along = lines.mean.shape
    soft = _soft(count)
    start, flat = _flat_after(lines, cut, soft)
    most = count * MAX_SIDE_SHARE
    if flat == 0 or along == 0 or start + flat > most:
        return cut
    border = lines.mean[start : start + flat]
    level = int(border.sum(dtype=np.int64)) // border.size
    end = start + flat + _soft_lines(lines.of(slice(start + flat, None)), level, soft)
    proof = BLACK if level <= BLACK_LUMA else COLOURED
    behind = np.abs(lines.mean[end : end + soft] - level) > EDGE_STEPS
    is_edge = behind.size > 0 and int(behind.sum()) >= proof.edge_share * behind.size
    return end if is_edge and end >= count * proof.side_share else cut


def _flat_after(lines: Lines, cut: int, soft: int) -> tuple[int, int]:
    """Return where a flat layer starts, and how many lines it has; 0 for none."""
    flat = _flat_lines(lines, cut)
    if flat or not cut:
        return cut, flat
    # between two colours lie lines that are neither
    for start in range(cut + 1, cut + soft + 1):
        flat = _flat_lines(lines, start)
        if flat > soft:
            return start, flat
    return cut, 0


def _flat_lines(lines: Lines, start: int) -> int:
    """Return how many lines from `start` on are of one level together."""
    along = lines.mean.shape[1]
    if along == 0 or start >= len(lines.mean):
        return 0
    odd = round(along * ODD_SHARE)
    least = np.partition(lines.darkest[start:], odd, axis=1)[:, odd]
    most = np.partition(lines.brightest[start:], along - 1 - odd, axis=1)[:, along - 1 - odd]
    span = np.maximum.accumulate(most) - np.minimum.accumulate(least)
    return int(np.searchsorted(span, FLAT_STEPS, side="right"))


def _soft_lines(lines: Lines, level: int, soft: int) -> int:
    """Return how many lines after a border are nearer to its level than to the picture behind them."""
    low, high = (np.abs(each[: 2 * soft] - level) for each in (lines.darkest, lines.brightest))
    away = np.maximum(low, high).sum(axis=1, dtype=np.int64)
    if len(away) < 2 * soft:
        return 0
    near = away[:soft] * 2 * soft < int(away[soft:].sum())
    return int(np.argmin(near)) if not near.all() else soft
