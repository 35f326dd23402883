from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from curation.sources import check_source, read_source
from curation.sources.tars import read_samples
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.fetching import FetchPolicy
from schemas.records import Record, Reject

Members = list[tuple[str, bytes]]


def tar_bytes(members: Members) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            facts = tarfile.TarInfo(name)
            facts.size = len(data)
            tar.addfile(facts, io.BytesIO(data))
    return made.getvalue()


def config_for(location: Path, **changes: object) -> CorpusConfig:
    source = {"name": "stock", "origin": "clean", "format": "webdataset", "location": str(location)}
    source |= {"media_root": str(location.parent), "text_kinds": ["caption", "title"]}
    source |= {"licence": {"name": "CC0-1.0", "basis": "own", "terms": "ours"}, **changes}
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [source]})


def read(location: Path, **changes: object) -> list[tuple]:
    config = config_for(location, **changes)
    check_source(config.sources[0], FetchPolicy())
    return [told(item) for item in read_source(config.sources[0], config)]


def told(item: Record | Reject) -> tuple:
    if isinstance(item, Reject):
        return ("reject", item.reason.value)
    return (item.locator, [(text.kind, text.text) for text in item.texts])


VIDEO = ("{}.mp4", b"bytes of a film")
OURS = {"schema": "clipstrata.sample/1", "texts": [{"kind": "title", "text": "a film"}, {"kind": "asr", "text": "um"}]}
THEIRS = {
    "url": "https://h/a",
    "key": "000",
    "status": "success",
    "caption": "a dog",
    "title": "Dogs",
    "clips": [[0, 2]],
}
LAYOUTS: dict[str, tuple[Members, list[tuple[str, str]]]] = {
    "video2dataset's": (
        [("0.json", json.dumps(THEIRS).encode()), ("0.mp4", b"x"), ("0.txt", b"a dog")],
        [("caption", "a dog"), ("title", "Dogs")],
    ),
    "ours": ([("0.json", json.dumps(OURS).encode()), ("0.mp4", b"x"), ("0.txt", b"chosen")], [("title", "a film")]),
    "a text alone": ([("0.mp4", b"x"), ("0.txt", b"a dog\n")], [("caption", "a dog")]),
    "no text": ([("0.mp4", b"x")], []),
    "members that are not read": ([("0.jpg", b"x"), ("0.mp4", b"x"), ("0.m4a", b"x")], []),
    "a text that is no UTF-8": ([("0.mp4", b"x"), ("0.txt", b"caf\xe9")], []),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_sample_as_others_write_it(case: str, tmp_path: Path) -> None:
    members, texts = LAYOUTS[case]
    (tmp_path / "1.tar").write_bytes(tar_bytes(members))
    assert read(tmp_path / "1.tar") == [("tar:1.tar!0.mp4", texts)]


FIRST, LAST = ("tar:1.tar!first.mp4", []), ("tar:1.tar!last.mp4", [])
BROKEN: dict[str, tuple[Members, list[str]]] = {
    "a key that comes again": ([("0.mp4", b"x"), ("first.mp4", b"y")], ["id_conflict"]),
    "two texts of one key": ([("0.mp4", b"x"), ("0.txt", b"a"), ("0.txt", b"b")], ["id_conflict"]),
    "two videos of one key": ([("0.mp4", b"x"), ("0.webm", b"x")], ["id_conflict"]),
    "a text without a video": ([("0.txt", b"a")], ["field_missing"]),
    "halves of one key apart": (
        [("0.mp4", b"x"), ("0.txt", b"b"), ("1.mp4", b"x"), ("0.json", b"{}")],
        ["id_conflict"],
    ),
    "facts that are no JSON": ([("0.mp4", b"x"), ("0.json", b"{")], ["row_unreadable"]),
    "facts that are no object": ([("0.mp4", b"x"), ("0.json", b"[1]")], ["row_unreadable"]),
    "facts nested for ever": ([("0.mp4", b"x"), ("0.json", b"[" * 100_000)], ["row_unreadable"]),
    "a thousand members of one key": ([(f"0.{n}.png", b"") for n in range(1_000)], ["id_conflict"]),
    "names without a key": ([(".mp4", b"x"), ("README", b"x")], []),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_sample_between_good_ones(case: str, tmp_path: Path) -> None:
    members, reasons = BROKEN[case]
    (tmp_path / "1.tar").write_bytes(tar_bytes([("first.mp4", b"x"), *members, ("last.mp4", b"x")]))
    found = read(tmp_path / "1.tar")
    assert [item[1] for item in found if item[0] == "reject"] == reasons
    assert found[0] == FIRST and found[-1] == LAST


def test_a_link_is_no_video(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        link = tarfile.TarInfo("0.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / "1.tar").write_bytes(made.getvalue())
    assert read(tmp_path / "1.tar") == []


class Stream(io.RawIOBase):
    """A tar as a web server without ranges gives it: from front to end."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 700) if size > 0 else size)


def keys_of(stream: BinaryIO) -> tuple[list[str], bool]:
    """Return the keys of the samples that come through, and whether the tar came to its end."""
    keys: list[str] = []
    try:
        keys.extend(sample.key for sample in read_samples(stream) if {"txt"} == set(sample.small))
    except tarfile.TarError:
        return keys, False
    return keys, True


@pytest.mark.parametrize("opened", [io.BytesIO, Stream])
def test_every_cut_of_a_tar_is_told(opened: Callable[[bytes], BinaryIO]) -> None:
    members = [(f"{n}.{suffix}", data) for n in range(3) for suffix, data in (("mp4", b"x" * 700), ("txt", b"words"))]
    whole = tar_bytes(members)
    for cut in range(0, 3 * (512 + 1024 + 512 + 512) + 1, 128):
        assert keys_of(opened(whole[:cut]))[1] is False, cut
    assert keys_of(opened(whole)) == (["0", "1", "2"], True)


@pytest.mark.parametrize("opened", [io.BytesIO, Stream])
def test_junk_in_the_middle_of_a_tar_is_told(opened: Callable[[bytes], BinaryIO]) -> None:
    whole = tar_bytes([(f"{n}.txt", b"x") for n in range(4)])
    assert keys_of(opened(whole[:2048] + b"junk" * 128 + whole[2560:]))[1] is False


def test_of_a_tar_that_is_cut_no_half_sample_comes_through(tmp_path: Path) -> None:
    members = [(f"{n}.{suffix}", data) for n in range(3) for suffix, data in (("mp4", b"x" * 700), ("txt", b"words"))]
    whole = tar_bytes(members)
    for cut in range(0, 3 * (512 + 1024 + 512 + 512) + 1, 128):
        (tmp_path / "1.tar").write_bytes(whole[:cut])
        found = read(tmp_path / "1.tar")
        assert found[-1] == ("reject", "row_unreadable"), cut
        assert all(texts == [("caption", "words")] for _, texts in found[:-1]), cut
    assert found[:-1] == [(f"tar:1.tar!{n}.mp4", [("caption", "words")]) for n in range(2)]


def test_a_packed_tar_is_refused_for_its_members_cannot_be_reached(tmp_path: Path) -> None:
    for name in ("1.tar", "2.tar.gz"):
        data = tar_bytes([("0.mp4", b"x")])
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    with pytest.raises(ConfigError, match="unpack it first"):
        check_source(config_for(tmp_path / "2.tar.gz").sources[0], FetchPolicy())
    config = config_for(tmp_path / "*.tar*", media_root=str(tmp_path))
    assert sorted(told(item)[0] for item in read_source(config.sources[0], config)) == ["reject", "tar:1.tar!0.mp4"]


def test_many_tars_name_their_members_by_their_place(tmp_path: Path) -> None:
    for name in ("1.tar", "sub/2.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(tar_bytes([("x/0.mp4", b"x")]))
    config = config_for(tmp_path / "**" / "*.tar", media_root=str(tmp_path))
    found = sorted((item.locator, item.address) for item in read_source(config.sources[0], config))
    assert found == [
        ("tar:1.tar!x/0.mp4", f"tar:{tmp_path}/1.tar!x/0.mp4"),
        ("tar:sub/2.tar!x/0.mp4", f"tar:{tmp_path}/sub/2.tar!x/0.mp4"),
    ]


def test_no_texts_are_taken_where_none_are_declared(tmp_path: Path) -> None:
    (tmp_path / "1.tar").write_bytes(tar_bytes(LAYOUTS["video2dataset's"][0]))
    assert read(tmp_path / "1.tar", text_kinds=[]) == [("tar:1.tar!0.mp4", [])]
