"""What the page shows beside `statistics.json`: the run's Parquet tables in the form in which a script reads them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow.parquet as pq

from dashboard.drift_tables import drift_table
from dashboard.shard_tables import outlier_table, shard_table
from dashboard.tables import Cell, Column, Table
from schemas.drift import Drift
from schemas.examples import Example, ExampleText, SampleGroup
from schemas.manifest import ShardFacts
from schemas.records import Tier
from schemas.statistics import ScorerFacts, Statistics

# (source, low end of the bin in 1e-4, good, wrong, unsure, bounds of the precision)
LabelRow = tuple[str, int, int, int, int, float, float]
TIERS = tuple(tier.value for tier in Tier)
# VideoPrism's stages (arXiv 2402.13217, table 9): 2e5 steps and 3e5 steps of 4,096 clips.
STAGE_SAMPLES = (819_200_000, 1_228_800_000)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Tables of a run, as files or already read.

    Attributes:
        yields, joint, reject_examples: bytes of `stats/yields.parquet` and so on.
        examples: the clips behind the numbers, with their texts.
        groups: the largest groups of duplicates and of clips that mean nearly the same, with some of their members.
        shards: of the manifest.
        labels: rows (source, low end of the bin in 1e-4, good, wrong, unsure, bounds of the precision).
        shard_states: path -> what is wrong with the file, where it is not as the manifest says; None where nobody
            looked.
        other: statistics of the run that this one is compared with.
        drift: how far this run lies from it; None where their scores do not compare.
        verdicts: sample -> what was last said of it.
        stage_samples: how many clips each training stage sees, for the epochs that cuts would give.
    """

    yields: bytes
    joint: bytes
    reject_examples: bytes
    examples: Sequence[Example] = ()
    groups: Sequence[SampleGroup] = ()
    shards: Sequence[ShardFacts] = ()
    labels: Sequence[LabelRow] = ()
    shard_states: Mapping[str, str] | None = None
    other: Statistics | None = None
    drift: Drift | None = None
    stage_samples: tuple[int, int] = STAGE_SAMPLES
    verdicts: Mapping[str, str] = field(default_factory=dict)


def feed_data(feed: Feed, scorer: ScorerFacts) -> dict[str, Any]:
    """Return what the script reads: yields, examples, the other run, and facts for the export of cuts."""
    return {
        "yields": yield_rows(feed.yields),
        "examples": [_compact(example) for example in feed.examples],
        "groups": [_compact_group(group) for group in feed.groups],
        "reject_examples": parquet_rows(feed.reject_examples),
        "scoring": scorer.scoring,
        "verdicts": sorted(feed.verdicts.items()),
        "stage_samples": list(feed.stage_samples),
        "other": None if feed.other is None else feed.other.model_dump(mode="json"),
    }


def parquet_rows(data: bytes) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file."""
    return list(pq.read_table(io.BytesIO(data)).to_pylist())


def yield_rows(data: bytes) -> dict[str, list[list[int | None]]]:
    """Return source -> [bin, clips, duration_us, media_bytes, held_rule_clips, held_duplicate_clips], by bin."""
    names = ("bin", "clips", "duration_us", "media_bytes", "held_rule_clips", "held_duplicate_clips")
    found: dict[str, list[list[int | None]]] = {}
    for row in parquet_rows(data):
        found.setdefault(row["source"], []).append([row[name] for name in names])
    return found


def _compact(example: Example) -> dict[str, Any]:
    document = example.model_dump(mode="json")
    document["texts"] = _compact_texts(example.texts)
    return document


def _compact_texts(texts: Sequence[ExampleText]) -> list[list[Any]]:
    return [[text.kind, text.text, text.score_1e4, int(text.chosen)] for text in texts]


def _compact_group(group: SampleGroup) -> dict[str, Any]:
    document = group.model_dump(mode="json")
    for member, told in zip(document["members"], group.members, strict=True):
        member["texts"] = _compact_texts(told.texts)
    return document


def feed_tables(feed: Feed) -> list[Table]:
    """Return the tables that are drawn as tables."""
    found = [
        dimension_table(parquet_rows(feed.joint)),
        shard_table(feed.shards, feed.shard_states),
        outlier_table(feed.shards, feed.shard_states),
        label_table(feed.labels),
    ]
    return found if feed.drift is None else [*found, drift_table(feed.drift)]


def dimension_table(joint: Sequence[dict[str, Any]]) -> Table:
    """Return clips, hours and bytes of each source by text kind, language, words, duration and motion, with tiers."""
    sums: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in joint:
        own = sums.setdefault((row["source"], row["dimension"], row["value"]), {})
        for name in ("clips", "clips_sharded", "duration_us", "media_bytes"):
            own[name] = own.get(name, 0) + row[name]
        own[row["tier"]] = own.get(row["tier"], 0) + row["clips"]
        if row["bin_low_1e4"] is not None:
            own["scored"] = own.get("scored", 0) + row["clips"]
            own["scores"] = own.get("scores", 0) + row["clips"] * (row["bin_low_1e4"] + 250)
    columns = (
        Column(key="source", label="Source", kind="text"),
        Column(key="dimension", label="By", kind="text"),
        Column(key="value", label="Value", kind="text"),
        Column(key="clips", label="Samples", kind="count"),
        Column(key="clips_sharded", label="Sharded", kind="count"),
        Column(key="hours", label="Hours", kind="hours"),
        Column(key="bytes", label="Bytes", kind="bytes"),
        Column(key="mean", label="Mean score", kind="score2", hint="from bins of 0.05: good to about 0.01"),
        *(Column(key=tier, label=tier, kind="share", group="Tier") for tier in TIERS),
    )
    rows: list[tuple[Cell, ...]] = []
    for (source, dimension, value), own in sums.items():
        mean = round(own["scores"] / own["scored"] / 10_000, 4) if own.get("scored") else None
        facts = (own["clips"], own["clips_sharded"], own["duration_us"] / 3.6e9, own["media_bytes"], mean)
        tiers = (round(own.get(tier, 0) / own["clips"], 6) for tier in TIERS)
        rows.append((source, dimension, value, *facts, *tiers))
    return Table(name="dimensions", title="Samples by text, length and motion", columns=columns, rows=tuple(rows))


def label_table(labels: Sequence[LabelRow]) -> Table:
    """Return the precision that people's labels give each score bin, with 95 % bounds."""
    columns = (
        Column(key="source", label="Source", kind="text"),
        Column(key="from", label="Score from", kind="score2"),
        Column(key="good", label="good", kind="count", group="Labels"),
        Column(key="wrong", label="wrong pair", kind="count", group="Labels"),
        Column(key="unsure", label="unsure", kind="count", group="Labels"),
        Column(key="precision", label="precision", kind="share", group="Good of good and wrong"),
        Column(key="low", label="at least", kind="share", group="Good of good and wrong", hint="Wilson, 95 %"),
        Column(key="high", label="at most", kind="share", group="Good of good and wrong", hint="Wilson, 95 %"),
    )
    rows: list[tuple[Cell, ...]] = []
    for source, low_1e4, good, wrong, unsure, low, high in labels:
        share = good / (good + wrong) if good + wrong else None
        rows.append((source, low_1e4 / 10_000, good, wrong, unsure, share, low, high))
    return Table(name="labels", title="Precision by score, from spot labels", columns=columns, rows=tuple(rows))


def table_documents(tables: Sequence[Table]) -> dict[str, Any]:
    """Return name -> table as the script reads it."""
    return {table.name: asdict(table) for table in tables}
