"""`clipstrata takedown` on real videos, with their sources gone; copies stand in or go, and do not come back."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beam_runner import main
from curation.media import ffmpeg_build
from schemas.arrow import REJECTS, SAMPLES, SELECTION, read_rows
from schemas.run import UNCOUNTED
from tests.builders import counted_digests
from tests.pipelines.copied_films import make_films, write_corpus
from tests.searching import traces

pytestmark = pytest.mark.slow
FLAGS = ["--", "--direct_running_mode=in_memory", "--direct_num_workers=1"]
NAMES = ("first.mp4 0", "first.mp4 0.25", "second.mp4 0", "smaller.mp4 0", "stranger.mp4 0")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    make_films(folder / "in")
    assert main(["build", str(write_corpus(folder / "in")), "--out", str(folder / "run"), *FLAGS]) == 0
    return folder


@pytest.fixture
def world(built: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the run; while it is used the films and their tables are elsewhere."""
    shutil.copytree(built / "run", tmp_path / "run")
    (built / "in").rename(built / "away")
    yield tmp_path
    if (built / "away").exists():
        (built / "away").rename(built / "in")


def rows_of(run: Path, folder: str, schema: Any) -> list[dict[str, Any]]:
    paths = sorted((run / folder).glob("*.parquet"))
    return [row for path in paths for row in read_rows(path.read_bytes(), schema)]


def samples(run: Path) -> dict[str, dict[str, Any]]:
    """Return the samples by `file start_s`."""
    return {
        f"{Path(row['locator']).name} {(row['start_us'] or 0) / 1e6:g}": row for row in rows_of(run, "samples", SAMPLES)
    }


def sharded(run: Path) -> set[str]:
    names = {row["sample_id"]: name for name, row in samples(run).items()}
    return {names[row["sample_id"]] for row in rows_of(run, "selection", SELECTION) if row["shard_bucket"] is not None}


def take_down(world: Path, ids: list[str], *options: str) -> dict[str, Any]:
    (world / "ids.txt").write_text("# as the letter says\n\n" + "\n".join(ids) + "\n")
    words = ["takedown", str(world / "run"), "--ids", str(world / "ids.txt"), "--time", "2026-11-29", *options]
    assert main([*words, "--json", *FLAGS]) == 0
    assert main(["verify", str(world / "run")]) == 0
    receipt: dict[str, Any] = json.loads((world / "run" / "receipts" / "000001.json").read_text())
    return receipt


def compared(run: Path) -> dict[str, str]:
    """Return what a rebuild must give too: not the receipt and the list, nor the version's number and what shows it."""
    left_out = ("suppressed", "receipts", "manifests", "report", *UNCOUNTED)
    return {
        path: digest
        for path, digest in counted_digests(run).items()
        if path.split("/")[0] not in left_out and "/cache/" not in path
    }


def test_a_clip_goes_and_the_next_of_its_copies_stands_for_it(built: Path, world: Path) -> None:
    run, before = world / "run", samples(world / "run")
    assert set(before) == set(NAMES)
    kept = sharded(run) & {"first.mp4 0", "first.mp4 0.25"}
    assert len(kept) == 1 and "smaller.mp4 0" not in sharded(run)
    row = before[kept.pop()]
    needles = [row["clip_id"], row["sample_id"], row["media_sha256"], row["content_sha256"], *row["record_ids"]]
    clip = (run / "media" / row["media_sha256"][:2] / f"{row['media_sha256']}.mp4").read_bytes()
    receipt = take_down(world, [f"clip:{row['clip_id']}"])
    assert traces(run, [*needles, clip, clip[len(clip) // 2 :][:200]]) == []
    assert (receipt["counts"]["copies_spared"], receipt["counts"]["copies_removed"]) == (2, 0)
    assert len(sharded(run) & {"first.mp4 0", "first.mp4 0.25", "smaller.mp4 0"}) == 1
    (built / "away").rename(built / "in")
    corpus = write_corpus(built / "in", suppress=[str(run / "suppressed")])
    assert main(["build", str(corpus), "--out", str(world / "again"), *FLAGS]) == 0
    assert compared(world / "again") == compared(run)


def test_a_video_goes_with_its_copies_and_no_other_encoding_of_it_comes_back(built: Path, world: Path) -> None:
    run = world / "run"
    video = hashlib.sha256((built / "away" / "stock" / "first.mp4").read_bytes()).hexdigest()
    assert traces(run, [video, "something small"])
    receipt = take_down(world, [f"file:{built / 'away' / 'stock' / 'first.mp4'}"], "--copies", "remove")
    assert traces(run, [video, "something small", "first.mp4", "smaller.mp4", "a shape", "the same shape"]) == []
    assert set(samples(run)) == {"second.mp4 0", "stranger.mp4 0"}
    assert (receipt["counts"]["samples"], receipt["counts"]["copies_removed"]) == (3, 1)
    (built / "away").rename(built / "in")
    crawl = built / "in" / "crawl"
    shutil.copy(built / "in" / "stock" / "first.mp4", crawl / "renamed.mp4")
    ffmpeg = [str(ffmpeg_build().path), "-v", "error", "-y", "-i", str(crawl / "renamed.mp4")]
    subprocess.run([*ffmpeg, "-s", "240x180", "-crf", "28", str(crawl / "encoded.mp4")], check=True)
    (crawl / "encoded.txt").write_text("come back")
    assert main(["build", str(write_corpus(built / "in")), "--out", str(run), *FLAGS]) == 0
    for name in ("renamed.mp4", "encoded.mp4", "encoded.txt"):
        (crawl / name).unlink()
    assert set(samples(run)) == {"second.mp4 0", "stranger.mp4 0"}
    assert traces(run, ["renamed", "encoded.mp4", "come back"]) == []
    assert [row["reason"] for row in rows_of(run, "rejects", REJECTS)] == ["suppressed"] * 5
    assert main(["verify", str(run)]) == 0
