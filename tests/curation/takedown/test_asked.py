"""What lines of an ids file mean."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from curation.takedown.asked import Asked, asked_of, read_asked
from schemas.config_file import ConfigError
from schemas.suppression import listed

ID = "abcdefghijklmnopqrstuvwxyz"
SHA = "0f" * 32

LINES = {
    "an id of any kind": (ID, Asked("id", ID)),
    "a record": (f"record:{ID}", Asked("record", ID)),
    "a sample": (f"sample: {ID}", Asked("sample", ID)),
    "a clip": (f"  clip:{ID}  ", Asked("clip", ID)),
    "a digest": (SHA, Asked("digest", SHA)),
    "a video": (f"video:{SHA}", Asked("video", SHA)),
    "an address, without what signs it": (
        "https://me:secret@Films.Example/a.mp4?v=1#t=3",
        Asked("place", "https://films.example/a.mp4?v=1"),
    ),
    "a path": ("films/a.mp4", Asked("place", "films/a.mp4")),
    "a member of a tar": ("tar:one.tar!a.mp4", Asked("place", "tar:one.tar!a.mp4")),
    "a source video's id": ("5641526", Asked("place", "5641526")),
    "a place that looks like an id": (f"place:{ID}", Asked("place", ID)),
    "a file beside the ids": ("file:film.mp4", Asked("video", hashlib.sha256(b"film").hexdigest())),
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_is_known_by_its_kind_or_form(case: str, tmp_path: Path) -> None:
    line, wanted = LINES[case]
    (tmp_path / "film.mp4").write_bytes(b"film")
    assert asked_of([line], tmp_path) == (wanted,)


def test_a_file_by_its_whole_path_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    assert asked_of([str(tmp_path / "film.mp4")], tmp_path) == (Asked("video", hashlib.sha256(b"film").hexdigest()),)


def test_comments_and_empty_lines_are_none_and_each_counts_once(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text(f"# a letter\n\n{ID}\n{ID}\n")
    assert read_asked(tmp_path / "ids") == (Asked("id", ID),)


WRONG = {
    "no file": (None, "cannot be read"),
    "nothing in it": ("# later\n", "holds no id"),
    "a video that is no digest": ("video:film", "64 hexadecimal digits"),
    "a record that is no id": ("record:12", "26 of a-z and 2-7"),
    "a file that is not there": ("file:nowhere.mp4", "is no file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str, tmp_path: Path) -> None:
    text, message = WRONG[case]
    if text is not None:
        (tmp_path / "ids").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_asked(tmp_path / "ids")


def test_what_the_run_does_not_know_is_listed_as_whatever_it_may_be() -> None:
    assert Asked("id", ID).entries() == (listed("record", ID), listed("clip", ID))
    assert Asked("sample", ID).entries() == ()
    assert listed("record", ID) == hashlib.sha256(f"record:{ID}".encode()).hexdigest()
    assert Asked("place", "https://youtu.be/dQw4w9WgXcQ").entries()[1] == listed("locator", "youtube:dQw4w9WgXcQ")
