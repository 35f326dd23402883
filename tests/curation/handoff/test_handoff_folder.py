from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.handoff.folder import write_folder
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_folder_holds_files_links_and_their_digests(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"tar")
    folder = tmp_path / "out"
    write_folder(folder, {"x/run.sh": b"echo\n"}, {"shards/0.tar": "../../a.tar"}, {"version": 3})
    assert names(folder) == ["handoff.json", "shards/0.tar", "x/run.sh"]
    assert (folder / "shards/0.tar").read_bytes() == b"tar"
    assert (folder / "x/run.sh").stat().st_mode & 0o111
    told = json.loads((folder / "handoff.json").read_bytes())
    assert told["files"] == {"x/run.sh": sha256_hex(b"echo\n")}
    assert told["version"] == 3


def test_an_older_hand_off_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"old": b"1"}, {}, {})
    write_folder(folder, {"new": b"2"}, {}, {})
    assert names(folder) == ["handoff.json", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds something that is no hand-off"):
        write_folder(tmp_path / "out", {"a": b""}, {}, {})
    assert names(tmp_path) == ["out/mine.txt"]


def test_a_write_that_fails_leaves_the_older_hand_off(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"old": b"1"}, {}, {})
    with pytest.raises(OSError):
        write_folder(folder, {"a": b"", "a/b": b""}, {}, {})
    assert names(tmp_path) == ["out/handoff.json", "out/old"]
