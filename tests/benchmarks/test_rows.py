"""The benchmark of rows at a size for tests: what is held while rows come to their units does not grow with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rows import TABLES, Reading, read_table, report, take_in_child, write_table

ROWS = 60_000
# Beside what a job without rows holds; the engine's own shuffle held about 500 MB more.
GROWTH_MB = 150


@pytest.mark.slow
def test_rows_come_to_their_units_in_little_memory(tmp_path: Path) -> None:
    nothing, many = tmp_path / "0.csv", tmp_path / "many.csv"
    write_table(nothing, 0)
    write_table(many, ROWS)
    start, found = take_in_child(nothing, "units"), take_in_child(many, "units")
    assert (start.records, start.units) == (0, 0) and found.units > 1_500
    assert (found.records, sum(found.rejects.values())) == (ROWS * 99 // 100, ROWS // 100)
    assert found.peak_mb - start.peak_mb < GROWTH_MB


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_rows_that_it_is_asked_for(table: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{suffix}"
    write_table(path, 300, table)
    found = read_table(path)
    assert (found.records, sum(found.rejects.values())) == (297, 3)


def taken(records: int, cpu_s: float, peak_mb: float) -> Reading:
    return Reading(records=records, rejects={}, cpu_s=cpu_s, peak_mb=peak_mb, wall_s=cpu_s)


# (short and long table's CPU seconds, peak of the long one, rows that it lost, whether the targets are kept)
REPORTS = {
    "kept": (2.0, 11.0, 1_000.0, 0, True),
    "too much memory": (2.0, 11.0, 1_501.0, 0, False),
    "dearer rows": (2.0, 12.2, 1_000.0, 0, False),
    "a row lost": (2.0, 11.0, 1_000.0, 1, False),
}


@pytest.mark.parametrize("case", REPORTS)
def test_a_missed_target_is_told(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    short_s, long_s, peak_mb, lost, kept = REPORTS[case]
    triple = (taken(0, 1.0, 100.0), taken(100, short_s, 200.0), taken(1_000 - lost, long_s, peak_mb))
    assert report([triple], "units", 1_000) is kept
    assert "1000 = " in capsys.readouterr().out
