"""Beam's face of curation's accumulators."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam

from curation.histogram import HistogramCounts


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
