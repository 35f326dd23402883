"""Publishing a version: what is written, in which order, and what is refused; against buckets that are real servers."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from curation.bucket_client import bucket_file_system
from curation.bucket_folder import BucketFolder
from curation.manifests import commit_manifest, read_manifest
from curation.published import PruneWhat, Published, Remote, publish
from curation.shard_writing import write_shard
from curation.store import LocalStore, StoreConflict, StoreDamage
from curation.versions import prune as drop_versions
from schemas.config_file import ConfigError
from schemas.fetching import BucketPolicy, FetchPolicy
from schemas.manifest import LatestPointer, Manifest
from schemas.run import LATEST_JSON, manifest_path, media_path
from schemas.shards import ShardPlace, sidecar_path
from tests.bucket_servers import S3_KEYS, environment, gs_server, s3_server
from tests.curation.handoff.manifests import manifest as manifest_of
from tests.curation.test_shard_crashes import CLIPS, CORPUS, samples


class Stopped(BaseException):
    """The process is no more."""


class Shelf:
    """A bucket in memory that notes what was done to it, may spoil what is uploaded, and may be the last thing seen.

    Args:
        spoils: part of the paths whose upload writes another last byte.
        dies_at: the step, from 0, at which the process that asks ends; a write is done by then, its answer lost.
    """

    def __init__(self, spoils: str = "", dies_at: int | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.steps: list[tuple[str, str]] = []
        self.spoils = spoils
        self.dies_at = dies_at

    def _step(self, name: str, path: str) -> None:
        self.steps.append((name, path))
        if self.dies_at is not None and len(self.steps) > self.dies_at:
            raise Stopped(name)

    def size(self, path: str) -> int | None:
        return len(self.objects[path]) if path in self.objects else None

    def read(self, path: str) -> bytes | None:
        return self.objects.get(path)

    def sha256(self, path: str) -> str:
        self._step("read back", path)
        return hashlib.sha256(self.objects[path]).hexdigest()

    def upload(self, local: Path, path: str) -> None:
        data = local.read_bytes()
        self.write(path, data[:-1] + b"?" if self.spoils and self.spoils in path else data)

    def write(self, path: str, data: bytes) -> None:
        self.objects[path] = data
        self._step("write", path)

    def create(self, path: str, data: bytes) -> bool:
        if path in self.objects:
            return False
        self.write(path, data)
        return True

    def delete(self, path: str) -> None:
        del self.objects[path]
        self._step("delete", path)

    def written(self) -> list[str]:
        """Return the paths that were written, in their order."""
        return [path for name, path in self.steps if name == "write"]

    def list(self, folder: str) -> list[str]:
        return sorted(path for path in self.objects if path.startswith(f"{folder}/"))


def build(root: Path, texts: list[str]) -> LocalStore:
    """Commit a version of two shards for each text; the second one is the same in all."""
    store = LocalStore(root)
    for digest, data in CLIPS.items():
        store.write(media_path(digest), data)
    for text in texts:
        written = [
            write_shard(
                samples(bucket, text=own), store, CORPUS, ShardPlace(tier="clean", source="stock", bucket=bucket)
            )
            for bucket, own in ((0, text), (1, "a dog"))
        ]
        shards = sorted((one.facts for one in written), key=lambda facts: facts.path)
        commit_manifest(store, manifest_of(*shards))
    return store


def published(store: LocalStore, remote: Remote, version: int, prune: PruneWhat = "nothing") -> Published:
    return publish(store, version, remote, prune=prune, told=lambda size: None)


def files(manifest: Manifest) -> set[str]:
    return {path for facts in manifest.shards for path in (facts.path, sidecar_path(facts.path))}


def test_shards_come_first_then_the_manifest_then_the_pointer(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat"]), Shelf()
    done = published(store, shelf, 1)
    wanted = files(read_manifest(store, 1))
    order = shelf.written()
    assert set(order[:4]) == wanted and order[4:] == [manifest_path(1), LATEST_JSON]
    assert shelf.objects == {path: store.read(path) for path in [*wanted, manifest_path(1), LATEST_JSON]}
    total_bytes = sum(store.size(path) for path in wanted)
    assert (done.uploaded, done.uploaded_bytes, done.there, done.is_latest) == (4, total_bytes, 0, True)
    assert (done.removed, done.unlisted) == ((), ())


def test_what_is_there_is_left_alone_and_what_was_cut_short_is_not(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat", "a bird"]), Shelf()
    published(store, shelf, 1)
    shelf.steps.clear()
    again = published(store, shelf, 1)
    assert (again.uploaded, again.there, shelf.steps) == (0, 4, [])
    second = published(store, shelf, 2)
    assert (second.uploaded, second.there) == (2, 2)
    path = sorted(files(read_manifest(store, 2)))[1]
    shelf.objects[path] = shelf.objects[path][:-1]
    assert published(store, shelf, 2).uploaded == 1 and shelf.objects[path] == store.read(path)


def test_an_older_version_does_not_take_the_pointer_back(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat", "a bird"]), Shelf()
    assert published(store, shelf, 2).is_latest
    assert not published(store, shelf, 1).is_latest
    assert LatestPointer.model_validate_json(shelf.objects[LATEST_JSON]).version == 2


def test_another_build_under_the_same_number_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    shelf = Shelf()
    published(build(tmp_path / "one", ["a cat"]), shelf, 1)
    before = dict(shelf.objects)
    with pytest.raises(StoreConflict, match="another build was published under that number"):
        published(build(tmp_path / "two", ["a bird"]), shelf, 1)
    assert shelf.objects == before


class Raced(Shelf):
    """Another builder's manifest appears while shards are uploaded."""

    def create(self, path: str, data: bytes) -> bool:
        self.objects[path] = b"another"
        return False


def test_another_build_that_comes_first_meanwhile_keeps_its_manifest(tmp_path: Path) -> None:
    shelf = Raced()
    with pytest.raises(StoreConflict):
        published(build(tmp_path, ["a cat"]), shelf, 1)
    assert shelf.objects[manifest_path(1)] == b"another" and LATEST_JSON not in shelf.objects


@pytest.mark.parametrize("spoiled", [".tar", ".json"])
def test_what_reads_back_otherwise_is_removed_and_told(spoiled: str, tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat"]), Shelf(spoiled)
    with pytest.raises(StoreDamage, match="publish again"):
        published(store, shelf, 1)
    assert manifest_path(1) not in shelf.objects
    shelf.spoils = ""
    published(store, shelf, 1)
    assert all(shelf.objects[path] == store.read(path) for path in files(read_manifest(store, 1)))


@pytest.mark.parametrize("suffix", [".tar", ".json"])
def test_a_damaged_file_of_the_run_is_not_published(suffix: str, tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat"]), Shelf()
    path = next(path for path in sorted(files(read_manifest(store, 1))) if path.endswith(suffix))
    store.write(path, store.read(path)[:-1] + b"?")
    with pytest.raises(StoreDamage, match=f"{path} is missing or not what the manifest says"):
        published(store, shelf, 1)
    assert path not in shelf.objects and manifest_path(1) not in shelf.objects


def test_pruning_removes_what_the_run_does_not_have_and_nothing_later(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat", "a bird", "a fish"]), Shelf()
    for version in (1, 2, 3):
        published(store, shelf, version)
    versions = {version: read_manifest(store, version) for version in (1, 2, 3)}
    later = versions[3].model_copy(update={"version": 7})
    shelf.objects[manifest_path(7)] = later.to_bytes()
    shelf.objects["shards/clean/stock/on-its-way.tar"] = b"another builder's"
    drop_versions(store, keep=1)
    shelf.steps.clear()
    done = published(store, shelf, 3, "versions")
    gone = (files(versions[1]) | files(versions[2])) - files(versions[3])
    assert len(gone) == 4
    assert set(done.removed) == gone | {manifest_path(1), manifest_path(2)}
    kept = {*files(versions[3]), manifest_path(3), manifest_path(7), LATEST_JSON}
    assert set(shelf.objects) == {*kept, "shards/clean/stock/on-its-way.tar"}
    assert done.unlisted == ("shards/clean/stock/on-its-way.tar",)
    assert (done.is_latest, LatestPointer.model_validate_json(shelf.objects[LATEST_JSON]).version) == (False, 7)
    again = published(store, shelf, 3, "all")
    assert (again.removed, again.unlisted) == (("shards/clean/stock/on-its-way.tar",), ())
    assert set(shelf.objects) == kept


def test_stopped_at_each_step_in_turn_it_ends_the_same(tmp_path: Path) -> None:
    """A new version published over an older one that is pruned, as after a takedown."""
    store = build(tmp_path, ["a cat", "a bird"])
    before, undisturbed = Shelf(), Shelf()
    published(store, before, 1)
    drop_versions(store, keep=1)
    undisturbed.objects = dict(before.objects)
    published(store, undisturbed, 2, "versions")
    assert len(undisturbed.steps) == 9 and {name for name, _ in undisturbed.steps} == {"read back", "write", "delete"}
    for dies_at in range(len(undisturbed.steps)):
        shelf = Shelf(dies_at=dies_at)
        shelf.objects = dict(before.objects)
        with pytest.raises(Stopped):
            published(store, shelf, 2, "versions")
        pointer = LatestPointer.model_validate_json(shelf.objects[LATEST_JSON])
        assert hashlib.sha256(shelf.objects[pointer.path]).hexdigest() == pointer.sha256
        shelf.dies_at = None
        published(store, shelf, 2, "versions")
        assert shelf.objects == undisturbed.objects, dies_at


def test_what_no_version_lists_is_read_back_before_it_is_trusted(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat"]), Shelf()
    path = sorted(files(read_manifest(store, 1)))[1]
    shelf.objects[path] = store.read(path)[:-1] + b"?"
    assert published(store, shelf, 1).uploaded == 4
    assert shelf.objects[path] == store.read(path)


class Pruned(Shelf):
    """Another builder removes a shard that it believes nobody needs, before this one's manifest is there."""

    def create(self, path: str, data: bytes) -> bool:
        del self.objects[next(name for name in sorted(self.objects) if name.endswith(".tar"))]
        return super().create(path, data)


def test_what_another_builder_removed_meanwhile_is_brought_again(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat"]), Pruned()
    assert published(store, shelf, 1).uploaded == 4
    assert all(shelf.objects[path] == store.read(path) for path in files(read_manifest(store, 1)))


class Restless(Shelf):
    """Others write their own pointer after each of ours."""

    def read(self, path: str) -> bytes | None:
        return b"another" if path == LATEST_JSON else super().read(path)


def test_a_pointer_that_others_keep_moving_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreConflict, match="others publish and prune"):
        published(build(tmp_path, ["a cat"]), Restless(), 1)


@pytest.mark.parametrize(("version", "refused"), [(1, False), (7, True)])
def test_a_version_there_that_cannot_be_read(version: int, refused: bool, tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat", "a bird"]), Shelf()
    drop_versions(store, keep=1)
    shelf.objects[manifest_path(version)] = b"{}"
    if refused:
        with pytest.raises(ConfigError, match=r"manifests/v000007\.json at the address cannot be read"):
            published(store, shelf, 2, "versions")
    else:
        assert published(store, shelf, 2, "versions").removed == (manifest_path(1),)


def test_a_manifest_is_published_as_it_stands_in_the_run(tmp_path: Path) -> None:
    store, shelf = build(tmp_path, ["a cat"]), Shelf()
    data = store.read(manifest_path(1)).replace(b"\n", b"\n ")
    store.write(manifest_path(1), data)
    published(store, shelf, 1)
    assert shelf.objects[manifest_path(1)] == data
    assert LatestPointer.model_validate_json(shelf.objects[LATEST_JSON]).sha256 == hashlib.sha256(data).hexdigest()


class Precondition(BaseHTTPRequestHandler):
    """Passes requests on to the emulator, and keeps Google's `ifGenerationMatch=0`, which the emulator does not."""

    protocol_version = "HTTP/1.1"

    def __init__(self, port: int, *args: object) -> None:
        self.port = port
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        wanted = parse_qs(urlsplit(self.path).query)
        if self.command == "POST" and wanted.get("ifGenerationMatch") == ["0"]:
            name = body.split(b'"name": "')[1].split(b'"')[0].decode()
            bucket = self.path.split("/b/")[1].split("/")[0]
            if self._ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", {}, b"")[0] == 200:
                self._answer(412, [], b'{"error":{"code":412,"message":"conditionNotMet"}}')
                return
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        self._answer(*self._ask(self.command, self.path, headers, body))

    do_GET = do_POST = do_PUT = do_DELETE = handle_one

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, list, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def _answer(self, status: int, headers: list, body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def gs_folder() -> Iterator[BucketFolder]:
    with gs_server("corpora", {"corpora/here": b"x"}):
        port = int(os.environ["STORAGE_EMULATOR_HOST"].rsplit(":", 1)[1])
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Precondition, port))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with environment(STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{server.server_port}"):
            policy = FetchPolicy(buckets=BucketPolicy(gs_anonymous=True))
            yield BucketFolder("gs://corpora/run", bucket_file_system("gs", policy))
        server.shutdown()
        server.server_close()


@contextmanager
def s3_folder(folder: Path) -> Iterator[BucketFolder]:
    with environment(**S3_KEYS), s3_server(folder, {"corpora/here": b"x"}) as endpoint:
        policy = FetchPolicy(buckets=BucketPolicy(s3_endpoint=endpoint))
        yield BucketFolder("s3://corpora/run/", bucket_file_system("s3", policy))


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_creates_once_and_tells_what_it_holds(scheme: str, tmp_path: Path) -> None:
    folders = {"s3": partial(s3_folder, tmp_path / "s3"), "gs": gs_folder}
    (tmp_path / "s3").mkdir()
    with folders[scheme]() as remote:
        assert (remote.size("a/b.json"), remote.read("a/b.json"), remote.list("a")) == (None, None, [])
        assert remote.create("a/b.json", b"first")
        assert not remote.create("a/b.json", b"second")
        # Past the look that comes first, the bucket itself refuses.
        with pytest.raises(OSError):
            remote.system.pipe_file(f"{remote.address}/a/b.json", b"third", mode="create")
        assert remote.read("a/b.json") == b"first"
        remote.write("a/b.json", b"over")
        (tmp_path / "local").write_bytes(b"x" * 3_000_000)
        remote.upload(tmp_path / "local", "a/c.tar")
        assert (remote.size("a/b.json"), remote.size("a/c.tar")) == (4, 3_000_000)
        assert remote.sha256("a/c.tar") == hashlib.sha256(b"x" * 3_000_000).hexdigest()
        assert remote.list("a") == ["a/b.json", "a/c.tar"]
        remote.delete("a/b.json")
        assert remote.list("a") == ["a/c.tar"]


class Blind(BucketFolder):
    """Sees no object until it tried to write one, as a builder does that comes at the same time as another."""

    tried = False

    def size(self, path: str) -> int | None:
        found = super().size(path) if self.tried else None
        self.tried = True
        return found


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_two_builders_at_once_one_of_them_creates(scheme: str, tmp_path: Path) -> None:
    folders = {"s3": partial(s3_folder, tmp_path / "s3"), "gs": gs_folder}
    (tmp_path / "s3").mkdir()
    with folders[scheme]() as remote:
        assert remote.create("manifests/v000001.json", b"first")
        assert not Blind(remote.address, remote.system).create("manifests/v000001.json", b"second")
        assert remote.read("manifests/v000001.json") == b"first"
