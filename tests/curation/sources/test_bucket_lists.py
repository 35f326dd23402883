"""Lists in buckets, read by `fetch.buckets` as videos are, from servers that speak S3 and Google's protocol."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import polars as pl
import pytest

from curation.sources import check_source, list_source, read_piece, read_source, split_source_file
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.fetching import FetchPolicy
from schemas.records import Record
from tests.bucket_servers import S3_KEYS, environment, gs_server, s3_server

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}
ROWS = "video,caption\n" + "".join(f"{number}.mp4,text {number}\n" for number in range(400))


def table() -> bytes:
    file = io.BytesIO()
    frame = pl.DataFrame({"video": ["p.mp4", "q.mp4"], "caption": ["a pear", "a quince"]})
    frame.write_parquet(file, row_group_size=1)
    return file.getvalue()


OBJECTS = {
    "films/lists/rows.csv": ROWS.encode(),
    "films/lists/many/1.jsonl": b'{"video": "1.mp4", "caption": "one"}\n',
    "films/lists/many/sub/2.jsonl": b'{"video": "2.mp4", "caption": "two"}\n',
    "films/lists/table.parquet": table(),
    "films/pack/index.jsonl": json.dumps({"file": "m.mp4", "caption": "a pack", "duration_s": 10}).encode(),
    "films/folder/a.mp4": b"not opened",
    "films/folder/a.txt": b"a side-car",
    "films/folder/sub/b.mp4": b"not opened",
}
# name -> (format, location in the bucket, address below the bucket and texts of each record)
CASES = {
    "a pattern": ("jsonl", "lists/many/**/*.jsonl", [("lists/many/1.mp4", ["one"]), ("lists/many/2.mp4", ["two"])]),
    "a table": ("parquet", "lists/table.parquet", [("lists/p.mp4", ["a pear"]), ("lists/q.mp4", ["a quince"])]),
    "a folder": ("folder", "folder", [("folder/a.mp4", ["a side-car"]), ("folder/sub/b.mp4", [])]),
    "a pack": ("mediapack", "pack/index.jsonl", [("pack/m.mp4", ["a pack"])]),
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3"), OBJECTS) as running, environment(**S3_KEYS):
        yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[None]:
    with gs_server("films", OBJECTS):
        yield


def config_for(location: str, buckets: dict[str, object], **changes: object) -> CorpusConfig:
    source = {"name": "stock", "origin": "clean", "format": "csv", "location": location, "text_kinds": ["caption"]}
    source |= {"licence": LICENCE, "fetch": {"buckets": buckets}, **changes}
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [source]})


def check_case(name: str, scheme: str, buckets: dict[str, object]) -> None:
    format_name, place, expected = CASES[name]
    part = {"part": "captioned"} if format_name == "mediapack" else {}
    root = f"{scheme}://films/{place}" if format_name == "folder" else None
    location = f"{scheme}://films/{place}"
    folder = location.partition("/**")[0] if "**" in place else location.rpartition("/")[0]
    config = config_for(location, buckets, format=format_name, media_root=root or folder, **part)
    source = config.sources[0]
    check_source(source, config.fetch_of(source))
    items = list(read_source(source, config))
    found = sorted((item.address, [text.text for text in item.texts]) for item in items if isinstance(item, Record))
    assert found == [(f"{scheme}://films/{address}", texts) for address, texts in expected]
    assert len(items) == len(found)


@pytest.mark.parametrize("name", CASES)
def test_what_an_s3_server_holds(name: str, endpoint: str) -> None:
    check_case(name, "s3", {"s3_endpoint": endpoint})


@pytest.mark.parametrize("name", CASES)
def test_what_a_gs_server_holds(name: str, emulator: None) -> None:
    check_case(name, "gs", {"gs_anonymous": True})


def test_a_list_is_read_in_pieces(endpoint: str) -> None:
    config = config_for("s3://films/lists/rows.csv", {"s3_endpoint": endpoint}, media_root="s3://films/lists")
    source = config.sources[0]
    (file,) = list_source(source, config.fetch_of(source))
    pieces = list(split_source_file(file, source, 1000))
    found = [item for piece in pieces for item in read_piece(piece, source, config)]
    assert len(pieces) > 5
    assert [item.address for item in found if isinstance(item, Record)] == [
        f"s3://films/lists/{number}.mp4" for number in range(400)
    ]


def test_a_source_without_options_of_its_own_takes_the_corpus_s(endpoint: str) -> None:
    config = config_for("s3://films/lists/many/*.jsonl", {}, format="jsonl", fetch=None)
    config = config.model_copy(update={"fetch": FetchPolicy.model_validate({"buckets": {"s3_endpoint": endpoint}})})
    assert [item.record_id is not None for item in read_source(config.sources[0], config)] == [True]


@pytest.mark.parametrize(
    ("format_name", "place"), [("csv", "lists/rows.csv"), ("jsonl", "lists/many/*.jsonl"), ("folder", "folder")]
)
def test_a_wrong_secret_is_refused_before_anything_starts(format_name: str, place: str, endpoint: str) -> None:
    config = config_for(f"s3://films/{place}", {"s3_endpoint": endpoint}, format=format_name)
    refused = pytest.raises(ConfigError, match=r"sources\.stock\.location")
    with environment(AWS_SECRET_ACCESS_KEY="canary-wrong"), refused as caught:
        check_source(config.sources[0], config.fetch_of(config.sources[0]))
    assert "canary" not in str(caught.value)
