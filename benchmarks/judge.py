"""What judging costs beside one DuckDB script over the same Parquet files, which must come to the same tables.

    python -m benchmarks.judge [--pairs 10000000] [--runs 3] [--work FOLDER]

Makes a scored run of so many (clip, text) pairs (`benchmarks.judge_world`), and one of a tenth; judges both, and runs
`benchmarks/judge.sql` on the large one, each in a process of its own, in turns. Prints both times, their ratio (median
of the pairs of runs), peak memory, and whether CPU seconds grow as the pairs do, the start-up (a run of a thousandth)
taken off. Ends with 1 when a table differs. Targets: at most twice DuckDB's time, under 2 GB, growth within 10 %.
The script counts and decides what `judge` does and writes its selection; it leaves out shard buckets and examples.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.judge_world import SCORER, WorldSize, make_run, world_config
from benchmarks.memory import own_peak_bytes
from curation.judging.tables import TABLES
from pipelines.engine import EngineOptions
from pipelines.finished import scored_units
from pipelines.judge import partition_bits, run_judge, whole_tables
from pipelines.judge_steps import JudgeJob
from pipelines.run_folder import open_run
from pipelines.scratch import read_tables
from pipelines.stages import judge
from pipelines.watching import Watcher

SOURCES, TEXTS = 17, 3
SQL = Path(__file__).with_name("judge.sql")
# Table of ours -> table of the script; the key columns of ours name the columns.
COMPARED = {
    "histograms": "histograms",
    "distributions": "distributions",
    "yields": "yields",
    "tiers": "tiers",
    "joint": "joint",
    "counts": "counts",
    "group_sizes": "group_sizes",
    "pairs": "pairs_of_sources",
}
THREADS = 2


def size_of(pairs: int) -> WorldSize:
    """Return a world of about so many pairs."""
    return WorldSize(sources=SOURCES, samples=max(1, pairs // SOURCES // TEXTS), texts=TEXTS)


def run_ours(root: Path, pairs: int) -> None:
    """Judge a run as `clipstrata judge` does."""
    shutil.rmtree(root / "run" / "stats", ignore_errors=True)
    run = open_run(world_config(size_of(pairs), root / "in"), root / "run")
    judge(run, EngineOptions(), Watcher(quiet=True))


def run_script(root: Path, pairs: int) -> None:
    """Run the script on the same files."""
    database = root / "script.duckdb"
    database.unlink(missing_ok=True)
    connection = duckdb.connect(str(database))
    connection.execute(f"SET threads = {THREADS}")
    connection.execute(script(root, pairs))
    connection.close()


def script(root: Path, pairs: int) -> str:
    """Return the script for a run."""
    config = world_config(size_of(pairs), root / "in")
    run = root / "run"
    fills = {
        "origins": ", ".join(f"('{source.name}', '{source.origin.value}')" for source in config.sources),
        "samples": f"{run}/samples/*.parquet",
        "texts": f"{run}/texts/*.parquet",
        "scores": f"{run}/scores/{SCORER.scoring}/*.parquet",
        "aggregation": config.scorer.aggregation,
        "selection": str(root / "script-selection.parquet"),
    }
    text = SQL.read_text()
    for name, value in fills.items():
        text = text.replace(f"${name}$", value)
    return text


def differing(root: Path, pairs: int) -> list[str]:
    """Return the tables in which both sides differ, with the number of rows that only one has."""
    run = open_run(world_config(size_of(pairs), root / "in"), root / "run")
    units = scored_units(run)
    commits = [units.read(name) for name in units.names]
    run.drop_scratch("compare")
    folder = "tmp/compare"
    job = JudgeJob(config=run.config, units=units, folder=folder, partition_bits=partition_bits(commits))
    run_judge(job, commits, EngineOptions())
    ours = whole_tables(read_tables(str(run.root), folder))
    run.drop_scratch("compare")
    found = []
    with duckdb.connect(str(root / "script.duckdb"), read_only=True) as connection:
        for name, table in COMPARED.items():
            columns = list(TABLES[name].schema)
            own = {row for row in ours[name].select(columns).iter_rows() if any(row[len(TABLES[name].keys) :])}
            other = connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            theirs = {tuple(row) for row in other if any(row[len(TABLES[name].keys) :])}
            if own != theirs:
                found.append(f"{name}: {len(own - theirs)} rows only ours, {len(theirs - own)} only the script's")
        selection = pl.concat([pl.read_parquet(path) for path in (root / "run" / "selection").glob("*.parquet")])
        wanted = pl.read_parquet(root / "script-selection.parquet")
    columns = ["sample_id", "tier", "text_id", "score_1e4", "keeper"]
    if not selection.select(columns).sort("sample_id").equals(wanted.select(columns).sort("sample_id")):
        found.append("selection")
    return found


def timed(side: str, root: Path, pairs: int) -> dict[str, float]:
    """Run one side in a process of its own; return its wall and CPU seconds and its peak memory."""
    command = [sys.executable, "-m", "benchmarks.judge", "--side", side, "--work", str(root), "--pairs", str(pairs)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(THREADS)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one_side(side: str, root: Path, pairs: int) -> None:
    """Be the process of one side."""
    started = time.monotonic()
    {"ours": run_ours, "script": run_script}[side](root, pairs)
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts = {
        "wall_s": time.monotonic() - started,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": own_peak_bytes() / 1e6,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def compare(work: Path, pairs: int, runs: int) -> int:
    """Make the runs, time both sides in turns, print what came out; return the exit code."""
    sizes = {"start": pairs // 1_000, "tenth": pairs // 10, "whole": pairs}
    for name, count in sizes.items():
        if not (work / name / "run" / "run.json").exists():
            (work / name / "in").mkdir(parents=True, exist_ok=True)
            make_run(size_of(count), world_config(size_of(count), work / name / "in"), work / name / "run")
    measured: dict[str, list[dict[str, float]]] = {"script": [], **{name: [] for name in sizes}}
    for _ in range(runs):
        measured["script"].append(timed("script", work / "whole", pairs))
        for name, count in sizes.items():
            measured[name].append(timed("ours", work / name, count))
    differences = differing(work / "whole", pairs)
    sys.stdout.write("\n".join([*report(measured, pairs), *differences]) + "\n")
    sys.stdout.write("tables: " + ("differ\n" if differences else "equal\n"))
    return int(bool(differences))


def report(measured: dict[str, list[dict[str, float]]], pairs: int) -> list[str]:
    """Return the lines that say what was measured."""
    ratios = [
        ours["wall_s"] / script["wall_s"] for ours, script in zip(measured["whole"], measured["script"], strict=True)
    ]
    growth = [
        (whole["cpu_s"] - start["cpu_s"]) / (tenth["cpu_s"] - start["cpu_s"]) / 10
        for whole, tenth, start in zip(measured["whole"], measured["tenth"], measured["start"], strict=True)
    ]

    def median(side: str, what: str) -> float:
        return statistics.median(run[what] for run in measured[side])

    return [
        f"{pairs} (clip, text) pairs, {SOURCES} sources, {os.cpu_count()} cores, median of {len(ratios)} runs",
        f"judge   {median('whole', 'wall_s'):7.1f} s   {median('whole', 'cpu_s'):7.1f} CPU-s   "
        f"{median('whole', 'peak_mb'):6.0f} MB",
        f"DuckDB  {median('script', 'wall_s'):7.1f} s   {median('script', 'cpu_s'):7.1f} CPU-s   "
        f"{median('script', 'peak_mb'):6.0f} MB",
        f"ratio of wall times {statistics.median(ratios):.2f} (target 2)",
        f"CPU per pair, whole over a tenth, start-up off: {statistics.median(growth):.2f} (target 0.9 to 1.1)",
    ]


def main() -> int:
    """Read the command line and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--side", choices=("ours", "script"), default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        one_side(options.side, options.work, options.pairs)
        return 0
    if options.work is not None:
        return compare(options.work, options.pairs, options.runs)
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), options.pairs, options.runs)


if __name__ == "__main__":
    sys.exit(main())
