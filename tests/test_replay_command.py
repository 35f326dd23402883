"""`clipstrata replay` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beam_runner import main
from tests.curation.media.make import write_test_video

CORPUS = """
corpus: tiny
sources:
  - name: stock
    origin: clean
    format: csv
    location: rows.csv
    text_kinds: [caption]
    licence: {name: CC0-1.0, basis: own, terms: made for a test}
"""
FLAGS = ["--", "--direct_running_mode=in_memory", "--direct_num_workers=1"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A built run of two videos, one of which was not there."""
    write_test_video(tmp_path / "here.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    rows = "video,start_s,end_s,caption\nhere.mp4,0,1,bars\nlate.mp4,0,1,more bars\nbroken.mp4,0,1,nothing\n"
    (tmp_path / "rows.csv").write_text(rows)
    (tmp_path / "corpus.yaml").write_text(CORPUS)
    assert main(["build", str(tmp_path / "corpus.yaml"), "--out", str(tmp_path / "run"), *FLAGS]) == 0
    return tmp_path / "run"


def samples_of(run: Path) -> int:
    latest = json.loads((run / "manifests" / "latest.json").read_text())
    manifest = json.loads((run / latest["path"]).read_text())
    return sum(shard["samples"] for shard in manifest["shards"])


def attempts_of(run: Path) -> dict[str, int]:
    entries = [entry for path in (run / "clips").glob("*.json") for entry in json.loads(path.read_text())["videos"]]
    return {entry["locator"]: entry["attempts"] for entry in entries}


def test_a_replay_does_those_and_only_those(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert samples_of(run) == 1
    write_test_video(run.parent / "late.mp4", size="96x64")
    capsys.readouterr()
    assert main(["replay", str(run), "--reason", "file_missing", *FLAGS]) == 0
    printed = capsys.readouterr().out
    assert "file_missing" in printed and "not_media" in printed
    assert samples_of(run) == 2
    assert main(["verify", str(run)]) == 0
    # A file that was not there before is a new one; the other two were left alone.
    assert attempts_of(run) == {"here.mp4": 1, "late.mp4": 1, "broken.mp4": 1}


def test_what_fails_again_has_one_attempt_more(run: Path) -> None:
    assert main(["replay", str(run), *FLAGS]) == 0
    assert attempts_of(run) == {"here.mp4": 1, "late.mp4": 2, "broken.mp4": 1}


def test_nothing_to_replay_changes_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "run.json").read_bytes()
    assert main(["replay", str(run), "--reason", "playlist", *FLAGS]) == 0
    assert "nothing was done" in capsys.readouterr().out
    assert (run / "run.json").read_bytes() == before


WRONG = {
    "no such reason": (["--reason", "bad_luck"], "--reason is 'bad_luck'; allowed: "),
    "no run": (None, "allowed: a folder that `clipstrata build` wrote"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_exit_2(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = WRONG[case]
    assert main(["replay", str(tmp_path / "nowhere"), *(words or [])]) == 2
    assert message in capsys.readouterr().err
