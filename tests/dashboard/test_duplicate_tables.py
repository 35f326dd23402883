from __future__ import annotations

from dashboard_sample import statistics

from dashboard.duplicate_tables import duplicate_table, duplicate_tables
from schemas.statistics import BenchmarkCount, DuplicatePair, DuplicateSummary, ThresholdYield

FOUND = statistics().duplicates.model_copy(
    update={
        "sizes": ((2, 1), (3, 1)),
        "removed": {"perceptual": 2, "exact": 1},
        "benchmarks": (BenchmarkCount(benchmark="ucf", source="web_alt", samples=4),),
        "found": DuplicateSummary(
            counts={},
            groups={},
            thresholds=(
                ThresholdYield(kind="overlap", threshold_1e4=8_000, pairs=0, contents=0),
                ThresholdYield(kind="perceptual", threshold_1e4=3_750, pairs=3, contents=5),
                ThresholdYield(kind="perceptual", threshold_1e4=10_000, pairs=0, contents=0),
            ),
        ),
    }
)


def test_each_table_holds_what_the_statistics_say() -> None:
    shown = {
        table.name: table.rows for table in duplicate_tables(statistics().model_copy(update={"duplicates": FOUND}))
    }
    assert shown == {
        "duplicates": (("stock", 0, 1), ("web_alt", 1, 2)),
        "duplicate_sizes": ((2, 1), (3, 1)),
        "duplicate_kinds": (("exact", 1), ("perceptual", 2)),
        "duplicate_thresholds": (("perceptual", "0.3750", 3, 5), ("perceptual", "1.0000", 0, 0)),
        "benchmarks": (("ucf", "web_alt", 4),),
    }


def test_sources_of_the_base_stand_behind_the_runs_own() -> None:
    pairs = (DuplicatePair(source="base:stock", other="web_alt", groups=3),)
    shown = duplicate_table(statistics().model_copy(update={"duplicates": FOUND.model_copy(update={"pairs": pairs})}))
    assert shown.rows == (("web_alt", 0, 3), ("base:stock", 3, 0))


def test_statistics_of_several_runs_have_no_thresholds() -> None:
    shown = {table.name: table.rows for table in duplicate_tables(statistics())}
    assert shown["duplicate_thresholds"] == () and shown["benchmarks"] == ()
