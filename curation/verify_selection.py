"""Verify statistics against the selection that they were counted with, and clips by decoding them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curation.histogram import HistogramCounts
from curation.media import decode_clip
from curation.store import Store
from curation.unit_reading import read_part
from curation.verify_report import VerifyReport
from schemas.arrow import SELECTION
from schemas.manifest import Manifest
from schemas.run import media_path
from schemas.statistics import BEST_TEXT, SourceStatistics, Statistics
from schemas.units import UnitCommit

ALL_CLIPS = -1
_COLUMNS = ("source", "tier", "score_1e4", "shard_bucket", "duration_us", "media_bytes")


def verify_selection(store: Store, manifest: Manifest, statistics: Statistics, report: VerifyReport) -> None:
    """Count the selection again: what is judged, left out and sharded, each source's tiers and its own histogram."""
    paths = [path for path in store.list("selection") if path.endswith(".parquet")]
    empty = pl.DataFrame(pl.from_arrow(SELECTION.empty_table())).select(_COLUMNS)
    rows = pl.concat([empty, *(pl.read_parquet(store.read(path), columns=list(_COLUMNS)) for path in paths)])
    judged = sum(source.samples for source in statistics.sources)
    if rows.height != judged:
        report.problems.append(f"selection: {rows.height} rows; {judged} samples were judged")
    sharded = rows.filter(pl.col("shard_bucket").is_not_null()).height
    told = {source.name: source.left_out_by_rule + source.left_out_as_duplicate for source in statistics.sources}
    if rows.height - sharded != sum(told.values()):
        report.problems.append(f"selection: {rows.height - sharded} samples are left out; the statistics say {told}")
    packed = sum(facts.samples for facts in manifest.shards)
    if sharded != packed:
        report.problems.append(f"selection: {sharded} samples go into shards; the manifest's shards hold {packed}")
    for source in statistics.sources:
        _verify_source(rows.filter(pl.col("source") == source.name), source, statistics, report)


def _verify_source(rows: pl.DataFrame, told: SourceStatistics, statistics: Statistics, report: VerifyReport) -> None:
    report.count("statistics", 2 + len(told.tiers))
    sums = (rows["duration_us"].sum(), rows["media_bytes"].sum())
    if sums != (told.duration_us, told.media_bytes):
        report.problems.append(
            f"source {told.name}: its samples come to {sums[0]} us and {sums[1]} bytes; the statistics say "
            f"{told.duration_us} and {told.media_bytes}"
        )
    for tier in told.tiers:
        own = rows.filter(pl.col("tier") == tier.tier)
        sharded = own.filter(pl.col("shard_bucket").is_not_null())
        found = (own.height, sharded.height, sharded["duration_us"].sum(), sharded["media_bytes"].sum())
        if found != (tier.samples, tier.samples_sharded, tier.duration_us, tier.media_bytes):
            report.problems.append(
                f"source {told.name}, tier {tier.tier}: the selection has (samples, sharded, us, bytes) {found}; "
                f"the statistics say otherwise"
            )
    counts = HistogramCounts()
    for score in rows["score_1e4"].drop_nulls():
        counts.add(score)
    summary = counts.summary(BEST_TEXT, statistics.scorer.aggregation)
    written = [one for one in told.histograms if one.text_kind == BEST_TEXT and one.aggregation == summary.aggregation]
    # How many texts the scorer cut is no part of the selection.
    same = all(one == summary.model_copy(update={"truncated_texts": one.truncated_texts}) for one in written)
    if not same or (summary.count and not written):
        report.problems.append(f"source {told.name}: its histogram is not that of the scores in the selection")


def verify_decoding(store: Store, commits: Sequence[UnitCommit], clips: int, report: VerifyReport) -> None:
    """Decode stored clips and count their frames; which ones is a matter of their digests.

    Args:
        clips: how many; ALL_CLIPS is every one.
    """
    frames: dict[str, int] = {}
    for commit in commits if clips else ():
        frames.update((row["media_sha256"], row["frames"]) for row in read_part(store, commit, "samples"))
    chosen = sorted(frames) if clips == ALL_CLIPS else sorted(frames)[:clips]
    for digest in chosen:
        path = media_path(digest)
        if not store.exists(path):
            continue
        report.count("decoded clips")
        try:
            found = sum(1 for _ in decode_clip(store.read(path)))
        except ValueError as error:
            report.problems.append(f"{path}: {error}")
            continue
        if found != frames[digest]:
            report.problems.append(f"{path}: decodes to {found} frames; {frames[digest]} were written")
