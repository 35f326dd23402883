"""Real videos for the planted set: out of clones, and into originals."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.copies.encode import draw_video
from benchmarks.copies.originals import real_originals
from benchmarks.copies.other_videos import VIDEOS, Video, take
from benchmarks.copies.truth import MAIN, SAME_BACKGROUND


def grey_video(path: Path, seconds: int) -> Path:
    draw_video(path, [np.full((16, 16, 3), 100, np.uint8)] * (10 * seconds), 10)
    return path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()


def test_a_video_is_taken_by_the_hash_of_its_content(tmp_path: Path) -> None:
    clone, out = tmp_path / "clips", tmp_path / "out"
    for folder in (clone, out):
        folder.mkdir()
    git(clone, "init", "--quiet")
    path = grey_video(clone / "road.mp4", 2)
    blob = git(clone, "hash-object", "-w", "road.mp4")
    line = take(Video("somebody/clips", "old/road.mp4", blob[:16], "roads"), tmp_path, out)
    assert line == {"file": "somebody__road.mp4", "duration_s": 2.0, "tags": ["group:roads"]}
    assert (out / "somebody__road.mp4").read_bytes() == path.read_bytes()
    with pytest.raises(FileNotFoundError, match=r"clone https://github\.com/somebody/clips there"):
        take(Video("somebody/clips", "road.mp4", "0" * 16), tmp_path, out)


def test_names_and_contents_are_different() -> None:
    assert len({video.file for video in VIDEOS}) == len({video.blob for video in VIDEOS}) == len(VIDEOS)


def test_another_seed_cuts_a_video_at_other_times(tmp_path: Path) -> None:
    row = {"file": "a__long.mp4", "duration_s": 14, "tags": []}
    grey_video(tmp_path / "a__long.mp4", 14)
    (tmp_path / "clips.jsonl").write_text(json.dumps(row))
    spans = [real_originals(tmp_path, 2, seed)[0].spans_us for seed in (0, 0, 1)]
    assert len(spans[0]) == 2
    assert spans[0] == spans[1] != spans[2]


def test_short_videos_of_a_group_are_hard_negatives(tmp_path: Path) -> None:
    rows = [
        {"file": "a__long.mp4", "duration_s": 5, "tags": ["group:wall"]},
        {"file": "a__copy.mp4", "duration_s": 5, "tags": ["near-duplicate-of:long.mp4"]},
        {"file": "a__short.mp4", "duration_s": 2, "tags": ["group:wall"]},
        {"file": "a__lost.mp4", "duration_s": 2, "tags": ["other"]},
    ]
    for row in rows:
        grey_video(tmp_path / str(row["file"]), int(str(row["duration_s"])))
    assert real_originals(tmp_path, 4) == [], "no index"
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    long, short = real_originals(tmp_path, 4)
    assert (long.name, long.group, long.role, long.copied) == ("a__long.mp4", "wall", MAIN, True)
    assert long.upload == tmp_path / "a__copy.mp4"
    assert (short.name, short.group, short.role, short.copied) == ("a__short.mp4", "wall", SAME_BACKGROUND, False)
