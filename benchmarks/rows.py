"""What reading metadata costs: rows parsed, validated and accounted, in one process.

    python -m benchmarks.rows [--rows 1000000] [--format csv|jsonl] [--pairs 3] [--out FOLDER]

Writes tables of a tenth and of all the rows, and reads each in pieces in a process of its own, beside a table without
rows whose cost is the start-up. Prints rows per second, peak memory and whether CPU seconds grow as the rows do: the
median over pairs of runs of the cost per row of the long table over that of the short one, start-up taken off both.
Targets: one million rows in under 1.5 GB, and a ratio between 0.9 and 1.1.
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
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

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


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reading of one table, in a process of its own."""

    records: int
    rejects: dict[str, int]
    cpu_s: float
    peak_mb: float


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


def write_table(path: Path, count: int) -> None:
    """Write a table of so many rows."""
    block = rows(10_000)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        if path.suffix == ".csv":
            table.writeheader()
        for number in range(count):
            row = {**block[number % len(block)], "video": f"v/{number // 3}.mp4"}
            # No two texts are equal: a cache somewhere must not make it look cheap.
            row |= {what: f"{row[what]} {number}" for what in ("caption", "title")}
            if path.suffix == ".csv":
                table.writerow(row)
            else:
                file.write(json.dumps(row) + "\n")


def read_table(path: Path) -> Reading:
    """Read a table in this process."""
    licence = {"name": "CC0-1.0", "basis": "own", "terms": "made up"}
    source = {"name": "rows", "origin": "noisy", "format": path.suffix[1:], "location": str(path), "licence": licence}
    source |= {"media_root": str(path.parent), "text_kinds": ["caption", "title"]}
    config = CorpusConfig.model_validate({"corpus": "rows", "sources": [source]})
    records, rejects = 0, Counter[str]()
    for item in read_source(config.sources[0], config):
        if isinstance(item, Reject):
            rejects[item.reason.value] += 1
        else:
            records += 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime
    return Reading(records=records, rejects=dict(rejects), cpu_s=cpu_s, peak_mb=used.ru_maxrss * 1024 / 1e6)


def read_in_child(path: Path) -> Reading:
    """Read a table in a fresh process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.rows", "--read", str(path)]
    return Reading(**json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def measure(folder: Path, suffix: str, count: int, pairs: int) -> list[tuple[Reading, Reading, Reading]]:
    """Return (no rows, a tenth of the rows, all rows) for each pair of runs."""
    paths = [folder / f"{number}.{suffix}" for number in (0, count // 10, count)]
    for path in paths:
        write_table(path, int(path.stem))
    found = []
    for _ in range(pairs):
        nothing, short, long = (read_in_child(path) for path in paths)
        found.append((nothing, short, long))
    return found


def report(found: list[tuple[Reading, Reading, Reading]], suffix: str, count: int) -> bool:
    """Print the figures as a Markdown table; return whether they keep the targets."""
    short_s = [short.cpu_s - nothing.cpu_s for nothing, short, _ in found]
    long_s = [long.cpu_s - nothing.cpu_s for nothing, _, long in found]
    ratio = statistics.median(long / (10 * short) for short, long in zip(short_s, long_s, strict=True))
    peak_mb = max(long.peak_mb for *_, long in found)
    last = found[-1][2]
    lines = [
        (f"{suffix} rows read = records + rejects", f"{count} = {last.records} + {sum(last.rejects.values())}"),
        ("rows per second of one process", f"{count / statistics.median(long_s):,.0f}"),
        (
            "CPU seconds, a tenth / all, start-up off",
            f"{statistics.median(short_s):.2f} / {statistics.median(long_s):.2f}",
        ),
        ("start-up", f"{statistics.median(nothing.cpu_s for nothing, *_ in found):.2f} s"),
        ("cost per row, all over a tenth", f"{ratio:.3f} (target {RATIO_LIMITS[0]} to {RATIO_LIMITS[1]})"),
        ("peak memory, a tenth / all", f"{max(short.peak_mb for _, short, _ in found):.0f} / {peak_mb:.0f} MB"),
    ]
    sys.stdout.write("| what | figure |\n|---|---|\n")
    sys.stdout.writelines(f"| {what} | {figure} |\n" for what, figure in lines)
    added_up = last.records + sum(last.rejects.values()) == count
    return added_up and peak_mb < MEMORY_LIMIT_MB and RATIO_LIMITS[0] <= ratio <= RATIO_LIMITS[1]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="keep the tables here")
    parser.add_argument("--read", type=Path, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read is not None:
        sys.stdout.write(json.dumps(asdict(read_table(arguments.read))))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(folder, arguments.format, arguments.rows, arguments.pairs)
    return 0 if report(found, arguments.format, arguments.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
