"""From pairs with similarities to thresholds, recalls and precisions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Point:
    """Where a method operates, and how it did there on the pairs that the threshold was chosen on.

    Attributes:
        threshold_1e4: pairs of this similarity or more are joined.
        reached: whether the wanted precision was met; where none meets it, this is the threshold of the highest one.
        recall: share of the true pairs that are joined.
        precision: share of the joined pairs that are true; 1 where none is joined.
    """

    threshold_1e4: int
    reached: bool
    recall: float
    precision: float

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.recall * self.precision / (self.recall + self.precision) if self.recall else 0.0


EVERYTHING = 0
"""The threshold of a method that decides by itself."""
NOWHERE = Point(threshold_1e4=10_000, reached=False, recall=0.0, precision=1.0)


def choose_point(similarity_1e4: Ints, true: Bools, all_true: int, wanted_precision: float) -> Point:
    """Return the threshold with the highest recall at the wanted precision or more.

    Args:
        similarity_1e4: of the pairs that the method found at all, true and false ones.
        true: whether each is true.
        all_true: how many true pairs there are, found or not.
    """
    points = _points(similarity_1e4, true, all_true, wanted_precision)
    good = [point for point in points if point.reached]
    if good:
        return max(good, key=lambda point: (point.recall, point.threshold_1e4))
    return max(points, key=lambda point: (point.precision, point.recall), default=NOWHERE)


def fixed_point(true: Bools, all_true: int, wanted_precision: float) -> Point:
    """Return the point of a method that joins all pairs that it finds."""
    hits, joined = int(true.sum()), len(true)
    precision = ratio(hits, joined)
    return Point(EVERYTHING, precision >= wanted_precision, ratio(hits, all_true), precision)


def balanced_point(similarity_1e4: Ints, true: Bools, all_true: int) -> Point:
    """Return the threshold of the highest F1, the harmonic mean of recall and precision; arguments as above."""
    points = _points(similarity_1e4, true, all_true, 0.0)
    return max(points, key=lambda point: (point.f1, point.threshold_1e4), default=NOWHERE)


def _points(similarity_1e4: Ints, true: Bools, all_true: int, wanted_precision: float) -> list[Point]:
    """Return a point for each similarity that occurs."""
    levels, place = np.unique(-similarity_1e4, return_inverse=True)
    hits = np.cumsum(np.bincount(place, weights=true, minlength=len(levels)))
    joined = np.cumsum(np.bincount(place, minlength=len(levels)))
    return [
        Point(
            threshold_1e4=int(-level),
            reached=bool(hit >= wanted_precision * many),
            recall=ratio(hit, all_true),
            precision=ratio(hit, many),
        )
        for level, hit, many in zip(levels, hits, joined, strict=True)
    ]


def ratio(part: float, whole: float) -> float:
    """Return part / whole; 1 of nothing."""
    return float(part) / float(whole) if whole else 1.0


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); (0, 1) of nothing."""
    if whole == 0:
        return 0.0, 1.0
    z, share = 1.96, part / whole
    middle = share + z * z / (2 * whole)
    reach = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    narrowing = 1 + z * z / whole
    return (middle - reach) / narrowing, (middle + reach) / narrowing
