"""What an engine costs: the same ingest on each, start-up and cost per clip apart, and Beam against a plain loop.

    python -m benchmarks.engines [--videos 12] [--engines ...] [--repeats 1] [--work FOLDER]

Each engine ingests a few and many generated videos with two worker processes (Prism and Flink inside the job server
have one); clips overlap, so that the work is cutting and scoring. The difference of the two walls is the cost of the
clips between, and what the few took beyond that is start-up. `plain` calls the functions of the ingest one after the
other, in one process, and `beam` runs the job there with one thread. `make bench-engines MINUTES=10` takes so many
videos that two processes work that long.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.costs import REAL, Build, make_film, write_corpus
from curation.fetching import Reach
from curation.row_lines import place_of
from curation.score_batches import score_batch
from curation.sources import read_source
from curation.store import LocalStore
from curation.unit_parts import read_commit
from curation.unit_plan import UnitInput
from curation.unit_scoring import ensure_strips, finish_scores, unit_batches
from deploy.flink.cluster import Cluster
from pipelines.engine import TOOLS, EngineOptions
from pipelines.ingest import run_ingest
from pipelines.ingest_stage import ingest_job
from pipelines.run_folder import open_run
from pipelines.scoring import SharedScorer, load_scorer
from pipelines.unit_workers import IngestJob, UnitWorker
from schemas.corpus import CorpusConfig, load_corpus
from schemas.records import Record, Reject
from schemas.units import unit_bits, unit_bucket

SMALL_VIDEOS = 4
# Of the machine of docs/engines.md, with two processes: what `--minutes` is translated with.
VIDEOS_PER_MINUTE = 12
SPANS, SPAN_STEP_S = 30, 0.3
FILMS = Build(name="engines", videos=0, size="640x360", clips=3, clip_s=5, side_px=240)
TARGET_FLINK, TARGET_BEAM = 1.30, 1.10
TWO = ("--direct_num_workers=2",)
FLAGS = {
    "threads": ("--direct_running_mode=multi_threading", *TWO),
    "processes": ("--direct_running_mode=multi_processing", *TWO),
    "prism": ("--runner=PrismRunner",),
    "flink local": ("--runner=FlinkRunner", "--flink_master=[local]", "--parallelism=2"),
    "flink cluster": ("--runner=FlinkRunner",),
}
IN_PROCESS = ("plain", "beam")


def corpus_of(folder: Path, films: Path, videos: int) -> Path:
    """Write the films that are missing, and a corpus of so many of them."""
    folder.mkdir(parents=True, exist_ok=True)
    films.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(videos):
        path = films / f"{number:04d}.mp4"
        if not path.exists():
            make_film(path, FILMS, number)
        for span in range(SPANS):
            start_s = round(span * SPAN_STEP_S, 3)
            rows.append((str(path.resolve()), start_s, start_s + FILMS.clip_s, f"moving picture {number}, {span}"))
    return write_corpus(folder, rows, replace(FILMS, name=REAL, videos=videos))


def units_of(config: CorpusConfig) -> Iterator[UnitInput]:
    """Yield the units of a corpus, grouped as the ingest groups them."""
    for source in config.sources:
        items = list(read_source(source, config))
        places = [place_of(item) for item in items]
        bits = unit_bits(len(set(places)), config.videos_per_unit)
        buckets: dict[int, list[Record | Reject]] = defaultdict(list)
        for item, place in zip(items, places, strict=True):
            buckets[unit_bucket(source.name, place, bits)].append(item)
        for bucket, found in buckets.items():
            yield UnitInput(source=source.name, bucket=bucket, bits=bits, items=tuple(found))


def run_plain(job: IngestJob) -> None:
    """Do what the job's steps do, one after the other."""
    store, scorer = LocalStore(job.root), SharedScorer(job.scoring, load_scorer)
    worker = UnitWorker(job)
    worker.setup()
    try:
        for unit in units_of(job.config):
            commit = read_commit(store, worker.work(unit))
            assert commit is not None
            ensure_strips(store, commit, job.frames)
            batches = unit_batches(store, commit, job.scorer, job.frames)
            finish_scores(store, commit, job.scorer, [score_batch(batch, scorer.tools()) for batch in batches])
    finally:
        worker.teardown()


def run_in_process(how: str, corpus: Path, out: Path) -> float:
    """Run the job in this process, its imports done; returns its wall seconds."""
    job = ingest_job(open_run(load_corpus(corpus), out), Reach())
    started = time.monotonic()
    if how == "plain":
        run_plain(job)
    else:
        run_ingest(job, EngineOptions(flags=("--direct_running_mode=in_memory", "--direct_num_workers=1")))
    return time.monotonic() - started


def timed(command: list[str]) -> tuple[float, str]:
    """Run a command; returns its wall seconds and what it printed.

    Raises:
        RuntimeError: it failed.
    """
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return time.monotonic() - started, done.stdout


def measure(engine: str, corpus: Path, flags: tuple[str, ...]) -> float:
    """Ingest a corpus into a fresh run; returns wall seconds."""
    with tempfile.TemporaryDirectory(dir=corpus.parent) as folder:
        out = Path(folder) / "run"
        if engine in IN_PROCESS:
            command = [sys.executable, "-m", "benchmarks.engines", "--one", engine, str(corpus), str(out)]
            return float(json.loads(timed(command)[1]))
        command = [sys.executable, "-m", "beam_runner", "ingest", str(corpus), "--out", str(out), "--", *flags]
        return timed(command)[0]


@contextmanager
def flags_of(engine: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield an engine's flags, with a cluster of its own up where it needs one."""
    flags = FLAGS.get(engine, ())
    if engine != "flink cluster":
        yield flags
        return
    cluster = Cluster(folder=folder / "flink", tools=TOOLS)
    cluster.up(task_managers=2)
    try:
        yield (*flags, f"--flink_master={cluster.master}")
    finally:
        cluster.down()


def table(walls: dict[str, dict[int, float]], small: int, large: int) -> str:
    """Return the figures of so many clips as a Markdown table."""
    lines = ["| engine | wall, small | wall, large | a clip | start-up |", "|---|---|---|---|---|"]
    for engine, own in walls.items():
        clip_s = (own[large] - own[small]) / (large - small)
        start_s = own[small] - small * clip_s
        lines.append(
            f"| {engine} | {own[small]:.0f} s | {own[large]:.0f} s | {clip_s * 1e3:.0f} ms | {start_s:.0f} s |"
        )
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines.append(f"\n{machine}; {small} and {large} clips of {FILMS.clip_s:g} s; the best of the repeats")
    return "\n".join(lines) + "\n"


def ratios(walls: dict[str, dict[int, float]], small: int, large: int) -> Iterator[tuple[str, float, float]]:
    """Yield (what, found, target) of the targets that were measured; start-up counts in neither."""

    def between(engine: str) -> float:
        return walls[engine][large] - walls[engine][small]

    if {"processes", "flink cluster"} <= walls.keys():
        yield "Flink against two local processes, a clip", between("flink cluster") / between("processes"), TARGET_FLINK
    if set(IN_PROCESS) <= walls.keys():
        yield "Beam against a plain loop, a clip", between("beam") / between("plain"), TARGET_BEAM


def main() -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = (*IN_PROCESS, *FLAGS)
    parser.add_argument("--videos", type=int, default=12, help="of the large corpus (default: 12)")
    parser.add_argument("--minutes", type=float, help="make the large corpus about so long with two processes")
    parser.add_argument("--engines", nargs="+", choices=every, default=every)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--work", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--one", nargs=3, metavar=("HOW", "CORPUS", "RUN"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        how, corpus, out = arguments.one
        sys.stdout.write(json.dumps(run_in_process(how, Path(corpus), Path(out))))
        return 0
    many = int(arguments.minutes * VIDEOS_PER_MINUTE) if arguments.minutes else arguments.videos
    small, large = SMALL_VIDEOS * SPANS, many * SPANS
    with ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        corpora = {
            videos * SPANS: corpus_of(work / f"of-{videos}", work / "films", videos) for videos in (SMALL_VIDEOS, many)
        }
        walls: dict[str, dict[int, float]] = {}
        for engine in arguments.engines:
            with flags_of(engine, work) as flags:
                walls[engine] = {
                    clips: min(measure(engine, corpus, flags) for _ in range(arguments.repeats))
                    for clips, corpus in corpora.items()
                }
            sys.stderr.write(f"{engine}: {walls[engine]}\n")
    sys.stdout.write(table(walls, small, large))
    missed = 0
    for what, found, target in ratios(walls, small, large):
        sys.stdout.write(f"{what}: {found:.2f}x (target {target:.2f}x)\n")
        missed += found > target
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
