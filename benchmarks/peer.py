"""The whole ingest against video2dataset 1.3.0 on the same files, cores and spans.

    python -m benchmarks.peer --peer-python ENV/bin/python --work FOLDER [--videos 180]

ENV is an environment of its own; `make bench-peer` makes it: `uv venv ENV`, then in it
`uv pip install video2dataset==1.3.0 "pyarrow<20"`. Ends with 1 under the target: four times as it comes.
The peer cuts exactly (`precision: exact`) and gets the resize to 288 lines in its encoder's options, because its own
resize step fails in 1.3.0; once with its encoder's default preset, as it comes, and once with ours.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import resource
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import yaml

from benchmarks.footage import FPS, Footage, make_footage
from curation.media import decode_clip, ffmpeg_build

SHORT_SIDE_PX = 288
SEARCHED_FRAMES = 30
CHECKED_CLIPS = 12
TARGET = 4

PEER_DRIVER = """
import sys, json
from video2dataset.subsamplers import clipping_subsampler as cutter
from video2dataset import video2dataset
options = json.loads(sys.argv[3])
plain = cutter._process_stream
def with_options(tmpdir, stream_bytes, encode_format, ffmpeg_kwargs):
    return plain(tmpdir, stream_bytes, encode_format, {**ffmpeg_kwargs, **options})
cutter._process_stream = with_options
if __name__ == "__main__":
    video2dataset(
        url_list=sys.argv[1], output_folder=sys.argv[2], input_format="parquet", url_col="url", caption_col="caption",
        clip_col="clips", output_format="webdataset", encode_formats={"video": "mp4"}, config=json.loads(sys.argv[4]),
    )
"""


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one side came to."""

    name: str
    wall_s: float
    cpu_s: float
    clips: int
    worst_error_frames: int | None

    @property
    def clips_per_s(self) -> float:
        """Clips over wall seconds."""
        return self.clips / self.wall_s


def measured(command: list[str], environment: dict[str, str], log: Path) -> tuple[float, float]:
    """Run a command and return its wall and CPU seconds, all its children included.

    Raises:
        RuntimeError: it failed.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with log.open("wb") as file:
        done = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False)
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[:3]} ended with {done.returncode}; see {log}")
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_ours(footage: list[Footage], work: Path) -> Side:
    """Ingest with the defaults: cut, checked, measured, scored."""
    table, config, out = work / "rows.csv", work / "corpus.yaml", work / "ours"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "start_s", "end_s", "caption"])
        for video in footage:
            writer.writerows([video.path, start_s, end_s, "a film"] for start_s, end_s in video.spans_s)
    source = {
        "name": "bench",
        "origin": "noisy",
        "format": "csv",
        "location": str(table),
        "media_root": "/",
        "text_kinds": ["caption"],
        "licence": {"name": "CC0-1.0", "basis": "own", "terms": "benchmark"},
    }
    config.write_text(yaml.safe_dump({"corpus": "bench", "sources": [source]}))
    command = [sys.executable, "-m", "beam_runner", "ingest", str(config), "--out", str(out)]
    wall_s, cpu_s = measured(command, dict(os.environ), work / "ours.log")
    units = [json.loads(path.read_text()) for path in (out / "clips").glob("*.json")]
    entries = {entry["locator"]: entry for unit in units for entry in unit["videos"]}
    cut = {}
    for video in footage:
        for clip in entries[str(video.path)]["outcome"]["clips"]:
            digest = clip["media_sha256"]
            cut[video.path, clip["span_index"]] = (out / "media" / digest[:2] / f"{digest}.mp4").read_bytes()
    return Side(
        name="clipstrata ingest (checked, measured, scored)",
        wall_s=wall_s,
        cpu_s=cpu_s,
        clips=len(cut),
        worst_error_frames=worst_error(footage, cut),
    )


def run_peer(footage: list[Footage], work: Path, python: Path, name: str, options: dict[str, object]) -> Side:
    """Run video2dataset with as many processes as there are cores."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = work / name.replace(" ", "_")
    folder.mkdir()
    table = pa.table(
        {
            "url": [str(video.path) for video in footage],
            "caption": ["a film"] * len(footage),
            "clips": [[list(span) for span in video.spans_s] for video in footage],
        }
    )
    pq.write_table(table, folder / "rows.parquet")
    driver, tools, out = folder / "driver.py", folder / "bin", folder / "out"
    driver.write_text(PEER_DRIVER)
    tools.mkdir()
    (tools / "ffmpeg").symlink_to(ffmpeg_build().path)
    cores = os.cpu_count() or 1
    config = {
        "subsampling": {"ClippingSubsampler": {"args": {"precision": "exact"}}},
        "reading": {"timeout": 60, "sampler": None, "yt_args": {"download_size": 360, "yt_metadata_args": None}},
        "storage": {"number_sample_per_shard": 20, "oom_shard_count": 5, "captions_are_subtitles": False},
        "distribution": {
            "processes_count": cores,
            "thread_count": 2,
            "subjob_size": 1000,
            "distributor": "multiprocessing",
        },
    }
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    command = [
        str(python),
        str(driver),
        str(folder / "rows.parquet"),
        str(out),
        json.dumps(options),
        json.dumps(config),
    ]
    wall_s, cpu_s = measured(command, environment, folder / "log")
    cut = peer_clips(footage, out)
    return Side(name=name, wall_s=wall_s, cpu_s=cpu_s, clips=len(cut), worst_error_frames=worst_error(footage, cut))


def peer_clips(footage: list[Footage], out: Path) -> dict[tuple[Path, int], bytes]:
    """Return the peer's clips by video and place of the span."""
    spans = {
        (str(video.path), span[0]): (video.path, place) for video in footage for place, span in enumerate(video.spans_s)
    }
    found = {}
    for path in sorted(out.glob("*.tar")):
        members: dict[str, dict[str, bytes]] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                file = tar.extractfile(member)
                members.setdefault(key, {})[suffix] = file.read() if file else b""
        for sample in members.values():
            facts = json.loads(sample["json"])
            if facts["status"] == "success" and "mp4" in sample:
                found[spans[facts["url"], float(facts["clips"][0][0])]] = sample["mp4"]
    return found


def worst_error(footage: list[Footage], cut: dict[tuple[Path, int], bytes]) -> int | None:
    """Return by how many frames the first frame of a generated clip is off at worst, over a sample of clips."""
    errors = []
    chosen = [key for video in footage if video.generated for key in cut if key[0] == video.path][:CHECKED_CLIPS]
    starts = {(video.path, place): span[0] for video in footage for place, span in enumerate(video.spans_s)}
    for key in chosen:
        wanted = round(starts[key] * FPS)
        first = _small(next(decode_clip(cut[key])))
        errors.append(abs(_nearest(key[0], wanted, first) - wanted))
    return max(errors) if errors else None


def _nearest(path: Path, wanted: int, first: np.ndarray) -> int:
    """Return the number of the original's frame that looks most like `first`."""
    low = max(0, wanted - SEARCHED_FRAMES)
    with av.open(str(path)) as container:
        frames = list(itertools.islice(container.decode(video=0), low, wanted + SEARCHED_FRAMES))
    errors = [np.abs(_small(frame.to_ndarray(format="rgb24")) - first).mean() for frame in frames]
    return low + int(np.argmin(errors))


def _small(rgb: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(rgb).resize((160, 90), Image.Resampling.BOX), np.float32)


def main() -> int:
    """Measure the sides one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="a new folder")
    parser.add_argument("--videos", type=int, default=180, help="generated ones; the real ones come on top")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True)
    footage = make_footage(work / "videos", arguments.videos)
    spans = sum(len(video.spans_s) for video in footage)
    sys.stdout.write(f"{len(footage)} videos, {spans} spans, {os.cpu_count()} cores\n")
    # Not resolved: a symlinked interpreter knows its environment by its own path.
    python = arguments.peer_python.absolute()
    resize: dict[str, object] = {"vf": f"scale=-2:{SHORT_SIDE_PX}"}
    ours = run_ours(footage, work)
    sides = [
        ours,
        run_peer(footage, work, python, "video2dataset as it comes", resize),
        run_peer(footage, work, python, "video2dataset with our preset", {**resize, "preset": "veryfast", "crf": 23}),
    ]
    lines = [
        "| | clips | wall | CPU | clips/s | ours against it | worst first frame |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for side in sides:
        ratio = ours.clips_per_s / side.clips_per_s
        lines.append(
            f"| {side.name} | {side.clips} | {side.wall_s:.0f} s | {side.cpu_s:.0f} s | {side.clips_per_s:.2f} | "
            f"{ratio:.2f}x | {side.worst_error_frames} frames off |"
        )
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if ours.clips_per_s >= TARGET * sides[1].clips_per_s else 1


if __name__ == "__main__":
    sys.exit(main())
