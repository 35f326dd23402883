"""Whole runs in buckets, as a user types it: the same bytes as in a folder, and everything that reads a run."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_runner import main
from curation.store import LocalStore, Store
from curation.stores import open_store
from curation.unit_parts import read_commit
from curation.unit_reading import read_part
from schemas.run import BUILD_LOCK, RUN_JSON, UNCOUNTED
from tests.bucket_servers import S3_KEYS, SECRET, environment, gs_server, s3_server
from tests.builders import counted_digests
from tests.pipelines.copied_films import make_films, write_corpus
from tests.searching import traces

pytestmark = pytest.mark.slow
FLAGS = ["--", "--direct_running_mode=in_memory", "--direct_num_workers=1"]
ADDRESSES = {"s3": "s3://corpora/films", "gs": "gs://corpora/films"}
STAGE_ONE = """
stage: 1
run: s3://corpora/films
out: stage1
model: tiny
batch_size: 1
steps: 2
small_sources: leave_out
optimiser: {peak_lr: 1.0e-3, warmup_steps: 1, fall: cosine, weight_decay: 0.01}
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_films(folder)
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def in_a_folder(films: Path) -> dict[str, str]:
    assert main(["build", str(films / "corpus.yaml"), "--out", str(films / "run"), *FLAGS]) == 0
    return counted_digests(films / "run")


@contextlib.contextmanager
def serving(scheme: str, folder: Path) -> Iterator[None]:
    """Serve an empty bucket `corpora` to this process and those that it starts."""
    with contextlib.ExitStack() as held:
        if scheme == "gs":
            held.enter_context(gs_server("corpora", {"corpora/other": b"x"}))
        else:
            folder.mkdir()
            held.enter_context(environment(**S3_KEYS))
            endpoint = held.enter_context(s3_server(folder, {"corpora/other": b"x"}))
            held.enter_context(environment(AWS_ENDPOINT_URL_S3=endpoint))
        yield


def digests(store: Store) -> dict[str, str]:
    paths = [path for path in store.list("") if path != RUN_JSON and path.split("/")[0] not in UNCOUNTED]
    return {path: hashlib.sha256(store.read(path)).hexdigest() for path in paths}


def assert_kept_out_elsewhere(films: Path, run: Path, suppressed: str) -> None:
    """A run of the same films in a folder keeps out what was taken down in a bucket."""
    for place in (suppressed, f"{suppressed}/000001.json"):
        corpus = write_corpus(films, suppress=[place])
        assert main(["ingest", str(corpus), "--out", str(run), *FLAGS]) == 0
        commits = [read_commit(LocalStore(run), path.stem) for path in (run / "units").iterdir()]
        rejects = [row for own in commits if own for row in read_part(LocalStore(run), own, "rejects")]
        assert "suppressed" in {row["reason"] for row in rejects}
    video = hashlib.sha256((films / "stock" / "second.mp4").read_bytes()).hexdigest()
    assert traces(run, [video]) == []


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_holds_what_a_folder_does(
    scheme: str, films: Path, in_a_folder: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = ADDRESSES[scheme]
    with serving(scheme, tmp_path / "s3"):
        build = ["build", str(films / "corpus.yaml"), "--out", address, *FLAGS]
        assert main(build) == 0
        assert f"page: {address}/report/index.html" in capsys.readouterr().out
        store = open_store(address)
        assert digests(store) == in_a_folder
        assert list(store.list("tmp")) == [] and not store.exists(BUILD_LOCK)
        assert main(["verify", address]) == 0
        assert main(["stats", address, "--json"]) == 0
        # What is missing in the bucket is made again, and nothing else.
        (shard, *_) = [path for path in store.list("shards") if path.endswith(".tar")]
        store.delete(shard)
        assert main(["verify", address]) == 1
        assert main(build) == 0
        assert digests(store) == in_a_folder


def test_a_run_in_a_bucket_is_a_base_is_taken_down_from_and_trained_on(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = ADDRESSES["s3"]
    with serving("s3", tmp_path / "s3"):
        assert main(["build", str(films / "corpus.yaml"), "--out", address, *FLAGS]) == 0
        corpus = write_corpus(films, base=f"{address}@1")
        assert main(["build", str(corpus), "--out", f"{address}-on-top", *FLAGS]) == 0
        write_corpus(films)
        selected = open_store(f"{address}-on-top").read("stats/statistics.json")
        assert b'"copies@1:' in open_store(f"{address}-on-top").read("manifests/v000001.json") and selected
        (tmp_path / "stage1.yaml").write_text(STAGE_ONE)
        assert main(["train", str(tmp_path / "stage1.yaml")]) == 0
        assert (tmp_path / "stage1" / "summary.json").is_file()
        (tmp_path / "ids.txt").write_text(f"file:{films / 'stock' / 'second.mp4'}\n")
        assert main(["takedown", address, "--ids", str(tmp_path / "ids.txt"), *FLAGS]) == 0
        assert main(["verify", address]) == 0
        assert main(["handoff", address]) == 2
        assert "allowed: a run in a folder of this machine" in capsys.readouterr().err
        assert_kept_out_elsewhere(films, tmp_path / "other", f"{address}/suppressed")
        corpus = write_corpus(films, suppress=[f"{address}/supressed"])
        assert main(["ingest", str(corpus), "--out", str(tmp_path / "third"), *FLAGS]) == 2
        assert f"suppress: {address}/supressed cannot be read" in capsys.readouterr().err
        write_corpus(films)
    video = hashlib.sha256((films / "stock" / "second.mp4").read_bytes()).hexdigest()
    held = tmp_path / "s3" / "corpora" / "films"
    assert traces(tmp_path / "s3" / "corpora" / "films-on-top", [video])
    assert traces(held, [video]) == []
    assert traces(tmp_path / "s3", [SECRET]) == []


def test_a_bucket_that_refuses_is_told_in_words(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("s3", tmp_path / "s3"):
        with environment(AWS_SECRET_ACCESS_KEY="wrong"):
            assert main(["stats", ADDRESSES["s3"]]) == 2
        told = capsys.readouterr().err
        assert "the bucket refuses or does not answer" in told and "wrong" not in told
        assert main(["build", str(films / "corpus.yaml"), "--out", "s3://nobody/films", *FLAGS]) == 2
        assert "bucket does not exist" in capsys.readouterr().err
        assert main(["stats", ADDRESSES["s3"]]) == 2
        assert "it holds no run.json" in capsys.readouterr().err
