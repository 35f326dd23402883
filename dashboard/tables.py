"""The numbers behind every table of the page, as plain rows. Pure: the same statistics give the same rows.

A cell is text, a whole number, a fraction or None; how it looks is the column's `kind`, which the page formats.
Scores leave here as cosines, times as hours; counts stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.published import VIDEOPRISM_BUCKETS, VIDEOPRISM_SOURCES
from schemas.records import Tier
from schemas.statistics import BEST_TEXT, LedgerCounts, ScoreHistogram, SourceStatistics, Statistics

Cell = str | int | float | None

FEW_SCORES = 200
WIDE_LIMIT = 12
LONG_TEXTS_SHARE = 0.2
MICROSECONDS_PER_HOUR = 3_600_000_000
TIERS = tuple(tier.value for tier in Tier)
ADDS_UP = "adds up"
PUBLISHED_ROW = "VideoPrism"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        kind: text, mark, digest, count, decimal, distance, share, score, loss, hours, seconds, bytes or check; the page
            aligns and formats by it.
        group: a heading over neighbouring columns of the same group, or "".
        hint: what the number is, in words, or "".
        detail: shown only when a reader asks for every column; CSV always has it.
    """

    key: str
    label: str
    kind: str
    group: str = ""
    hint: str = ""
    detail: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: its name is also the name of its CSV file."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something a reader should look at: `error` breaks a promise of the run, `warning` asks for care."""

    level: str
    source: str
    text: str


def text_column(key: str, label: str) -> Column:
    """Return a column of words."""
    return Column(key=key, label=label, kind="text")


def count_column(key: str, label: str, group: str = "", hint: str = "") -> Column:
    """Return a column of counts."""
    return Column(key=key, label=label, kind="count", group=group, hint=hint)


def hours(microseconds: int) -> float:
    """Return a duration in hours, to the millionth."""
    return round(microseconds / MICROSECONDS_PER_HOUR, 6)


def cosine(score_1e4: int | None) -> float | None:
    """Return a score as a cosine; None stays None."""
    return None if score_1e4 is None else score_1e4 / 10_000


def best_histogram(source: SourceStatistics, aggregation: str) -> ScoreHistogram | None:
    """Return the histogram of each sample's chosen text under one aggregation, or None if the feed has none."""
    for histogram in source.histograms:
        if histogram.text_kind == BEST_TEXT and histogram.aggregation == aggregation:
            return histogram
    return None


def tier_totals(statistics: Statistics) -> dict[str, int]:
    """Return the samples of each tier over all sources, before duplicates were left out; known tiers first."""
    totals = dict.fromkeys(TIERS, 0)
    for source in statistics.sources:
        for tier in source.tiers:
            totals[tier.tier] = totals.get(tier.tier, 0) + tier.samples
    return totals


def headline(statistics: Statistics) -> dict[str, Any]:
    """Return the figures of the page's first rows.

    `rejects` counts records and samples; a dropped text takes no clip with it, so it is told apart.
    """
    sources = statistics.sources
    return {
        "sources": len(sources),
        "clean_sources": sum(source.origin == "clean" for source in sources),
        "records_read": sum(source.ledger.records_read for source in sources),
        "samples": sum(source.samples for source in sources),
        "videos": sum(source.videos for source in sources),
        "hours": hours(sum(source.duration_us for source in sources)),
        "media_bytes": sum(source.media_bytes for source in sources),
        "rejects": sum(source.ledger.records_rejected + source.ledger.samples_rejected for source in sources),
        "texts_dropped": sum(source.ledger.texts_dropped for source in sources),
        "duplicate_groups": statistics.duplicates.groups,
        "duplicates_removed": statistics.duplicates.samples_removed,
        "tiers": tier_totals(statistics),
        "samples_sharded": sum(tier.samples_sharded for source in sources for tier in source.tiers),
    }


def ledger_faults(ledger: LedgerCounts) -> tuple[str, ...]:
    """Return what does not add up, in words; empty when every row and every sample is accounted for."""
    faults = []
    told = ledger.records_expanded + ledger.records_merged + ledger.records_rejected
    if ledger.records_read != told:
        faults.append(f"records off by {ledger.records_read - told:+d}")
    # A record whose span is made into parts plans several samples.
    if ledger.records_expanded > ledger.samples_planned:
        faults.append(f"planned off by {ledger.samples_planned - ledger.records_expanded:+d}")
    told = ledger.samples_kept + ledger.samples_rejected
    if ledger.samples_planned != told:
        faults.append(f"samples off by {ledger.samples_planned - told:+d}")
    return tuple(faults)


def funnel_table(statistics: Statistics) -> Table:
    """Return both ledgers per source, each with its check."""
    group_records, group_samples, group_texts = "Records", "Samples", "Texts"
    columns = (
        text_column("source", "Source"),
        count_column("records_read", "read", group_records),
        count_column("records_expanded", "expanded", group_records, "records that planned a sample"),
        count_column("records_merged", "merged", group_records, "records whose sample another record had planned"),
        count_column("records_rejected", "rejected", group_records),
        count_column("samples_planned", "planned", group_samples),
        count_column("samples_kept", "kept", group_samples),
        count_column("samples_rejected", "rejected", group_samples),
        count_column("texts_kept", "kept", group_texts),
        count_column("texts_dropped", "dropped", group_texts, "a dropped text takes no clip with it"),
        Column(
            key="check",
            label="Check",
            kind="check",
            hint="read = expanded + merged + rejected; planned = kept + rejected",
        ),
    )
    rows = []
    for source in statistics.sources:
        ledger = source.ledger
        counts = tuple(getattr(ledger, column.key) for column in columns[1:-1])
        rows.append((source.name, *counts, ", ".join(ledger_faults(ledger)) or ADDS_UP))
    return Table(name="funnel", title="Both ledgers", columns=columns, rows=tuple(rows))


def bucket_label(low: float, high: float) -> str:
    """Return the name of one of VideoPrism's buckets."""
    if low <= -1:
        return f"< {high:.2f}"
    return f"≥ {low:.2f}" if high >= 1 else f"{low:.2f}-{high:.2f}"


def _bucket_key(low: float, high: float) -> str:
    if low <= -1:
        return f"share_below_{high:.2f}"
    return f"share_from_{low:.2f}" if high >= 1 else f"share_{low:.2f}_to_{high:.2f}"


def _bucket_columns() -> tuple[Column, ...]:
    return tuple(
        Column(
            key=_bucket_key(low, high),
            label=bucket_label(low, high).replace("0.", "."),
            kind="share",
            group="Share of scores in VideoPrism's buckets",
            hint=f"published for VideoPrism's whole corpus: {share:.1%}",
        )
        for low, high, share in VIDEOPRISM_BUCKETS
    )


def _score_cells(histogram: ScoreHistogram | None) -> tuple[Cell, ...]:
    if histogram is None:
        return (0, None, None, None, None, *(None for _ in VIDEOPRISM_BUCKETS), None)
    quantiles = dict(histogram.quantiles_1e4)
    shares = {(low, high): share for low, high, share in histogram.bucket_shares} if histogram.count else {}
    return (
        histogram.count,
        cosine(histogram.mean_1e4),
        *(cosine(quantiles.get(level)) for level in (0.05, 0.5, 0.95)),
        *(shares.get((low, high)) for low, high, _ in VIDEOPRISM_BUCKETS),
        histogram.truncated_texts,
    )


def score_table(statistics: Statistics) -> Table:
    """Return one row per source with its best-text scores, and VideoPrism's published shares as the last row."""
    score = "Best-text score"
    columns = (
        text_column("source", "Source"),
        Column(key="origin", label="Origin", kind="mark"),
        text_column("licence", "Licence"),
        count_column("samples", "Samples"),
        Column(key="hours", label="Hours", kind="hours"),
        count_column("scored", "scored", score),
        Column(key="mean", label="mean", kind="score", group=score),
        Column(key="p5", label="p5", kind="score", group=score, hint="lower edge of the 0.001 bin that holds it"),
        Column(key="p50", label="p50", kind="score", group=score, hint="lower edge of the 0.001 bin that holds it"),
        Column(key="p95", label="p95", kind="score", group=score, hint="lower edge of the 0.001 bin that holds it"),
        *_bucket_columns(),
        count_column("truncated_texts", "Truncated", hint="texts longer than the model reads"),
    )
    rows: list[tuple[Cell, ...]] = []
    for source in statistics.sources:
        cells = _score_cells(best_histogram(source, statistics.scorer.aggregation))
        facts = (source.name, source.origin, source.licence, source.samples, hours(source.duration_us))
        rows.append((*facts, *cells))
    shares = tuple(share for _, _, share in VIDEOPRISM_BUCKETS)
    published = (PUBLISHED_ROW, "published", None, None, None, 100_000)
    rows.append((*published, None, None, None, None, *shares, None))
    return Table(name="scores", title="Scores per source", columns=columns, rows=tuple(rows))


def published_table() -> Table:
    """Return VideoPrism's corpora as published."""
    columns = (
        text_column("corpus", "Corpus"),
        text_column("captions", "Captions"),
        text_column("quality", "Quality"),
        Column(key="clips_millions", label="Clips, millions", kind="decimal"),
        Column(key="mean", label="Mean score", kind="score2"),
    )
    rows = tuple(
        (row.name, row.captions, row.quality, row.clips_millions, row.mean_score) for row in VIDEOPRISM_SOURCES
    )
    return Table(name="videoprism", title="Published means", columns=columns, rows=rows)


def tier_table(statistics: Statistics) -> Table:
    """Return one row per source and tier; the share is of the source's samples in any tier."""
    columns = (
        text_column("source", "Source"),
        Column(key="tier", label="Tier", kind="tier"),
        count_column("samples", "Samples"),
        Column(key="share", label="Share of source", kind="share"),
        count_column("samples_sharded", "Sharded", hint="after duplicates were left out"),
        Column(key="hours", label="Hours", kind="hours"),
        Column(key="bytes", label="Bytes", kind="bytes"),
    )
    rows = []
    for source in statistics.sources:
        whole = sum(tier.samples for tier in source.tiers)
        for tier in source.tiers:
            share = round(tier.samples / whole, 6) if whole else None
            facts = (tier.samples_sharded, hours(tier.duration_us), tier.media_bytes)
            rows.append((source.name, tier.tier, tier.samples, share, *facts))
    return Table(name="tiers", title="Tier yields", columns=columns, rows=tuple(rows))


def _reject_counts(sources: Iterable[SourceStatistics]) -> dict[tuple[str, str, str], dict[str, int]]:
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for source in sources:
        for reject in source.rejects:
            per_source = found.setdefault((reject.stage, reject.scope, reject.reason), {})
            per_source[source.name] = per_source.get(source.name, 0) + reject.count
    return found


def reject_table(statistics: Statistics) -> Table:
    """Return rejects and dropped texts by stage and reason, most first.

    Up to WIDE_LIMIT sources each have a column; with more, each source has a row of its own instead.
    """
    columns: tuple[Column, ...] = (
        text_column("stage", "Stage"),
        text_column("takes", "Takes out"),
        text_column("reason", "Reason"),
    )
    counts = sorted(_reject_counts(statistics.sources).items(), key=lambda item: (-sum(item[1].values()), item[0]))
    rows: list[tuple[Cell, ...]] = []
    if len(statistics.sources) <= WIDE_LIMIT:
        names = [source.name for source in statistics.sources]
        columns += (count_column("total", "All"), *(count_column(name, name, "Source") for name in names))
        rows += [(*key, sum(per.values()), *(per.get(name, 0) for name in names)) for key, per in counts]
    else:
        columns += (text_column("source", "Source"), count_column("count", "Count"))
        rows += [(*key, name, count) for key, per in counts for name, count in per.items()]
    return Table(name="rejects", title="Rejects and dropped texts", columns=columns, rows=tuple(rows))


def planted_table(planted: Mapping[str, Any]) -> Table:
    """Return what a made-up world planted beside what was found.

    A value is either a number, or a mapping with `planted` and `found`; anything else is shown as text.
    """
    columns = (
        text_column("kind", "Kind"),
        count_column("planted", "Planted"),
        count_column("found", "Found"),
        text_column("note", "Note"),
    )
    rows: list[tuple[Cell, ...]] = []
    for kind, value in planted.items():
        if isinstance(value, Mapping):
            others = ", ".join(f"{key}: {item}" for key, item in value.items() if key not in ("planted", "found"))
            rows.append((str(kind), value.get("planted"), value.get("found"), others))
        else:
            rows.append((str(kind), None, None, str(value)))
    return Table(name="planted", title="Planted and found", columns=columns, rows=tuple(rows))


def _source_notices(source: SourceStatistics, aggregation: str) -> list[Notice]:
    found = [Notice(level="error", source=source.name, text=fault) for fault in ledger_faults(source.ledger)]
    histogram = best_histogram(source, aggregation)
    if histogram is None or histogram.count == 0:
        found.append(Notice(level="warning", source=source.name, text="no scores"))
        return found
    if histogram.count < FEW_SCORES:
        text = f"only {histogram.count} score{'s' if histogram.count > 1 else ''}: its shape and quantiles are rough"
        found.append(Notice(level="warning", source=source.name, text=text))
    if histogram.truncated_texts > LONG_TEXTS_SHARE * histogram.count:
        text = f"{histogram.truncated_texts:,} of {histogram.count:,} texts were longer than the model reads"
        found.append(Notice(level="warning", source=source.name, text=text))
    return found


def notices(statistics: Statistics) -> tuple[Notice, ...]:
    """Return what deserves a look, broken promises first."""
    found = [
        notice for source in statistics.sources for notice in _source_notices(source, statistics.scorer.aggregation)
    ]
    return tuple(sorted(found, key=lambda notice: notice.level))
