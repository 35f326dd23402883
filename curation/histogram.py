"""Exact score histograms on fixed edges: integer counts, mergeable in any order and any split."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.published import VIDEOPRISM_BUCKETS
from schemas.statistics import (
    HISTOGRAM_BINS,
    HISTOGRAM_LOW_1E4,
    HISTOGRAM_STEP_1E4,
    QUANTILES,
    ScoreHistogram,
)


def bin_of(score_1e4: int) -> int:
    """Return the half-open bin of a score: -1 is underflow, HISTOGRAM_BINS is overflow."""
    return min(max((score_1e4 - HISTOGRAM_LOW_1E4) // HISTOGRAM_STEP_1E4, -1), HISTOGRAM_BINS)


def bin_low_1e4(index: int) -> int:
    """Return the lower edge of a bin, in 1e-4."""
    return HISTOGRAM_LOW_1E4 + index * HISTOGRAM_STEP_1E4


@dataclass
class HistogramCounts:
    """An accumulator: counts per bin, exact sum, extremes, and how many texts the scorer cut."""

    bins: dict[int, int] = field(default_factory=dict)
    count: int = 0
    sum_1e4: int = 0
    minimum_1e4: int | None = None
    maximum_1e4: int | None = None
    truncated: int = 0

    def add(self, score_1e4: int, *, truncated: bool = False) -> None:
        """Count one score."""
        index = bin_of(score_1e4)
        self.bins[index] = self.bins.get(index, 0) + 1
        self.count += 1
        self.sum_1e4 += score_1e4
        self.truncated += truncated
        self.minimum_1e4 = score_1e4 if self.minimum_1e4 is None else min(self.minimum_1e4, score_1e4)
        self.maximum_1e4 = score_1e4 if self.maximum_1e4 is None else max(self.maximum_1e4, score_1e4)

    def merge(self, other: HistogramCounts) -> None:
        """Add another accumulator's counts to this one; the other is left as it was."""
        for index, count in other.bins.items():
            self.bins[index] = self.bins.get(index, 0) + count
        self.count += other.count
        self.sum_1e4 += other.sum_1e4
        self.truncated += other.truncated
        extremes = [value for value in (self.minimum_1e4, other.minimum_1e4) if value is not None]
        self.minimum_1e4 = min(extremes, default=None)
        extremes = [value for value in (self.maximum_1e4, other.maximum_1e4) if value is not None]
        self.maximum_1e4 = max(extremes, default=None)

    def quantile_1e4(self, quantile: float) -> int | None:
        """Return the lower edge of the bin that holds the quantile, or None when nothing was counted.

        The quantile q is the smallest bin up to which at least q * count scores lie (at least one score for q = 0).
        """
        if self.count == 0:
            return None
        # Integer arithmetic: q in units of 1e-6, so that no platform rounds q * count differently.
        wanted = max(1, -(-round(quantile * 1_000_000) * self.count // 1_000_000))
        reached = 0
        for index in sorted(self.bins):
            reached += self.bins[index]
            if reached >= wanted:
                return bin_low_1e4(index)
        raise AssertionError("the bins hold fewer scores than were counted")

    def summary(self, text_kind: str, aggregation: str) -> ScoreHistogram:
        """Return the stable form of these counts."""
        inner = tuple((index, self.bins[index]) for index in sorted(self.bins) if 0 <= index < HISTOGRAM_BINS)
        quantiles = [(quantile, self.quantile_1e4(quantile)) for quantile in QUANTILES]
        return ScoreHistogram(
            text_kind=text_kind,
            aggregation=aggregation,
            count=self.count,
            sum_1e4=self.sum_1e4,
            underflow=self.bins.get(-1, 0),
            overflow=self.bins.get(HISTOGRAM_BINS, 0),
            counts=inner,
            mean_1e4=None if self.count == 0 else _rounded_mean(self.sum_1e4, self.count),
            minimum_1e4=self.minimum_1e4,
            maximum_1e4=self.maximum_1e4,
            quantiles_1e4=tuple((quantile, value) for quantile, value in quantiles if value is not None),
            bucket_shares=self._bucket_shares(),
            truncated_texts=self.truncated,
        )

    def _bucket_shares(self) -> tuple[tuple[float, float, float], ...]:
        if self.count == 0:
            return ()
        shares = []
        for low, high, _ in VIDEOPRISM_BUCKETS:
            first = bin_of(round(low * 10_000)) if low > -1.0 else -1
            last = bin_of(round(high * 10_000)) if high < 1.0 else HISTOGRAM_BINS + 1
            inside = sum(count for index, count in self.bins.items() if first <= index < last)
            shares.append((low, high, round(inside / self.count, 6)))
        return tuple(shares)


def _rounded_mean(total: int, count: int) -> int:
    """Return total / count rounded half to even, in exact integer arithmetic."""
    quotient, rest = divmod(total, count)
    twice = 2 * rest
    return quotient + (twice > count or (twice == count and quotient % 2 == 1))
