"""Judging one sample at a time: what it adds to the counts, its tier, and its row of the selection."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curation.duplicates import Candidate, decide_group
from curation.lengths import length_bucket
from curation.tiers import ScoredText, assign_tier, choose_text
from curation.unit_reading import SampleFacts
from schemas.corpus import CorpusConfig, TierWeights
from schemas.records import Origin, Selection, Tier
from schemas.statistics import BEST_TEXT, ResolvedCuts

# A tally is one integer under one key; all counts of a run are sums of these, in any order.
Tally = tuple[tuple[str, ...], int]
HistogramKey = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A sample with its tier and chosen text, before duplicates are looked at."""

    facts: SampleFacts
    tier: str
    text_id: str | None
    score_1e4: int | None


def score_counts(facts: SampleFacts, aggregation: str) -> Iterator[tuple[HistogramKey, tuple[int, bool]]]:
    """Yield ((source, text kind, aggregation), (score, truncated)) for each stored score of a sample.

    The sample's chosen text counts once more under the kind `best`, for the aggregation that judging reads.
    """
    for text in facts.texts:
        for name, score in text.scores_1e4:
            yield (facts.source, text.kind, name), (score, text.truncated)
    best = choose_text(scored_texts(facts, aggregation))
    if best is not None:
        yield (facts.source, BEST_TEXT, aggregation), (best.score_1e4, best.truncated)


def scored_texts(facts: SampleFacts, aggregation: str) -> list[ScoredText]:
    """Return a sample's texts under one aggregation."""
    return [
        ScoredText(text_id=text.text_id, kind=text.kind, score_1e4=text.score(aggregation), truncated=text.truncated)
        for text in facts.texts
    ]


def judge_sample(facts: SampleFacts, cuts: ResolvedCuts, aggregation: str) -> Judged:
    """Return a sample with its tier."""
    best = choose_text(scored_texts(facts, aggregation))
    score = None if best is None else best.score_1e4
    return Judged(
        facts=facts,
        tier=assign_tier(score, cuts).value,
        text_id=None if best is None else best.text_id,
        score_1e4=score,
    )


def select_group(key: str, group: Sequence[Judged], config: CorpusConfig) -> list[Selection]:
    """Return the selection rows of all samples that share a duplicate key; the shard bucket is still open (0).

    A sample that its keeper stands for has no bucket when the policy keeps one of a group.
    """
    origins = {source.name: source.origin for source in config.sources}
    by_id = {judged.facts.sample_id: judged for judged in group}
    decisions = decide_group(key, [_candidate(judged, origins[judged.facts.source]) for judged in group])
    rows = []
    for decision in decisions:
        judged = by_id[decision.sample_id]
        left_out = config.duplicates.action == "keep_one" and decision.keeper != decision.sample_id
        rows.append(
            Selection(
                sample_id=decision.sample_id,
                source=judged.facts.source,
                tier=judged.tier,
                text_id=judged.text_id,
                score_1e4=judged.score_1e4,
                duplicate_group=decision.group,
                keeper=decision.keeper,
                weight_1e4=tier_weight_1e4(config.weights, judged.tier),
                shard_bucket=None if left_out else 0,
                media_sha256=judged.facts.media_sha256,
                media_bytes=judged.facts.media_bytes,
                duration_us=judged.facts.duration_us,
            )
        )
    return rows


def tier_weight_1e4(weights: TierWeights, tier: str) -> int:
    """Return the sampling weight of a tier; 10,000 is 1."""
    return round(float(getattr(weights, tier)) * 10_000)


def _candidate(judged: Judged, origin: Origin) -> Candidate:
    return Candidate(
        sample_id=judged.facts.sample_id,
        source=judged.facts.source,
        origin=origin,
        tier=Tier(judged.tier),
        score_1e4=judged.score_1e4,
    )


def tally_sample(facts: SampleFacts, tellings: int) -> Iterator[Tally]:
    """Yield what one merged sample adds to its source's counts; `tellings` units told of it."""
    source = facts.source
    yield ("samples", source), 1
    yield ("samples_merged", source), tellings - 1
    yield ("duration_us", source), facts.duration_us
    yield ("length", source, str(length_bucket(facts.duration_us))), 1
    yield ("media_bytes", source), facts.media_bytes


def tally_selection(row: Selection) -> Iterator[Tally]:
    """Yield what one selection row adds to its tier's counts; duration and bytes are those that reach a shard."""
    place = (row.source, row.tier)
    yield ("tier", *place, "samples"), 1
    if row.duplicate_group is not None:
        yield ("duplicates", row.source), 1
    if row.shard_bucket is None:
        yield ("removed",), 1
        return
    yield ("tier", *place, "samples_sharded"), 1
    yield ("tier", *place, "duration_us"), row.duration_us
    yield ("tier", *place, "media_bytes"), row.media_bytes


def tally_group(rows: Sequence[Selection]) -> Iterator[Tally]:
    """Yield what one duplicate group adds to the corpus's counts: its size, and each pair of sources in it."""
    if len(rows) < 2:
        return
    yield ("group_size", f"{len(rows):09d}"), 1
    counts = Counter(row.source for row in rows)
    within = [(name, name) for name, count in counts.items() if count > 1]
    pairs = [*itertools.combinations(sorted(counts), 2), *within]
    for first, second in sorted(pairs):
        yield ("pair", first, second), 1
