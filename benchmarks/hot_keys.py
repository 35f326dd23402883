"""What one source with 99 % of the clips costs over the same clips spread evenly over its sources.

    python -m benchmarks.hot_keys [--videos 120] [--pairs 300000] [--runs 1] [--work FOLDER]

Twice the same videos and captions, once in one source but for one row in a hundred, once in two equal ones: `ingest`,
`judge` and `shard` with two worker processes each. And twice the same number of made-up scored samples
(`benchmarks.judge_world`), judged. Prints wall time of both and their ratio; ends with 1 over the target of 1.3.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.costs import LICENCE, Build, make_film
from benchmarks.judge_world import WorldSize, make_run, world_config
from pipelines.engine import EngineOptions
from pipelines.stages import judge
from pipelines.watching import Watcher
from schemas.costs import COST_STAGES

TARGET = 1.3
SOURCES = 2
HOT_SHARE = 0.99
FILMS = Build(name="hot keys", videos=0, size="320x240", clips=2, clip_s=2)
FLAGS = ("--", "--direct_running_mode=multi_processing", "--direct_num_workers=2")


def shares_of(count: int, *, hot: bool) -> list[int]:
    """Return which source each video is of."""
    first = round(count * HOT_SHARE)
    even = [place % SOURCES for place in range(count)]
    return [0 if place < first else 1 for place in range(count)] if hot else even


def make_corpus(folder: Path, videos: int, *, hot: bool) -> Path:
    """Write the videos once, and a corpus of them; returns the corpus file."""
    films, name = folder / "v", "hot" if hot else "even"
    films.mkdir(parents=True, exist_ok=True)
    rows: list[list[tuple[str, float, float, str]]] = [[] for _ in range(SOURCES)]
    for number, source in enumerate(shares_of(videos, hot=hot)):
        path = films / f"{number:04d}.mp4"
        if not path.exists():
            make_film(path, FILMS, number)
        starts = [at * FILMS.clip_s for at in range(FILMS.clips)]
        rows[source] += [(f"v/{path.name}", start_s, start_s + FILMS.clip_s, f"film {number}") for start_s in starts]
    sources = []
    for number, own in enumerate(rows):
        table = folder / f"{name}-{number}.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("video", "start_s", "end_s", "caption"), *own])
        plain = {"origin": "noisy", "format": "csv", "text_kinds": ["caption"], "media_root": ".", "licence": LICENCE}
        sources.append({"name": f"s{number}", "location": table.name, **plain})
    corpus = {"corpus": name, "sources": sources, "clip": {"short_side_px": 144}, "videos_per_unit": 4}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(corpus), encoding="utf-8")
    return folder / f"{name}.yaml"


def built_s(corpus: Path, out: Path) -> float:
    """Build a corpus with two worker processes; returns the wall seconds of all stages."""
    started = time.monotonic()
    for stage in COST_STAGES:
        command = [sys.executable, "-m", "beam_runner", stage, str(corpus), "--out", str(out), *FLAGS]
        subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def judged_s(folder: Path, pairs: int, *, hot: bool) -> float:
    """Judge made-up samples, three pairs each, nearly all in one source or in equal halves; returns wall seconds."""
    samples = pairs // 3
    first = round(samples * HOT_SHARE) if hot else samples // SOURCES
    sizes = [first, samples - first]
    size = WorldSize(sources=SOURCES, samples=max(sizes), each=tuple(sizes))
    config = world_config(size, folder / "in")
    run = make_run(size, config, folder / "run")
    started = time.monotonic()
    judge(run, EngineOptions(), Watcher(quiet=True))
    return time.monotonic() - started


def main() -> int:
    """Measure both in turns, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=120)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("hot-keys-work"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    corpora = {hot: make_corpus(options.work, options.videos, hot=hot) for hot in (False, True)}
    ratios: dict[str, list[float]] = {"build": [], "judge": []}
    for turn in range(options.runs):
        # Fresh folders: what is there already would be up to date. The order turns, for caches.
        order = (False, True) if turn % 2 else (True, False)
        fresh = Path(tempfile.mkdtemp(prefix="turn-", dir=options.work))
        built = {hot: built_s(corpora[hot], fresh / f"built-{hot}") for hot in order}
        judged = {hot: judged_s(fresh / f"judged-{hot}", options.pairs, hot=hot) for hot in order}
        for name, seconds in (("build", built), ("judge", judged)):
            ratios[name].append(seconds[True] / seconds[False])
            sys.stdout.write(f"{name}: even {seconds[False]:.1f} s, hot {seconds[True]:.1f} s\n")
    medians = {name: statistics.median(own) for name, own in ratios.items()}
    for name, ratio in medians.items():
        sys.stdout.write(f"{name}: one source with 99 % of the clips {ratio:.2f}x the even spread (target {TARGET})\n")
    return int(max(medians.values()) > TARGET)


if __name__ == "__main__":
    sys.exit(main())
