"""A few films of which some are copies of others, for builds that look for duplicates."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from curation.media import ffmpeg_build

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "made for a test"}
# What a filter makes of the first film, and how it is then encoded.
FILMS = {
    "stock/first.mp4": ("mandelbrot=s=320x240:r=25", [], "18"),
    "stock/second.mp4": ("testsrc=s=320x240:r=25", [], "18"),
    "crawl/smaller.mp4": ("mandelbrot=s=320x240:r=25", ["-s", "160x120"], "30"),
    "crawl/stranger.mp4": ("testsrc2=s=320x240:r=25", [], "18"),
    "bench/padded.mp4": ("testsrc=s=320x240:r=25", ["-vf", "pad=336:252:8:6"], "26"),
}
SPANS = [("first.mp4", 0, 4, "a shape"), ("first.mp4", 0.25, 4.25, "the same shape"), ("second.mp4", 0, 4, "bars")]


def write_corpus(folder: Path, **more: Any) -> Path:
    """Write a corpus file of the films of `make_films`; returns it.

    Args:
        more: further keys of the corpus.
    """
    sources = [
        {"name": "stock", "origin": "clean", "format": "jsonl", "location": "stock.jsonl", "text_kinds": ["caption"]},
        {"name": "crawl", "origin": "noisy", "format": "folder", "location": "crawl", "text_kinds": ["alt"]},
    ]
    whole = {
        "corpus": "copies",
        "sources": [{**source, "licence": LICENCE} for source in sources],
        "clip": {"short_side_px": 120},
        **more,
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(whole))
    return folder / "corpus.yaml"


def make_films(folder: Path) -> None:
    """Write FILMS, a table of SPANS beside them, and side-car texts."""
    for name, made in FILMS.items():
        _film(folder / name, *made)
    rows = [{"video": f"stock/{name}", "start_s": a, "end_s": b, "caption": text} for name, a, b, text in SPANS]
    (folder / "stock.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "crawl" / "smaller.txt").write_text("something small")
    (folder / "crawl" / "stranger.txt").write_text("bars")


def _film(path: Path, source: str, options: list[str], quality: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ffmpeg = str(ffmpeg_build().path)
    command = [ffmpeg, "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", "5", *options]
    subprocess.run([*command, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", quality, str(path)], check=True)
