"""What the demo costs, as docs/performance.md shows it.

    python -m benchmarks.demo [--out FOLDER] [--no-training]

Runs `clipstrata demo` in a fresh folder as its own process, adds up the resident memory of its whole process tree
twice a second, and prints a Markdown table. With --out the run is kept there.
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
from pathlib import Path

from benchmarks.memory import tree_memory_bytes
from schemas.run import stage_folder
from training.loop.train import read_summary

SAMPLE_S = 0.5


def run_demo(out: Path, training: bool) -> tuple[float, int]:
    """Run the demo; returns its wall seconds and the peak memory of its tree in bytes.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "beam_runner", "demo", "--out", str(out)]
    command += [] if training else ["--no-training"]
    started, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, tree_memory_bytes(process.pid))
            time.sleep(SAMPLE_S)
    if process.returncode != 0:
        raise RuntimeError(f"the demo ended with {process.returncode}; run `clipstrata demo` to see why")
    return time.monotonic() - started, peak


def table(out: Path, wall_s: float, peak_bytes: int) -> str:
    """Return the figures as a Markdown table."""
    run = json.loads((out / "run.json").read_text())
    timings = run["timings"]
    stages = {stage["stage"]: stage["seconds"] for stage in run["stages"]}
    tools_s = timings["ingest_ffmpeg_cpu_s"] + timings["ingest_scoring_s"]
    other = 1 - tools_s / timings["ingest_units_s"]
    rows = [
        ("demo, wall", f"{wall_s:.0f} s"),
        ("of it ingest / judge / shard", " / ".join(f"{stages[name]:.0f} s" for name in ("ingest", "judge", "shard"))),
        ("ingest", f"{timings['ingest_clips'] / timings['ingest_wall_s']:.0f} clips/s"),
        ("peak memory of the process tree", f"{peak_bytes / 1e9:.2f} GB"),
        ("share of unit time that is neither ffmpeg nor the model", f"{other:.0%}"),
        ("of it in the media child (checking, signals, score frames)", f"{timings['ingest_child_cpu_s']:.0f} CPU-s"),
    ]
    for stage in (1, 2):
        found = read_summary(out / stage_folder(stage))
        if found is not None:
            what = f"{found.seconds:.0f} s, {found.samples_per_s:.0f} clips/s, {found.wait_share:.1%} waiting for data"
            rows.append((f"training, stage {stage}", what))
    lines = [f"| {what} | {value} |" for what, value in rows]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return "\n".join([f"| {machine} | |", "|---|---|", *lines]) + "\n"


def main() -> int:
    """Measure once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a new folder for the run, which is kept")
    parser.add_argument("--no-training", action="store_true", help="the data half alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = (arguments.out or Path(folder) / "run").resolve()
        if out.exists():
            parser.error(f"--out is {out}: exists already; allowed: a folder that does not; a second run does nothing")
        wall_s, peak_bytes = run_demo(out, not arguments.no_training)
        sys.stdout.write(table(out, wall_s, peak_bytes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
