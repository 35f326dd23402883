"""The tables that judging adds up, each with its keys and what stands under them."""

from __future__ import annotations

import polars as pl

from curation.judging.sums import AnyTable, SumTable, TopRows

_SOURCE = {"source": pl.String}

HISTOGRAMS = SumTable(
    name="histograms",
    keys={**_SOURCE, "text_kind": pl.String, "aggregation": pl.String, "bin": pl.Int32},
    sums=("count", "sum_1e4", "truncated"),
    minima=("minimum_1e4",),
    maxima=("maximum_1e4",),
    split=("source", "text_kind", "aggregation"),
)
# What a cut keeps: a sample stands in one of `clips`, `held_rule_clips` and `held_duplicate_clips`; a rule comes first.
YIELDS = SumTable(
    name="yields",
    keys={**_SOURCE, "bin": pl.Int32},
    sums=("clips", "duration_us", "media_bytes", "held_rule_clips", "held_duplicate_clips"),
    split=("source",),
)
DISTRIBUTIONS = SumTable(
    name="distributions",
    keys={**_SOURCE, "signal": pl.String, "value": pl.String, "low": pl.Int64},
    sums=("count", "sum"),
    split=("source", "signal"),
)
JOINT = SumTable(
    name="joint",
    keys={**_SOURCE, "dimension": pl.String, "value": pl.String, "tier": pl.String, "bin_low_1e4": pl.Int32},
    sums=("clips", "clips_sharded", "duration_us", "media_bytes"),
    split=("source", "dimension"),
)
COUNTS = SumTable(name="counts", keys={**_SOURCE, "name": pl.String}, sums=("count",), split=("source",))
REJECTS = SumTable(
    name="rejects",
    keys={**_SOURCE, "stage": pl.String, "scope": pl.String, "reason": pl.String},
    sums=("count",),
    split=("source",),
)
TIERS = SumTable(
    name="tiers",
    keys={**_SOURCE, "tier": pl.String},
    sums=("samples", "samples_sharded", "duration_us", "media_bytes"),
    split=("source",),
)
FINE_SIZES = SumTable(
    name="fine_sizes",
    keys={"tier": pl.String, **_SOURCE, "shape": pl.String, "block": pl.Int32, "bucket": pl.Int32},
    sums=("samples", "bytes"),
    split=("tier", "source", "shape", "block"),
)
CONCEPTS = SumTable(
    name="concepts", keys={"block": pl.Int32, "concept": pl.String}, sums=("samples",), split=("block",)
)
GROUP_SIZES = SumTable(name="group_sizes", keys={"size": pl.Int64}, sums=("groups",))
PAIRS = SumTable(name="pairs", keys={**_SOURCE, "other": pl.String}, sums=("groups",))
EXAMPLES = TopRows(
    name="examples",
    keys={**_SOURCE, "place": pl.String, "bin": pl.Int32},
    order="order",
    columns={
        "sample_id": pl.String,
        "unit": pl.String,
        "media_sha256": pl.String,
        "duration_us": pl.Int64,
        "tier": pl.String,
        "text_id": pl.String,
        "score_1e4": pl.Int32,
        "rule": pl.String,
        "duplicate_group": pl.String,
        "keeper": pl.String,
    },
    limit=4,
    split=("source", "place"),
)
REJECT_EXAMPLES = TopRows(
    name="reject_examples",
    keys={**_SOURCE, "stage": pl.String, "scope": pl.String, "reason": pl.String},
    order="order",
    columns={"record_id": pl.String, "sample_id": pl.String, "detail": pl.String, "input": pl.String},
    limit=4,
    split=("source",),
)

TABLES: dict[str, AnyTable] = {
    table.name: table
    for table in (
        HISTOGRAMS,
        YIELDS,
        DISTRIBUTIONS,
        JOINT,
        COUNTS,
        REJECTS,
        TIERS,
        FINE_SIZES,
        CONCEPTS,
        GROUP_SIZES,
        PAIRS,
        EXAMPLES,
        REJECT_EXAMPLES,
    )
}
