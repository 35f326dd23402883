"""Beam's face of curation's accumulators."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam

from curation.histogram import HistogramCounts
from curation.packing import Sizes, add_sizes


class CountScores(beam.CombineFn):
    """(score in 1e-4, truncated) -> HistogramCounts."""

    def create_accumulator(self, *args: object, **kwargs: object) -> HistogramCounts:
        return HistogramCounts()

    def add_input(
        self, accumulator: HistogramCounts, element: tuple[int, bool], *args: object, **kwargs: object
    ) -> HistogramCounts:
        accumulator.add(element[0], truncated=element[1])
        return accumulator

    def merge_accumulators(
        self, accumulators: Iterable[HistogramCounts], *args: object, **kwargs: object
    ) -> HistogramCounts:
        merged = HistogramCounts()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: HistogramCounts, *args: object, **kwargs: object) -> HistogramCounts:
        return accumulator


class AddSizes(beam.CombineFn):
    """(fine bucket, (samples, bytes)) -> sizes per fine bucket."""

    def create_accumulator(self, *args: object, **kwargs: object) -> Sizes:
        return {}

    def add_input(
        self, accumulator: Sizes, element: tuple[int, tuple[int, int]], *args: object, **kwargs: object
    ) -> Sizes:
        add_sizes(accumulator, *element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Sizes], *args: object, **kwargs: object) -> Sizes:
        merged: Sizes = {}
        for accumulator in accumulators:
            for bucket, size in accumulator.items():
                add_sizes(merged, bucket, size)
        return merged

    def extract_output(self, accumulator: Sizes, *args: object, **kwargs: object) -> Sizes:
        return accumulator
