"""What a video of three hours costs among videos of ten seconds: left to one worker, and cut in pieces by all.

    python -m benchmarks.stragglers [--hours 3] [--videos 40] [--work FOLDER]

The same corpus is ingested twice with two worker processes, once with `long_video_s` longer than the video and once
with its default. Prints both walls, in how many pieces the long one was cut, and their ratio. Ends with 1 where the
files differ, or where cutting in pieces saves nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.costs import REAL, Build, make_film, write_corpus
from curation.media import ffmpeg_build
from curation.progress import read_totals
from curation.store import file_sha256

CLIP_S = 10
FILMS = Build(name=REAL, videos=0, size="320x240", clips=1, clip_s=CLIP_S)
FLAGS = ("--", "--direct_running_mode=multi_processing", "--direct_num_workers=2")
ONE_GO_S = 86_400


def long_film(path: Path, hours: float) -> Path:
    """Write a video of many hours, unless it is there."""
    if not path.exists():
        made = ["-f", "lavfi", "-i", f"testsrc2=s={FILMS.size}:r=12", "-t", str(hours * 3600)]
        coded = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "48", str(path)]
        subprocess.run([ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", *made, *coded], check=True)
    return path


def make_corpus(folder: Path, hours: float, videos: int) -> Path:
    """Write the videos and a corpus of them; all of each is cut into clips of ten seconds."""
    (folder / "v").mkdir(parents=True, exist_ok=True)
    film = long_film(folder / "v" / f"long-{hours:g}.mp4", hours)
    rows = [
        (str(film.resolve()), float(start_s), float(start_s + CLIP_S), "a test picture")
        for start_s in range(0, int(hours * 3600) - CLIP_S + 1, CLIP_S)
    ]
    for number in range(videos):
        path = folder / "v" / f"{number:04d}.mp4"
        if not path.exists():
            make_film(path, FILMS, number)
        rows.append((str(path.resolve()), 0.0, float(CLIP_S), f"moving picture {number}"))
    return write_corpus(folder, rows, FILMS)


def ingested(corpus: Path, out: Path, long_video_s: float) -> float:
    """Ingest a corpus with so long a piece; returns the wall seconds."""
    own = corpus.with_name(f"{out.name}.yaml")
    own.write_text(corpus.read_text(encoding="utf-8") + f"long_video_s: {long_video_s}\n", encoding="utf-8")
    started = time.monotonic()
    command = [sys.executable, "-m", "beam_runner", "ingest", str(own), "--out", str(out), *FLAGS]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def clips_in(run: Path) -> dict[str, str]:
    """Return path -> digest of what an ingest keeps of clips, rows and scores."""
    folders = ("clips", "media", "units", "samples", "scores")
    found = [path for folder in folders for path in sorted((run / folder).rglob("*")) if path.is_file()]
    return {str(path.relative_to(run)): file_sha256(path) for path in found}


def main() -> int:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--work", type=Path, default=Path("stragglers-work"))
    options = parser.parse_args()
    corpus = make_corpus(options.work, options.hours, options.videos)
    fresh = Path(tempfile.mkdtemp(prefix="turn-", dir=options.work))
    whole_s = ingested(corpus, fresh / "one-go", ONE_GO_S)
    pieces_s = ingested(corpus, fresh / "pieces", 600)
    parts = int(read_totals(fresh / "pieces", "ingest")["piece"]["events"]) - 1
    same = clips_in(fresh / "one-go") == clips_in(fresh / "pieces")
    sys.stdout.write(
        f"a video of {options.hours:g} hours among {options.videos} of {CLIP_S} s: in one go {whole_s:.0f} s, "
        f"in {parts} pieces {pieces_s:.0f} s, {pieces_s / whole_s:.2f}x; the same files: {same}\n"
    )
    return int(not same or pieces_s >= whole_s)


if __name__ == "__main__":
    sys.exit(main())
