"""The rates of the cost model (`clipstrata plan`): builds that differ in one amount each, and builds held out.

    python -m benchmarks.costs [--work FOLDER] [--write] [--today YYYY-MM-DD]

Makes videos with ffmpeg, builds corpora of them by the command line, each stage in a process of its own, and takes the
CPU seconds of all its processes. Rates are fitted to those builds by shares of their time (`curation.costs.rates`), and
then asked what the builds cost that they know nothing of: another mixture of sizes, lengths and formats, and the real
videos beside the project, where they are there. `--write` puts the model into `curation/costs/measured.json`. Ends with
1 where a held-out build of generated videos is predicted more than 20 % off.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import itertools
import logging
import os
import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from benchmarks.footage import real_footage
from benchmarks.shuffled import clips_of, kb_per_clip, shuffled_by_stage
from curation.costs import ClipScoring, Measured, fit_rates, pilot_workload, predicted_cpu_s
from curation.costs.rates import MEASURED_JSON
from curation.media import ffmpeg_build
from curation.scorers.flops import scorer_work
from curation.store import LocalStore
from pipelines.finished import finished_ingest
from pipelines.run_folder import open_run
from schemas.canonical import canonical_json
from schemas.corpus import load_corpus
from schemas.costs import COST_STAGES, CostModel, CostStage, StageRates, Workload
from schemas.run import CODE_VERSION

TARGET = 0.20
FPS = 25
_PICTURES = ("testsrc2", "mandelbrot", "life")
LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "made for a measurement"}


@dataclass(frozen=True, kw_only=True)
class Build:
    """Videos of one kind and what is cut from them.

    Attributes:
        clips: neighbouring spans of each video, of clip_s each.
        side_px: shorter side of the clips.
        frames: that are scored of each clip.
    """

    name: str
    videos: int
    size: str
    clips: int
    clip_s: float
    side_px: int = 144
    frames: int = 8


FITTED = (
    Build(name="plain", videos=12, size="640x360", clips=3, clip_s=5),
    Build(name="more", videos=36, size="640x360", clips=3, clip_s=5),
    Build(name="large clips", videos=12, size="640x360", clips=3, clip_s=5, side_px=360),
    Build(name="large sources", videos=8, size="1280x720", clips=3, clip_s=5),
    Build(name="many clips", videos=6, size="320x240", clips=20, clip_s=1),
    Build(name="many videos", videos=80, size="320x240", clips=1, clip_s=1),
    Build(name="many frames", videos=12, size="640x360", clips=3, clip_s=5, frames=64),
    Build(name="long clips", videos=4, size="640x360", clips=2, clip_s=20, side_px=240),
)
HELD_OUT = (
    Build(name="held out: 480 lines", videos=20, size="854x480", clips=2, clip_s=8, side_px=240, frames=16),
    Build(name="held out: short", videos=40, size="480x270", clips=4, clip_s=2),
)
REAL = "held out: real videos"


def make_corpus(build: Build, work: Path) -> Path:
    """Write a build's videos and its corpus file; returns the file."""
    folder = work / build.name.replace(" ", "-").replace(":", "")
    (folder / "v").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(build.videos):
        path = folder / "v" / f"{number:04d}.mp4"
        if not path.exists():
            make_film(path, build, number)
        spans = [(at * build.clip_s, (at + 1) * build.clip_s) for at in range(build.clips)]
        rows += [(f"v/{path.name}", start_s, end_s, f"moving picture {number}") for start_s, end_s in spans]
    return write_corpus(folder, rows, build)


def real_corpus(work: Path) -> Path | None:
    """Write the corpus of the real videos beside the project; None where they are not there."""
    found = real_footage()
    rows = [(str(own.path), *span, "a real video") for own in found for span in own.spans_s]
    folder = work / "real"
    folder.mkdir(parents=True, exist_ok=True)
    build = Build(name=REAL, videos=len(found), size="", clips=1, clip_s=0, side_px=240)
    return write_corpus(folder, rows, build) if found else None


def write_corpus(folder: Path, rows: list[tuple[str, float, float, str]], build: Build) -> Path:
    """Write a table and a corpus file that reads it."""
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", "start_s", "end_s", "caption"), *rows])
    source = {"name": "made", "origin": "clean", "format": "csv", "location": "rows.csv", "text_kinds": ["caption"]}
    corpus = {
        "corpus": "costs",
        "sources": [{**source, "media_root": "/" if build.name == REAL else ".", "licence": LICENCE}],
        "clip": {"short_side_px": build.side_px, "min_s": 0.5, "max_s": 60.0},
        "scorer": {"frames": build.frames},
        "videos_per_unit": 4,
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(corpus), encoding="utf-8")
    return folder / "corpus.yaml"


def make_film(path: Path, build: Build, number: int) -> None:
    """Write one video of a build; no two are equal."""
    picture = f"{_PICTURES[number % len(_PICTURES)]}=s={build.size}:r={FPS}"
    filters = f"noise=alls=6:allf=t:all_seed={number + 1}"
    made = ["-f", "lavfi", "-i", picture, "-t", str(build.clips * build.clip_s + 0.2), "-vf", filters]
    command = [ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", *made, "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "veryfast", str(path)], check=True)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a build did and cost, and where it lies."""

    stages: dict[CostStage, Measured]
    run: Path


def measure(corpus: Path, frames: int) -> Found:
    """Build a corpus stage by stage; returns what each did and cost."""
    out = Path(tempfile.mkdtemp(prefix="run-", dir=corpus.parent))
    spent = {stage: _cpu_s_of(["-m", "beam_runner", stage, str(corpus), "--out", str(out)]) for stage in COST_STAGES}
    store = LocalStore(out)
    _, _, commits = finished_ingest(open_run(load_corpus(corpus), out))
    work = scorer_work("world_clip")
    scoring = ClipScoring(frames_mpx=work.clip_mpx(frames), gflop=work.clip_gflop(frames))
    workload = pilot_workload(store, commits, scoring)
    return Found(stages={stage: Measured(workload=workload, cpu_s=own) for stage, own in spent.items()}, run=out)


def _cpu_s_of(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


TABLES = ("records", "samples", "texts", "scores", "embeddings", "selection", "duplicates", "clips", "units")


def _mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _shuffled_kb(work: Path) -> dict[CostStage, float]:
    """Return what a clip of the build with the most clips sends through shuffles."""
    corpus = make_corpus(FITTED[4], work)
    out = Path(tempfile.mkdtemp(prefix="shuffled-", dir=work)) / "run"
    return kb_per_clip(shuffled_by_stage(corpus, out), clips_of(corpus, out))


def main() -> int:
    """Measure, fit, compare, print; and write the model where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("costs-work"))
    parser.add_argument("--write", action="store_true", help="as the model that is shipped")
    parser.add_argument("--today", default=datetime.datetime.now(datetime.UTC).date().isoformat())
    options = parser.parse_args()
    # open_clip says of every model without weights that it has none.
    logging.getLogger().setLevel(logging.ERROR)
    fitted = {build.name: measure(make_corpus(build, options.work), build.frames) for build in FITTED}
    rates = {stage: fit_rates(stage, [own.stages[stage] for own in fitted.values()]) for stage in COST_STAGES}
    for stage, own in rates.items():
        told = ", ".join(f"{name} {rate:.3g}" for name, rate in own.cpu_s.items())
        sys.stdout.write(f"{stage}: start {own.start_cpu_s:.1f} s; CPU seconds each: {told}\n")
    held_out = {build.name: measure(make_corpus(build, options.work), build.frames) for build in HELD_OUT}
    real = real_corpus(options.work)
    if real is not None:
        held_out[REAL] = measure(real, 8)
    shares: dict[str, float] = {}
    for name, own in itertools.chain(fitted.items(), held_out.items()):
        measured = sum(stage.cpu_s for stage in own.stages.values())
        shares[name] = (
            sum(predicted_cpu_s(rates[stage], found.workload) for stage, found in own.stages.items()) / measured
        )
        by_stage = ", ".join(f"{stage} {found.cpu_s:.1f} s" for stage, found in own.stages.items())
        sys.stdout.write(f"{name}: measured {measured:.1f} CPU s ({by_stage}), predicted {shares[name]:.2f}x\n")
    if options.write:
        write_model(rates, {name: shares[name] for name in held_out}, list(fitted.values()), options)
    return 0 if all(abs(shares[build.name] - 1) <= TARGET for build in HELD_OUT) else 1


def write_model(
    rates: dict[CostStage, StageRates], held_out: dict[str, float], fitted: list[Found], options: argparse.Namespace
) -> None:
    """Write the model that is shipped."""
    whole = [own.stages["ingest"].workload for own in fitted]
    added = Workload(**{name: sum(getattr(own, name) for own in whole) for name in Workload.model_fields})
    model = CostModel(
        machine=f"{os.cpu_count()} cores, {platform.machine()}",
        measured=options.today,
        code_version=CODE_VERSION,
        stages=rates,
        held_out=held_out,
        media_mb_per_mpx=added.media_mb / added.clip_mpx,
        frames_mb_per_mpx=sum(_mb(own.run / "frames") for own in fitted) / added.frames_mpx,
        tables_mb=sum(_mb(own.run / name) for own in fitted for name in TABLES) / added.clips,
        shuffled_kb=_shuffled_kb(options.work),
    )
    target = Path(str(files("curation.costs"))) / MEASURED_JSON
    target.write_bytes(canonical_json(model.model_dump(mode="json"), indent=1) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
