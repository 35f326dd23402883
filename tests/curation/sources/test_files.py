from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from curation.sources import check_source, list_source, read_piece, read_source, split_source_file
from curation.sources.files import SourceFile, base_name, list_files, list_folder
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig, SourceConfig, load_corpus
from schemas.fetching import FetchPolicy
from schemas.records import Record

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}
ROWS = "video,caption\n" + "".join(f'{number}.mp4,"text\n{number}"\n' for number in range(400))


def config_for(location: Path | str, **changes: object) -> CorpusConfig:
    source = {"name": "stock", "origin": "clean", "format": "csv", "location": str(location), "media_root": "/videos"}
    source |= {"licence": LICENCE, "text_kinds": ["caption"], **changes}
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [source]})


def remote_config(location: str, **changes: object) -> CorpusConfig:
    """A source in fsspec's own memory, which stands for a bucket; a corpus file may not name it."""
    config = config_for("x", **changes)
    return config.model_copy(update={"sources": (config.sources[0].model_copy(update={"location": location}),)})


def names_of(source: SourceConfig) -> list[str]:
    return sorted(file.name for file in list_files(source, FetchPolicy()))


def test_a_pattern_names_files_below_its_folder(tmp_path: Path) -> None:
    for name in ("a/1.csv", "a/b/2.csv", "a/b/c/3.csv", "a/[x]/4.csv", "a/b/5.txt", "other.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("video,caption\nv.mp4,words\n")
    found = {pattern: names_of(config_for(tmp_path / pattern).sources[0]) for pattern in ("a/*.csv", "a/**/*.csv")}
    assert found == {"a/*.csv": ["1.csv"], "a/**/*.csv": ["1.csv", "[x]/4.csv", "b/2.csv", "b/c/3.csv"]}
    assert names_of(config_for(tmp_path / "a/[x]/*.csv").sources[0]) == ["4.csv"]
    records = list(read_source(*[(c := config_for(tmp_path / "a/**/*.csv")).sources[0], c]))
    assert len(records) == 4


def test_a_pattern_that_matches_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file matches"):
        check_source(config_for(tmp_path / "*.csv").sources[0], FetchPolicy())


def test_of_many_files_one_of_another_kind_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("video,caption\nv.mp4,words\n")
    (tmp_path / "2.csv").write_text("path,words\nv.mp4,words\n")
    config = config_for(tmp_path / "*.csv")
    items = sorted(read_source(config.sources[0], config), key=lambda item: isinstance(item, Record))
    assert [isinstance(item, Record) for item in items] == [False, True]
    assert "2.csv has no column 'video'" in items[0].detail
    with pytest.raises(ConfigError, match=r"2\.csv has no column"):
        check_source(config.sources[0], FetchPolicy())


BASE_NAMES = {
    "/x/rows.csv": "rows.csv",
    "s3://bucket/x/rows 1?.csv": "rows 1?.csv",
    "https://h/x/rows.csv.gz?X-Amz-Signature=f00#x": "rows.csv.gz",
    "https://h/": "h",
}


@pytest.mark.parametrize("location", BASE_NAMES)
def test_the_name_of_a_file(location: str) -> None:
    assert base_name(location) == BASE_NAMES[location]


def test_a_folder_is_listed_without_its_links_to_folders(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    os.mkfifo(tmp_path / "pipe.txt")
    folder = SourceFile(source="stock", url=str(tmp_path), name="", fetch=FetchPolicy())
    found = [(entry.name, entry.folder, entry.regular) for entry in list_folder(folder)]
    assert found == [
        ("a.mp4", False, True),
        ("link.mp4", False, True),
        ("pipe.txt", False, False),
        ("sub", True, False),
    ]


def test_a_bucket_is_read_in_pieces_as_a_disk_is(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    local = config_for(tmp_path / "rows.csv")
    with fsspec.open("memory://bucket/rows.csv", "wb") as file:
        file.write(ROWS.encode())
    remote = remote_config("memory://bucket/rows.csv")
    pieces = list(split_source_file(next(list_source(remote.sources[0], FetchPolicy())), remote.sources[0], 500))
    found = [item for piece in pieces for item in read_piece(piece, remote.sources[0], remote)]
    assert len(pieces) > 5 and found == list(read_source(local.sources[0], local))


def test_a_pattern_and_a_folder_in_a_bucket() -> None:
    for name in ("1.csv", "sub/2.csv"):
        with fsspec.open(f"memory://many/{name}", "wb") as file:
            file.write(b"video,caption\nv.mp4,words\n")
    assert names_of(remote_config("memory://many/**/*.csv").sources[0]) == ["1.csv", "sub/2.csv"]
    for name in ("a.mp4", "a.txt", "sub/b.mp4"):
        with fsspec.open(f"memory://videos/{name}", "wb") as file:
            file.write(b"a dog")
    config = remote_config("memory://videos", format="folder", media_root="s3://bucket/videos")
    found = [item for item in read_source(config.sources[0], config) if isinstance(item, Record)]
    assert sorted((item.address, [text.text for text in item.texts]) for item in found) == [
        ("s3://bucket/videos/a.mp4", ["a dog"]),
        ("s3://bucket/videos/sub/b.mp4", []),
    ]


class Ranges(SimpleHTTPRequestHandler):
    """Serves files, by range where it is asked for one; below `plain/` it knows neither ranges nor lengths."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, wanted = path.read_bytes(), self.headers.get("Range", "")
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        plain = "/plain/" in self.path
        if found and not plain:
            start, end = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
            data = data[start : end + 1]
        else:
            self.send_response(200)
        if not plain:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self) -> None:
        self.send_error(405)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "plain").mkdir()
    for folder in (tmp_path, tmp_path / "plain"):
        (folder / "rows.csv").write_text(ROWS)
    handler = functools.partial(Ranges, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize(("folder", "pieces"), [("", 10), ("/plain", 1)])
def test_a_table_on_a_web_server(folder: str, pieces: int, server: str, tmp_path: Path) -> None:
    local, remote = config_for(tmp_path / "rows.csv"), config_for(f"{server}{folder}/rows.csv?token=f00")
    check_source(remote.sources[0], FetchPolicy())
    cut = list(split_source_file(next(list_source(remote.sources[0], FetchPolicy())), remote.sources[0], 600))
    found = [item for piece in cut for item in read_piece(piece, remote.sources[0], remote)]
    assert len(cut) >= pieces and (len(cut) == 1) == (pieces == 1)
    assert found == list(read_source(local.sources[0], local))


def test_what_a_web_server_lacks_is_said_without_its_signature(server: str) -> None:
    for format_name in ("csv", "jsonl"):
        with pytest.raises(ConfigError, match="gone") as caught:
            check_source(config_for(f"{server}/gone.csv?token=f00", format=format_name).sources[0], FetchPolicy())
        assert "f00" not in str(caught.value)


LOCATIONS = {
    "an unknown scheme": ("ftp://h/rows.csv", "address of http, https, s3, gs"),
    "a file as an address": ("file:///rows.csv", "address of http, https, s3, gs"),
    "a pattern on a web server": ("https://h/*.csv", "does not list its files"),
}


@pytest.mark.parametrize("case", LOCATIONS)
def test_a_location_that_is_refused(case: str) -> None:
    location, message = LOCATIONS[case]
    with pytest.raises(ValueError, match=message):
        config_for(location)


def test_a_corpus_file_may_name_patterns_and_addresses(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "corpus.yaml").write_text(
        "corpus: tiny\nsources:\n"
        "  - {name: a, origin: clean, format: csv, location: rows/*.csv, licence: &l {name: x, basis: own, terms: x}}\n"
        "  - {name: b, origin: clean, format: csv, location: 's3://b/x/*.csv', licence: *l}\n"
        "  - {name: c, origin: clean, format: csv, location: rows, media_root: 'gs://b/x', licence: *l}\n"
        "  - {name: d, origin: clean, format: csv, location: 'https://h/p/r.csv?a=b/c', licence: *l}\n"
        "  - {name: e, origin: clean, format: folder, location: 's3://b/films', licence: *l}\n"
    )
    found = {
        source.name: (source.location, source.media_root) for source in load_corpus(tmp_path / "corpus.yaml").sources
    }
    assert found == {
        "a": (f"{tmp_path}/rows/*.csv", f"{tmp_path}/rows"),
        "b": ("s3://b/x/*.csv", "s3://b/x"),
        "c": (f"{tmp_path}/rows", "gs://b/x"),
        "d": ("https://h/p/r.csv?a=b/c", "https://h/p"),
        "e": ("s3://b/films", "s3://b/films"),
    }
