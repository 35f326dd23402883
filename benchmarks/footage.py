"""Videos for benchmarks: generated ones of which every frame differs, and the real ones beside the project."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from curation.media import ffmpeg_build

REALPACK = Path(__file__).parents[2] / "shared" / "realpack"
FPS, SECONDS = 25, 24
SPANS_S = ((1.36, 6.36), (8.2, 13.2), (15.72, 20.72))
"""Of every generated video; on frames, but on no key frame."""
MIN_SPAN_S, MAX_SPAN_S = 5.0, 10.0
_PICTURES = ("testsrc2=s=640x360:r=25", "mandelbrot=s=640x360:r=25", "life=s=640x360:r=25:mold=10:ratio=0.3")


@dataclass(frozen=True, kw_only=True)
class Footage:
    """A video and the spans wanted of it, in seconds."""

    path: Path
    spans_s: tuple[tuple[float, float], ...]
    generated: bool


def make_footage(folder: Path, count: int) -> list[Footage]:
    """Return `count` generated videos, written into a folder, and the real ones that hold a span of 5 s.

    A tenth of the generated ones is encoded; the others are the same streams in other bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    originals = max(1, count // 10)
    found = [_generated(folder / f"{number:04d}.mp4", number, originals, folder) for number in range(count)]
    return found + real_footage()


def _generated(path: Path, number: int, originals: int, folder: Path) -> Footage:
    if not path.exists():
        if number < originals:
            picture = _PICTURES[number % len(_PICTURES)]
            filters = f"noise=alls=10:allf=t:all_seed={number + 1}"
            source = ["-f", "lavfi", "-i", picture, "-t", str(SECONDS), "-vf", filters, "-pix_fmt", "yuv420p"]
            _ffmpeg(*source, "-c:v", "libx264", "-preset", "veryfast", "-g", "250", str(path))
        else:
            source = ["-i", str(folder / f"{number % originals:04d}.mp4")]
            _ffmpeg(*source, "-c", "copy", "-metadata", f"comment={number}", str(path))
    return Footage(path=path, spans_s=SPANS_S, generated=True)


def real_footage() -> list[Footage]:
    """Return the real videos beside the project from which a span of 5 s can be cut; none where they are not there."""
    index = REALPACK / "clips" / "clips.jsonl"
    if not index.is_file():
        return []
    rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    found = []
    for row in rows:
        duration_s = row.get("duration_s")
        if isinstance(duration_s, int | float) and duration_s >= MIN_SPAN_S and str(row["file"]).endswith(".mp4"):
            end_s = round(min(float(duration_s), MAX_SPAN_S), 2)
            found.append(Footage(path=index.parent / row["file"], spans_s=((0.0, end_s),), generated=False))
    return found


def _ffmpeg(*arguments: str) -> None:
    command = [ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", *arguments]
    subprocess.run(command, check=True, capture_output=True)
