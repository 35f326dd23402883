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
# Lines before the last flat one that may be picture in part: of a dark one, or of a sharp edge that rings.
EDGE_LINES = 2
# Luma of black; under it lies what a sharp edge rings.
BLACK = 16
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


# Black is a border's usual colour, so less proof is asked for.
BLACK_PROOF, COLOURED_PROOF = _Proof(0.0125, 0.25), _Proof(0.025, 0.5)
# Steps from a border's level to another one.
EDGE_STEPS = 10
FINE = 16
"""Parts of a line that an edge is told in: half of a line may be border, after scaling."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, in whole sixteenths of them; right and bottom are where it ends."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Cut:
    """What is taken off at one side.

    Attributes:
        lines: that are border, in part at least.
        fine: where the border ends, in sixteenths of a line.
        level: mean luma of the innermost border.
    """

    lines: int = 0
    fine: int = 0
    level: int = 0

    def wider(self, before: Cut, after: Cut) -> Cut:
        """Return this cut with as much more taken off as lies between two others."""
        return Cut(self.lines + after.lines - before.lines, self.fine + after.fine - before.fine, after.level)


@dataclass(frozen=True)
class _Cuts:
    top: Cut = Cut()
    below: Cut = Cut()
    left: Cut = Cut()
    beside: Cut = Cut()


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
    rows = Lines(*(np.maximum(each, BLACK).astype(np.int16) for each in (darkest, brightest, mean)))
    cuts = _Cuts()
    for _ in range(MAX_LAYERS):
        inner = _without_layer(rows, cuts)
        if inner == cuts:
            break
        if inner.left.lines + inner.beside.lines >= width or inner.top.lines + inner.below.lines >= height:
            return Box(0, 0, width, height)
        cuts = inner
    left, top = cuts.left.fine / FINE, cuts.top.fine / FINE
    return Box(left, top, width - cuts.beside.fine / FINE, height - cuts.below.fine / FINE)


def _without_layer(rows: Lines, cuts: _Cuts) -> _Cuts:
    """Take one border off: above and below first, then left and right in what is left."""
    height, width = rows.mean.shape
    # near the corners, the soft edge of the border before may still show
    aside, above = _soft(width), _soft(height)
    inside = rows.of((slice(None), slice(cuts.left.lines + aside, width - cuts.beside.lines - aside)))
    top, below = _opposite(inside, cuts.top, cuts.below)
    columns = rows.of(slice(top.lines + above, height - below.lines - above)).turned()
    left, beside = _opposite(columns, cuts.left, cuts.beside)
    return _Cuts(top, below, left, beside)


def _opposite(lines: Lines, at_start: Cut, at_end: Cut) -> tuple[Cut, Cut]:
    """Return what to take off at the start and at the end, some of it already gone.

    A coloured border has one like it on the other side; a page's margin seldom does. Where only one side shows a black
    border, the other one has it too if it is black so far: a black pad on a dark corner cannot be told from it.
    """
    turned = lines.of(slice(None, None, -1))
    start, end = _border(lines, at_start), _border(turned, at_end)
    if max(start.level, end.level) > BLACK_LUMA and not _alike(start, end, _soft(len(lines.mean))):
        start, end = (at_start if start.level > BLACK_LUMA else start), (at_end if end.level > BLACK_LUMA else end)
    if start == at_start and end != at_end and _is_black(lines, start.lines, end.lines - at_end.lines):
        start = start.wider(at_end, end)
    elif end == at_end and start != at_start and _is_black(turned, end.lines, start.lines - at_start.lines):
        end = end.wider(at_start, start)
    return start, end


def _alike(one: Cut, other: Cut, soft: int) -> bool:
    """Return whether borders have one colour and one width, as those that are put around a picture have."""
    return abs(one.level - other.level) <= FLAT_STEPS and abs(one.lines - other.lines) <= soft


def _is_black(lines: Lines, start: int, wide: int) -> bool:
    """Return whether there are so many lines of black, but for the soft edge."""
    flat = max(1, wide - _soft(len(lines.mean)))
    black = _flat_lines(lines, start) >= flat
    return black and int(lines.mean[start : start + flat].max(initial=0)) <= BLACK_LUMA


def _soft(lines: int) -> int:
    return max(2, round(lines * SOFT_SHARE))


def _border(lines: Lines, cut: Cut) -> Cut:
    """Return what to take off at the start, `cut` of it already gone."""
    count, along = lines.mean.shape
    soft = _soft(count)
    start, flat = _flat_after(lines, cut.lines, soft)
    most = count * MAX_SIDE_SHARE
    if flat == 0 or along == 0 or start + flat > most:
        return cut
    border = lines.mean[start : start + flat]
    level = int(border.sum(dtype=np.int64)) // border.size
    end = _edge(lines, start + flat, level, soft)
    if end is None:
        return cut
    proof = BLACK_PROOF if level <= BLACK_LUMA else COLOURED_PROOF
    behind = np.abs(lines.mean[end.lines : end.lines + soft] - level) > EDGE_STEPS
    is_edge = behind.size > 0 and int(behind.sum()) >= proof.edge_share * behind.size
    end = replace(end, level=level)
    return end if is_edge and end.fine - cut.fine >= FINE * count * proof.side_share else cut


def _edge(lines: Lines, flat_end: int, level: int, soft: int) -> Cut | None:
    """Return where a border ends whose flat lines end before `flat_end`.

    Scaling makes lines of which a part is border. The lines grow away from the border's level up to the first one that
    is picture only; how far away those before are, as a share of that one, is how much of them is picture.
    """
    first = max(flat_end - EDGE_LINES, 0)
    levels = (lines.darkest + lines.brightest)[first : flat_end + soft + 1] - 2 * level
    if flat_end - first >= len(levels):
        return None
    away = np.abs(levels).sum(axis=1, dtype=np.int64)
    last = flat_end - first
    while last + 1 < len(levels) and (2 * away[last] < away.max() or away[last + 1] * 10 > away[last] * 11):
        last += 1
    if 3 * away[0] > away[last]:
        return None
    signs = np.sign(levels[last])
    shares = np.clip((levels[:last] * signs).sum(axis=1, dtype=np.int64), 0, away[last])
    fine = FINE * last - FINE * int(shares.sum()) // max(int(away[last]), 1)
    return Cut(first + last, FINE * first + fine)


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
