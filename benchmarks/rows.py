"""What a million rows of metadata cost: by the reader alone, and by the ingest's own reading, grouping and planning.

    python -m benchmarks.rows [--rows 1000000] [--format csv|jsonl] [--step reader|units|both] [--pairs 3]
                              [--table captions|long|one-video] [--out FOLDER]

Writes tables of a tenth and of all the rows, and takes each in a process of its own, beside a table without rows whose
cost is the start-up. `reader` parses, checks and counts; `units` is what `clipstrata ingest` does before any media
work, on the default engine: rows are grouped by the videos that they name and their units planned. Prints rows per
second, the peak memory of the process tree, and whether CPU seconds grow as the rows do: the median over pairs of runs
of the cost per row of the long table over that of the short one, start-up taken off both. Targets: one million rows in
under 1.5 GB, and a ratio between 0.9 and 1.1; exit code 1 when one is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.memory import own_peak_bytes, tree_memory_bytes
from curation.sources import read_source
from schemas.corpus import CorpusConfig
from schemas.records import Reject

SEED = 1
WORDS = (
    "a",
    "the",
    "red",
    "blue",
    "dog",
    "cat",
    "child",
    "runs",
    "over",
    "small",
    "house",
    "people",
    "park",
    "to",
    "cook",
)
COLUMNS = ("video", "start_s", "end_s", "caption", "title")
MEMORY_LIMIT_MB = 1_500
RATIO_LIMITS = (0.9, 1.1)
TABLES = ("captions", "long", "one-video")
STEPS = {"reader": "read and checked, one process", "units": "read, grouped by video and planned, default engine"}
LONG_WORDS = 350
POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What became of one table, in a process of its own.

    Attributes:
        units: how many were planned; 0 where the rows were read only.
        cpu_s, peak_mb: of the process and all that it started.
    """

    records: int
    rejects: dict[str, int]
    cpu_s: float
    peak_mb: float
    units: int = 0
    wall_s: float = 0.0


def rows(count: int) -> list[dict[str, object]]:
    """Return rows of which one in a hundred is wrong and one in ten holds a caption of two lines."""
    choice = random.Random(SEED)
    made = []
    for number in range(count):
        caption, title = (" ".join(choice.choices(WORDS, k=length)) for length in (14, 6))
        row: dict[str, object] = {"video": f"v/{number // 3}.mp4", "start_s": number % 3 * 10 + 0.5}
        row |= {"end_s": number % 3 * 10 + (8 if number % 100 else -8), "caption": caption, "title": title}
        if number % 10 == 0:
            row["caption"] = f'{caption}, "and\nmore"'
        made.append(row)
    return made


def write_table(path: Path, count: int, table: str = "captions") -> None:
    """Write a table of so many rows: three to a video with captions of 14 words or long ones, or all of one video."""
    block = rows(10_000)
    more = " ".join(random.Random(SEED).choices(WORDS, k=LONG_WORDS)) if table == "long" else ""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if path.suffix == ".csv":
            writer.writeheader()
        for number in range(count):
            video = 0 if table == "one-video" else number // 3
            row = {**block[number % len(block)], "video": f"v/{video}.mp4"}
            # No two texts are equal: a cache somewhere must not make it look cheap.
            row |= {what: f"{row[what]} {number}" for what in ("caption", "title")}
            row["caption"] = f"{row['caption']} {more}".rstrip()
            if path.suffix == ".csv":
                writer.writerow(row)
            else:
                file.write(json.dumps(row) + "\n")


def config_of(path: Path) -> CorpusConfig:
    """Return the corpus whose one source is a table."""
    licence = {"name": "CC0-1.0", "basis": "own", "terms": "made up"}
    source = {"name": "rows", "origin": "noisy", "format": path.suffix[1:], "location": str(path), "licence": licence}
    source |= {"media_root": str(path.parent), "text_kinds": ["caption", "title"]}
    return CorpusConfig.model_validate({"corpus": "rows", "sources": [source]})


def read_table(path: Path) -> Reading:
    """Read a table in this process."""
    config = config_of(path)
    records, rejects = 0, Counter[str]()
    for item in read_source(config.sources[0], config):
        if isinstance(item, Reject):
            rejects[item.reason.value] += 1
        else:
            records += 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime
    return Reading(records=records, rejects=dict(rejects), cpu_s=cpu_s, peak_mb=own_peak_bytes() / 1e6)


def take_in_child(path: Path, step: str) -> Reading:
    """Take a table through one step in a fresh process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.rows", f"--{step}-of", str(path)]
    started, peak = time.monotonic(), 0
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        while child.poll() is None:
            peak = max(peak, tree_memory_bytes(child.pid, with_root=False))
            time.sleep(POLL_S)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
        out.seek(0)
        found = Reading(**json.loads(out.read()))
    # The process tells its own highest mark, as the kernel keeps it and before the interpreter's end adds to it.
    return replace(found, wall_s=time.monotonic() - started, peak_mb=found.peak_mb + peak / 1e6)


Triple = tuple[Reading, Reading, Reading]


def measure(paths: list[Path], step: str, pairs: int) -> list[Triple]:
    """Return (no rows, a tenth of the rows, all rows) for each pair of runs."""
    found = []
    for _ in range(pairs):
        nothing, short, long = (take_in_child(path, step) for path in paths)
        found.append((nothing, short, long))
    return found


def report(found: list[Triple], step: str, count: int) -> bool:
    """Print the figures of a step as a Markdown table; return whether they keep the targets."""
    short_s = [short.cpu_s - nothing.cpu_s for nothing, short, _ in found]
    long_s = [long.cpu_s - nothing.cpu_s for nothing, _, long in found]
    ratio = statistics.median(long / (10 * short) for short, long in zip(short_s, long_s, strict=True))
    peak_mb = max(long.peak_mb for *_, long in found)
    wall_s = statistics.median(long.wall_s - nothing.wall_s for nothing, _, long in found)
    last = found[-1][2]
    accounted = last.records + sum(last.rejects.values())
    lines = [
        ("rows = records + rejects", f"{count} = {last.records} + {accounted - last.records}"),
        ("units", f"{last.units:,}"),
        ("rows per second of CPU / of wall", f"{count / statistics.median(long_s):,.0f} / {count / wall_s:,.0f}"),
        (
            "CPU seconds, a tenth / all, start-up off",
            f"{statistics.median(short_s):.2f} / {statistics.median(long_s):.2f}",
        ),
        ("start-up", f"{statistics.median(nothing.cpu_s for nothing, *_ in found):.2f} CPU s"),
        ("cost per row, all over a tenth", f"{ratio:.3f} (target {RATIO_LIMITS[0]} to {RATIO_LIMITS[1]})"),
        (
            "peak memory of the tree, none / a tenth / all",
            " / ".join(f"{max(taken[place].peak_mb for taken in found):.0f}" for place in range(3))
            + f" MB (target: under {MEMORY_LIMIT_MB})",
        ),
    ]
    sys.stdout.write(f"| {STEPS[step]} | figure |\n|---|---|\n")
    sys.stdout.writelines(f"| {what} | {figure} |\n" for what, figure in lines)
    sys.stdout.write("\n")
    return accounted == count and peak_mb < MEMORY_LIMIT_MB and RATIO_LIMITS[0] <= ratio <= RATIO_LIMITS[1]


def take_here(arguments: argparse.Namespace) -> Reading | None:
    """Do what a fresh process was started for; None when this is none."""
    if arguments.reader_of is not None:
        return read_table(arguments.reader_of)
    if arguments.units_of is not None:
        # The reader's own process must not carry Beam.
        from benchmarks.rows_job import plan_table

        return plan_table(arguments.units_of)
    return None


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    parser.add_argument("--step", choices=(*STEPS, "both"), default="both")
    parser.add_argument("--table", choices=TABLES, default="captions")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="keep the tables here")
    for step in STEPS:
        parser.add_argument(f"--{step}-of", type=Path, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    taken = take_here(arguments)
    if taken is not None:
        sys.stdout.write(json.dumps(asdict(taken)))
        return 0
    kept = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{number}.{arguments.format}" for number in (0, arguments.rows // 10, arguments.rows)]
        for path in paths:
            write_table(path, int(path.stem), arguments.table)
        for step in STEPS if arguments.step == "both" else (arguments.step,):
            kept &= report(measure(paths, step, arguments.pairs), step, arguments.rows)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
