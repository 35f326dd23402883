"""`stats/statistics.json`: the stable feed of the report and of any dashboard. Exact counts, no clock.

Scores are integers of 1e-4. A histogram has 2,000 half-open bins of 0.001 over [-1, 1): bin i holds scores in
[-10000 + 10 i, -9990 + 10 i) of 1e-4; a score of exactly 1 counts as overflow.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.canonical import digest_of

StatisticsSchema = Literal["clipstrata.statistics/3"]
STATISTICS_SCHEMA: StatisticsSchema = "clipstrata.statistics/3"
HISTOGRAM_LOW_1E4 = -10_000
HISTOGRAM_STEP_1E4 = 10
HISTOGRAM_BINS = 2_000
BEST_TEXT = "best"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HistogramEdges(_Model):
    """The edges of all histograms of one document: bin i begins at `low_1e4 + i * step_1e4`."""

    low_1e4: int = HISTOGRAM_LOW_1E4
    step_1e4: int = HISTOGRAM_STEP_1E4
    bins: int = HISTOGRAM_BINS


class LedgerCounts(_Model):
    """Both ledgers of one source, and its texts."""

    records_read: int
    records_expanded: int
    records_merged: int
    records_rejected: int
    samples_planned: int
    samples_kept: int
    samples_rejected: int
    texts_kept: int
    texts_dropped: int


class ScoreHistogram(_Model):
    """Scores of one source, one text kind and one aggregation.

    Attributes:
        text_kind: a text kind, or `best` for each sample's chosen text.
        counts: (bin, count) of the bins that are not empty, ascending.
        mean_1e4: sum / count rounded half to even; None when empty.
        quantiles_1e4: lower edge of the bin that holds each quantile of QUANTILES; empty when there is no score.
        bucket_shares: (from, to, share) in VideoPrism's published buckets.
    """

    text_kind: str
    aggregation: str
    count: int
    sum_1e4: int
    underflow: int
    overflow: int
    counts: tuple[tuple[int, int], ...]
    mean_1e4: int | None
    minimum_1e4: int | None
    maximum_1e4: int | None
    quantiles_1e4: tuple[tuple[float, int], ...]
    bucket_shares: tuple[tuple[float, float, float], ...]
    truncated_texts: int


class TierCounts(_Model):
    """Samples of one tier of one source, and what reached a shard of it: samples, their duration and bytes."""

    tier: str
    samples: int
    samples_sharded: int
    duration_us: int
    media_bytes: int


class ResolvedCuts(_Model):
    """The cuts that were applied, as integers of 1e-4; `clean_1e4` is None for a noisy source."""

    clean_1e4: int | None
    high_1e4: int
    low_1e4: int


class ReasonCount(_Model):
    """Rejects or dropped texts of one stage and reason."""

    stage: str
    scope: str
    reason: str
    count: int


class RuleCount(_Model):
    """Samples whose first broken rule is this one."""

    rule: str
    samples: int


class SourceStatistics(_Model):
    """Everything counted about one source.

    Attributes:
        samples_merged: samples that two units told of (the same file under two locators), joined when judged.
        cuts: those that were applied; None where runs with different cuts were added up, which then have no `tiers`.
        rules: samples by the first rule that they break, whether it leaves them out or only labels them.
        left_out_by_rule: samples that a rule keeps out of the shards.
        left_out_as_duplicate: samples that break no such rule, and whose keeper stands for them.
        lengths: samples by the length of their clip, in the buckets of `schemas.published.VIDEOPRISM_LENGTHS`.
    """

    name: str
    origin: str
    licence: str
    ledger: LedgerCounts
    samples: int
    samples_merged: int
    videos: int
    duration_us: int
    media_bytes: int
    cuts: ResolvedCuts | None
    histograms: tuple[ScoreHistogram, ...]
    tiers: tuple[TierCounts, ...]
    rejects: tuple[ReasonCount, ...]
    rules: tuple[RuleCount, ...]
    left_out_by_rule: int
    left_out_as_duplicate: int
    duplicates: int
    lengths: tuple[int, ...]


class DuplicatePair(_Model):
    """Samples of two sources (or of one) that share a duplicate group."""

    source: str
    other: str
    groups: int


class ThresholdYield(_Model):
    """What a threshold of one kind of edge joins: pairs at or above it, and contents in at least one of them."""

    kind: str
    threshold_1e4: int
    pairs: int
    contents: int


class DuplicateSummary(_Model):
    """What finding duplicates came to, `duplicates/summary.json`.

    Attributes:
        counts: what was compared, left out or capped on the way; docs/duplicates.md says what each means.
        groups: kind of group (`duplicate`, `near`) -> groups that edges make.
        thresholds: of each kind, from the corpus's own threshold upwards.
        benchmarks: name -> (clips in its file, duplicate groups that hold one of them).
    """

    schema_name: str = "clipstrata.duplicates/1"
    counts: dict[str, int]
    groups: dict[str, int]
    thresholds: tuple[ThresholdYield, ...]
    benchmarks: dict[str, tuple[int, int]] = {}


class BenchmarkCount(_Model):
    """Samples of a source that are left out because their duplicate group holds a clip of a benchmark."""

    benchmark: str
    source: str
    samples: int


class DuplicateStatistics(_Model):
    """Duplicate groups over the whole corpus.

    Attributes:
        samples_removed: samples that no rule leaves out, and whose group's keeper stands for them.
        action: what is done about samples that show the same.
        removed: kind -> samples whose keeper stands for them because of it.
        near: samples in near groups, which weigh less.
        sizes: (size, how many groups have it), ascending.
        largest: sizes of the ten largest groups, descending.
        benchmarks: what was left out because a benchmark shows it.
        found: what finding them came to; None in statistics of several runs.
    """

    scope: str
    action: str
    groups: int
    samples_in_groups: int
    samples_removed: int
    pairs: tuple[DuplicatePair, ...]
    largest: tuple[int, ...]
    removed: dict[str, int] = {}
    near: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    benchmarks: tuple[BenchmarkCount, ...] = ()
    found: DuplicateSummary | None = None


class ScorerFacts(_Model):
    """The box that defines the score; scores of two models do not compare."""

    name: str
    digest: str
    frame_plan: str
    aggregation: str
    prompt: str
    top_k: int = 3

    @property
    def scoring(self) -> str:
        """Name of everything that a raw score depends on: scores of one name compare, and lie in one folder."""
        return digest_of([self.digest, self.frame_plan, self.prompt, self.top_k])[:16]


class Statistics(_Model):
    """The whole file; one of another version or with other edges of its bins is not compared with anything."""

    schema_name: StatisticsSchema = STATISTICS_SCHEMA
    corpus: str
    scorer: ScorerFacts
    edges: HistogramEdges = HistogramEdges()
    sources: tuple[SourceStatistics, ...]
    duplicates: DuplicateStatistics
