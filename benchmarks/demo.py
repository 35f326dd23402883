"""`python -m benchmarks.demo`: what the demo costs, as docs/performance.md shows it.

Runs `clipstrata demo` in a fresh folder as its own process, adds up the resident memory of its whole process tree
twice a second, and prints a Markdown table.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

SAMPLE_S = 0.5


def tree_memory_bytes(pid: int) -> int:
    """Return the resident memory of a process and all below it; pages that they share count in each."""
    try:
        root = psutil.Process(pid)
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_memory_bytes(member) for member in members)


def _memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def run_demo(out: Path) -> tuple[float, int]:
    """Run the demo; returns its wall seconds and the peak memory of its tree in bytes.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "beam_runner", "demo", "--out", str(out)]
    started, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, tree_memory_bytes(process.pid))
            time.sleep(SAMPLE_S)
    if process.returncode != 0:
        raise RuntimeError(f"the demo ended with {process.returncode}; run `clipstrata demo` to see why")
    return time.monotonic() - started, peak


def table(run: dict, wall_s: float, peak_bytes: int) -> str:
    """Return the figures as a Markdown table."""
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
    lines = [f"| {what} | {value} |" for what, value in rows]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return "\n".join([f"| {machine} | |", "|---|---|", *lines]) + "\n"


def main() -> int:
    """Measure once and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        wall_s, peak_bytes = run_demo(out)
        run = json.loads((out / "run.json").read_text())
    sys.stdout.write(table(run, wall_s, peak_bytes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
