"""A corpus in which every kind of bad input stands between good rows; made with the pinned ffmpeg."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from curation.media import ffmpeg_build

GOOD_TEXT = "a test picture"
CORPUS = """
corpus: bad
sources:
  - {name: stock, origin: clean, format: jsonl, location: rows.jsonl, text_kinds: [caption], licence:
      {name: CC0-1.0, basis: own, terms: made for a test}}
clip: {short_side_px: 64}
videos_per_unit: 4
"""


def write_bad_corpus(folder: Path) -> Path:
    """Write the corpus file, its table and its media; returns the corpus file."""
    folder.mkdir(parents=True)
    _media(folder)
    rows: list[dict[str, object]] = [
        {"video": "good.mp4", "start_s": 0, "end_s": 1, "caption": f"{GOOD_TEXT} 0"},
        {"video": "missing.mp4", "caption": "x"},
        {"video": "empty.mp4", "caption": "x"},
        {"video": "text.mp4", "caption": "x"},
        {"video": "good.mp4", "start_s": 1, "end_s": 2, "caption": f"{GOOD_TEXT} 1"},
        {"video": "playlist.mp4", "caption": "x"},
        {"video": "truncated.mp4", "caption": "x"},
        {"video": "audio.mp4", "caption": "x"},
        {"video": "good.mp4", "start_s": 2, "end_s": 2, "caption": "x"},
        {"video": "good.mp4", "start_s": 40, "end_s": 41, "caption": "x"},
        {"video": "-dash.mp4", "caption": "a name with a dash"},
        {"video": "good.mp4", "start_s": 2, "end_s": 3, "caption": f"{GOOD_TEXT} 2"},
        {"video": "good.mp4", "start_s": 2, "end_s": 3, "caption": f"{GOOD_TEXT} 2"},
        {"video": "no-text.mp4", "caption": "  "},
        {"video": "broken-text.mp4", "caption": "a\ud800"},
    ]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    (folder / "corpus.yaml").write_text(CORPUS)
    return folder / "corpus.yaml"


def _media(folder: Path) -> None:
    good = folder / "good.mp4"
    _render(good, "testsrc2=s=128x96:r=12:d=4")
    for name, start in (("no-text.mp4", 1), ("broken-text.mp4", 2)):
        _render(folder / name, f"testsrc=s=128x96:r=12:d={start}")
    data = good.read_bytes()
    (folder / "-dash.mp4").write_bytes(data)
    (folder / "truncated.mp4").write_bytes(data[: len(data) * 2 // 3])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_bytes(b"these are words, and no film\n" * 100)
    (folder / "playlist.mp4").write_bytes(b"ffconcat version 1.0\nfile good.mp4\n")
    _run("-f", "lavfi", "-i", "sine=f=440:d=2", "-c:a", "aac", str(folder / "audio.mp4"))


def _render(path: Path, picture: str) -> None:
    _run("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path))


def _run(*arguments: str) -> None:
    command = [str(ffmpeg_build().path), "-nostdin", "-loglevel", "error", "-y", *arguments]
    subprocess.run(command, check=True, timeout=60)
