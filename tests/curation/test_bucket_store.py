"""One contract for all stores: a folder, a bucket in memory, and buckets behind real servers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import fsspec
import pytest

from curation.bucket_client import bucket_file_system
from curation.bucket_folder import BucketFolder, BucketRefused
from curation.bucket_store import BucketStore, machine_scratch
from curation.store import LocalStore, Store, StoreConflict, StoreDamage, StoreHeld
from curation.stores import open_store
from schemas.config_file import ConfigError
from schemas.fetching import FetchPolicy
from tests.bucket_servers import S3_KEYS, environment, gs_server, s3_server

KINDS = ("folder", "memory", "s3", "gs")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as held:
        if request.param == "folder":
            yield LocalStore(tmp_path / "run")
        elif request.param == "memory":
            system = fsspec.filesystem("memory")
            yield BucketStore(BucketFolder(f"memory://{tmp_path.name}/run", system), tmp_path / "machine")
            if system.exists(f"/{tmp_path.name}"):
                system.rm(f"/{tmp_path.name}", recursive=True)
        elif request.param == "s3":
            (tmp_path / "s3").mkdir()
            held.enter_context(environment(**S3_KEYS))
            endpoint = held.enter_context(s3_server(tmp_path / "s3", {"corpora/other": b"x"}))
            held.enter_context(environment(AWS_ENDPOINT_URL_S3=endpoint))
            folder = BucketFolder("s3://corpora/run", bucket_file_system("s3", FetchPolicy(), remembers=False))
            yield BucketStore(folder, tmp_path / "machine")
        else:
            held.enter_context(gs_server("corpora", {"corpora/other": b"x"}))
            folder = BucketFolder("gs://corpora/run", bucket_file_system("gs", FetchPolicy(), remembers=False))
            yield BucketStore(folder, tmp_path / "machine")


def test_files_are_whole_and_listed_in_order(store: Store) -> None:
    assert store.is_empty()
    for path, data in {"a/2.json": b"two", "a/1.json": b"one", "a/b/3.json": b"", "ab/4.json": b"four"}.items():
        store.write(path, data)
    store.write("a/1.json", b"first")
    assert not store.is_empty()
    assert list(store.list("a")) == ["a/1.json", "a/2.json", "a/b/3.json"]
    assert list(store.list("none")) == []
    assert list(store.list_prefix("a/1")) == ["a/1.json"]
    assert list(store.list_prefix("a/b")) in ([], ["a/b"])
    assert (store.read("a/1.json"), store.size("a/2.json"), store.exists("a/b/3.json")) == (b"first", 3, True)
    assert (store.exists("a/9.json"), store.sha256("a/2.json")) == (False, sha256(b"two"))
    with store.open("ab/4.json") as file:
        file.seek(1)
        assert file.read(2) == b"ou"
    with pytest.raises(FileNotFoundError):
        store.read("a/9.json")
    with pytest.raises(FileNotFoundError):
        store.size("a/9.json")
    store.delete("a/2.json")
    store.delete("a/2.json")
    assert list(store.list("a")) == ["a/1.json", "a/b/3.json"]


def test_a_folder_is_cleared_and_its_neighbours_stay(store: Store) -> None:
    for path in ("tmp/ingest/a", "tmp/ingest/b/c", "tmp/ingest-rows/d", "other"):
        store.write(path, b"x")
    left = store.scratch("ingest") / "left"
    left.write_bytes(b"unfinished")
    store.clear("tmp/ingest")
    store.clear("tmp/none")
    assert list(store.list("tmp/ingest")) == [] and list(store.list("tmp/ingest-rows")) == ["tmp/ingest-rows/d"]
    assert store.exists("other") and not left.exists()


def test_created_once(store: Store) -> None:
    store.create("v1.json", b"one")
    store.create("v1.json", b"one")
    with pytest.raises(StoreConflict, match="exists with other content"):
        store.create("v1.json", b"two")
    assert store.read("v1.json") == b"one"


def test_lines_are_appended(store: Store) -> None:
    store.append("labels/l.jsonl", b"one")
    store.append("labels/l.jsonl", b"two")
    assert store.read("labels/l.jsonl") == b"one\ntwo\n"


def test_finished_files_are_brought_and_read_back(store: Store) -> None:
    data = b"clip" * 500_000
    for name in ("media/a.mp4", "media/a.mp4"):
        clip = store.scratch("units") / "clip"
        clip.write_bytes(data)
        store.adopt(clip, name, sha256(data))
        assert not clip.exists() and store.sha256(name) == sha256(data)
    scratch = store.scratch_file("shards")
    with scratch.file as file:
        file.write(b"tar")
    store.flush(scratch.path)
    store.place(scratch.path, "shards/a.tar")
    assert store.read("shards/a.tar") == b"tar" and not scratch.path.exists()
    clip = store.scratch("units") / "clip"
    clip.write_bytes(data)
    with pytest.raises(StoreDamage, match="reads back as"):
        store.adopt(clip, "media/b.mp4", "0" * 64)


def test_a_torn_object_is_replaced(store: Store) -> None:
    store.write("media/a.mp4", b"to")
    clip = store.scratch("units") / "clip"
    clip.write_bytes(b"torn")
    store.adopt(clip, "media/a.mp4", sha256(b"torn"))
    assert store.read("media/a.mp4") == b"torn"


def test_files_are_read_on_this_machine(store: Store) -> None:
    store.write("selection/stock-0.parquet", b"rows")
    with store.local("selection/stock-0.parquet") as local:
        assert (local.name, local.read_bytes()) == ("stock-0.parquet", b"rows")
    assert store.kept("media/none.mp4") is None
    store.write("media/a.mp4", b"clip")
    kept = [store.kept("media/a.mp4"), store.kept("media/a.mp4")]
    assert kept[0] == kept[1] and kept[0] is not None and kept[0].read_bytes() == b"clip"
    store.delete("media/a.mp4")
    assert store.kept("media/a.mp4") is None and not kept[0].exists()


def test_a_range_is_read_alone(store: Store) -> None:
    store.write("tmp/rows", b"0123456789")
    assert (store.read_range("tmp/rows", 2, 3), store.read_range("tmp/rows", 8, 9)) == (b"234", b"89")
    with pytest.raises(FileNotFoundError):
        store.read_range("tmp/none", 0, 1)


def test_scratch_of_a_bucket_is_for_its_user_alone(tmp_path: Path) -> None:
    store = BucketStore(BucketFolder("memory://x/run", fsspec.filesystem("memory")), tmp_path / "machine")
    store.scratch("units")
    assert (tmp_path / "machine").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_what_another_machine_wrote_or_removed_is_seen_at_once(store: Store, tmp_path: Path) -> None:
    assert isinstance(store, BucketStore)
    other = BucketStore(
        BucketFolder(store.address, bucket_file_system("s3", FetchPolicy(), remembers=False)), tmp_path / "other"
    )
    assert list(store.list("shards")) == []
    other.write("shards/a.tar", b"one")
    assert store.sha256("shards/a.tar") == sha256(b"one")
    assert list(store.list("shards")) == ["shards/a.tar"]
    other.write("shards/a.tar", b"another")
    with store.open("shards/a.tar") as file:
        assert file.read() == b"another"


def test_the_mark_of_a_folder_is_no_file(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    store = BucketStore(BucketFolder(f"memory://{tmp_path.name}/run", system), tmp_path / "machine")
    system.pipe_file(f"/{tmp_path.name}/run/", b"")
    assert store.is_empty() and list(store.list("")) == []


class Refusing:
    """A bucket's file system of which each answer is an error of a library."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def invalidate_cache(self) -> None:
        pass

    def info(self, path: str) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        OSError("Forbidden: https://storage.example.org/o?sig=secret"),
        PermissionError("Forbidden"),
        ValueError("Bad Request"),
    ],
)
def test_whatever_a_library_raises_is_one_error(error: Exception) -> None:
    with pytest.raises(BucketRefused, match=f"{type(error).__name__}: .*") as told:
        BucketFolder("gs://corpora/run", Refusing(error)).size("run.json")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("store", ["folder", "memory"], indirect=True)
def test_a_lock_is_held_once(store: Store) -> None:
    with store.lock("progress/build.lock"):
        pass
    with store.lock("progress/build.lock"):
        other: Store = open_store(store.address) if isinstance(store, LocalStore) else store
        if isinstance(store, LocalStore):
            with pytest.raises(StoreHeld, match="is held"), other.lock("progress/build.lock"):
                pass
        else:
            assert store.exists("progress/build.lock")
    assert isinstance(store, LocalStore) or not store.exists("progress/build.lock")


def test_an_address_names_its_store(tmp_path: Path) -> None:
    assert open_store(tmp_path).address == str(tmp_path) == open_store(str(tmp_path)).address
    assert open_store("s3://corpora/run/").address == "s3://corpora/run"
    assert machine_scratch("s3://corpora/run") != machine_scratch("s3://corpora/run2")
    for wrong in ("ftp://corpora/run", "s3://", "gs:///"):
        with pytest.raises(ConfigError, match="allowed: a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER"):
            open_store(wrong)
