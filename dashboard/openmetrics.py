"""A run's statistics as OpenMetrics text, for Prometheus and what reads it (deploy/grafana)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from schemas.statistics import (
    BEST_TEXT,
    HISTOGRAM_LOW_1E4,
    HISTOGRAM_STEP_1E4,
    ScoreHistogram,
    SourceStatistics,
    Statistics,
)

# Upper edges of the exported histogram: steps of 0.05 over what CLIP scores take, and the rest.
EDGES_1E4 = (-10_000, *range(-2_000, 6_001, 500), 10_000)
US_PER_S = 1_000_000
Rows = Callable[[SourceStatistics], Iterator[tuple[str, float]]]

LEDGER_FIELDS = (
    "records_read",
    "records_expanded",
    "records_merged",
    "records_rejected",
    "samples_planned",
    "samples_kept",
    "samples_rejected",
    "texts_kept",
    "texts_dropped",
)


def openmetrics(statistics: Statistics) -> str:
    """Return the text; equal statistics give equal text."""
    registry = CollectorRegistry()
    registry.register(_RunCollector(statistics))
    return generate_latest(registry).decode("utf-8")


class _RunCollector(Collector):
    def __init__(self, statistics: Statistics) -> None:
        self.statistics = statistics

    def collect(self) -> Iterator[Metric]:
        told = self.statistics
        scorer = told.scorer
        # A gauge of 1, and no `info`: node exporter's text files know the types of Prometheus' own format alone.
        facts = {
            "corpus": told.corpus,
            "model": scorer.name,
            "digest": scorer.digest,
            "aggregation": scorer.aggregation,
        }
        words = "The corpus, and what defines its scores; always 1."
        run = GaugeMetricFamily("clipstrata_run_info", words, labels=list(facts))
        run.add_metric(list(facts.values()), 1)
        yield run
        yield self._scores()
        yield self._means()
        yield from self._tiers()
        yield self._gauge("ledger", "Records, samples and texts of the two ledgers.", "count", _ledger_rows)
        yield self._gauge("cut", "The cut at which a tier begins, as a cosine.", "tier", _cut_rows)
        yield self._gauge("left_out", "Samples that go into no shard.", "by", _left_out_rows)
        yield self._rejects()

    def _scores(self) -> Metric:
        family = HistogramMetricFamily(
            "clipstrata_score", "Scores of each sample's chosen text, as cosines.", labels=["source"]
        )
        for source in self.statistics.sources:
            for histogram in source.histograms:
                if self._is_own(histogram):
                    family.add_metric([source.name], _buckets(histogram), sum_value=None)
        return family

    def _means(self) -> Metric:
        words = "Mean score of each sample's chosen text, as a cosine."
        family = GaugeMetricFamily("clipstrata_score_mean", words, labels=["source"])
        for source in self.statistics.sources:
            for histogram in source.histograms:
                if self._is_own(histogram) and histogram.count:
                    family.add_metric([source.name], histogram.sum_1e4 / histogram.count / 10_000)
        return family

    def _is_own(self, histogram: ScoreHistogram) -> bool:
        return histogram.text_kind == BEST_TEXT and histogram.aggregation == self.statistics.scorer.aggregation

    def _tiers(self) -> Iterator[Metric]:
        labels = ["source", "tier"]
        samples = GaugeMetricFamily("clipstrata_samples", "Samples of a tier.", labels=labels)
        sharded = GaugeMetricFamily("clipstrata_sharded_samples", "Samples of a tier in shards.", labels=labels)
        seconds = GaugeMetricFamily("clipstrata_sharded_seconds", "Length of a tier's clips in shards.", labels=labels)
        size = GaugeMetricFamily("clipstrata_sharded_bytes", "Size of a tier's clips in shards.", labels=labels)
        for source in self.statistics.sources:
            for tier in source.tiers:
                place = [source.name, tier.tier]
                samples.add_metric(place, tier.samples)
                sharded.add_metric(place, tier.samples_sharded)
                seconds.add_metric(place, tier.duration_us / US_PER_S)
                size.add_metric(place, tier.media_bytes)
        yield from (samples, sharded, seconds, size)

    def _gauge(self, name: str, words: str, label: str, rows: Rows) -> Metric:
        family = GaugeMetricFamily(f"clipstrata_{name}", words, labels=["source", label])
        for source in self.statistics.sources:
            for value_label, value in rows(source):
                family.add_metric([source.name, value_label], value)
        return family

    def _rejects(self) -> Metric:
        labels = ["source", "stage", "scope", "reason"]
        family = GaugeMetricFamily("clipstrata_rejects", "Rejects and dropped texts.", labels=labels)
        for source in self.statistics.sources:
            for reject in source.rejects:
                family.add_metric([source.name, reject.stage, reject.scope, reject.reason], reject.count)
        return family


def _buckets(histogram: ScoreHistogram) -> list[tuple[str, float]]:
    """Return (upper edge, how many scores lie under it) with +Inf last; edges are those of the feed's bins."""
    found, reached, rest = [], histogram.underflow, list(histogram.counts)
    for edge in EDGES_1E4:
        while rest and HISTOGRAM_LOW_1E4 + (rest[0][0] + 1) * HISTOGRAM_STEP_1E4 <= edge:
            reached += rest.pop(0)[1]
        found.append((str(edge / 10_000), float(reached)))
    return [*found, ("+Inf", float(histogram.count))]


def _ledger_rows(source: SourceStatistics) -> Iterator[tuple[str, float]]:
    for name in LEDGER_FIELDS:
        yield name, getattr(source.ledger, name)


def _cut_rows(source: SourceStatistics) -> Iterator[tuple[str, float]]:
    if source.cuts is None:
        return
    cuts = {"clean": source.cuts.clean_1e4, "noisy_high": source.cuts.high_1e4, "noisy_low": source.cuts.low_1e4}
    for tier, cut in cuts.items():
        if cut is not None:
            yield tier, cut / 10_000


def _left_out_rows(source: SourceStatistics) -> Iterator[tuple[str, float]]:
    yield "rule", source.left_out_by_rule
    yield "duplicate", source.left_out_as_duplicate
