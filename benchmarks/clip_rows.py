"""Judging and planning shards of many clips: CPU seconds, the largest process, and whether both grow as the clips do.

    python -m benchmarks.clip_rows [--stage judge] [--engine processes] [--rows 1000000] [--work FOLDER]

Makes up scored runs (`benchmarks.judge_world`) of so many clips with one text each, of half as many and of a
thousandth, and does the stage on each in a process of its own, whose CPU seconds are those of all that it started, a
Flink cluster included. The thousandth is start-up, and is taken off. `judge` is the whole stage; `shard` is what comes
before tars are written: which samples go into which shard. Ends with 1 where CPU seconds for each clip differ by more
than 10 %.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam

from benchmarks.engines import FLAGS, flags_of
from benchmarks.judge_world import WorldSize, make_run, world_config
from curation.packing import PackedSample
from pipelines.engine import EngineOptions, running
from pipelines.run_folder import Run, open_run
from pipelines.shard import PlaceKey, PlanShards
from pipelines.stages import judge, shard_job
from pipelines.watching import Watcher
from schemas.corpus import CorpusConfig

SOURCES = 17
TOLERANCE = 0.10
_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Spent:
    """What a stage took, all its processes together; `peak_mb` is the largest of them."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def config_of(rows: int, folder: Path) -> tuple[WorldSize, CorpusConfig]:
    """Return a world of about so many clips, and its corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    size = WorldSize(sources=SOURCES, samples=max(1, rows // SOURCES), texts=1)
    return size, world_config(size, folder)


def do_stage(stage: str, engine: str, root: Path, rows: int) -> None:
    """Be the process of one measurement: whatever it starts ends before it does."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _, config = config_of(rows, root / "in")
    run = open_run(config, root / "run")
    with flags_of(engine, root) as flags:
        options = EngineOptions(flags=flags)
        if stage == "judge":
            judge(run, options, Watcher(quiet=True))
        else:
            plan_shards(run, options)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def plan_shards(run: Run, options: EngineOptions) -> None:
    """Bring the samples of each shard together, and count them."""
    root = Path(run.root)
    with running(options) as pipeline:
        planned = pipeline | PlanShards(shard_job(run)) | beam.Map(sizes)
        _ = (
            planned
            | beam.combiners.Count.Globally()
            | beam.Map(lambda count: (root / "planned").write_text(str(count)))
        )


def sizes(element: tuple[PlaceKey, Iterable[PackedSample]]) -> tuple[PlaceKey, int]:
    """Return how many samples a shard has."""
    place, samples = element
    return place, sum(1 for _ in samples)


def spent(stage: str, engine: str, root: Path, rows: int) -> Spent:
    """Do a stage in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.clip_rows", "--stage", stage, "--engine", engine, "--rows", str(rows)]
    subprocess.run([*command, "--one", str(root)], check=True, capture_output=True)
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The largest process so far: sizes are measured in order, the largest last.
    return Spent(wall_s, cpu_s, after.ru_maxrss / 1e3)


def growth(measured: dict[int, Spent]) -> float:
    """Return CPU seconds for each clip of the largest over those of the middle one, start-up taken off."""
    (small, start), (middle, half), (large, whole) = sorted(measured.items())
    of_whole = (whole.cpu_s - start.cpu_s) / (large - small)
    return of_whole / ((half.cpu_s - start.cpu_s) / (middle - small))


def main() -> int:
    """Measure three sizes and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=("judge", "shard"), default="judge")
    parser.add_argument("--engine", choices=("threads", *FLAGS), default="threads")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        do_stage(options.stage, options.engine, options.one, options.rows)
        return 0
    measured: dict[int, Spent] = {}
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        for rows in (options.rows // 1_000, options.rows // 2, options.rows):
            root = Path(folder) / str(rows)
            size, config = config_of(rows, root / "in")
            make_run(size, config, root / "run")
            if options.stage == "shard":
                subprocess.run(
                    [sys.executable, "-m", "benchmarks.clip_rows", "--rows", str(rows), "--one", str(root)], check=True
                )
            measured[rows] = spent(options.stage, options.engine, root, rows)
            own = measured[rows]
            line = (
                f"{rows:>10,} clips: {own.wall_s:.1f} s, {own.cpu_s:.1f} CPU s, largest process {own.peak_mb:,.0f} MB"
            )
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    start, whole = min(measured.items()), max(measured.items())
    million_s = (whole[1].wall_s - start[1].wall_s) / (whole[0] - start[0]) * 1e6
    ratio = growth(measured)
    sys.stdout.write(
        f"{options.stage} on {options.engine}, {os.cpu_count()} cores, {platform.machine()}: {million_s:.1f} s a "
        f"million; CPU for each clip, whole over half: {ratio:.2f} (target: within {TOLERANCE:.0%} of 1)\n"
    )
    return int(abs(ratio - 1) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
