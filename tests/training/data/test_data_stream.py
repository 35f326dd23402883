"""Samples by step straight from shards: the same for every number of ranks, wherever they lie; never a wrong one."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from curation.shard_ranges import LocalRanges, open_ranges
from curation.shard_reading import ShardDamaged, ShardMissing, ShardOffContract
from schemas.fetching import BucketPolicy, FetchPolicy
from schemas.shards import sidecar_path
from tests.bucket_servers import S3_KEYS, environment, gs_server, s3_server
from tests.builders import built_with_fakes
from training.data import (
    BatchOptions,
    SampleStream,
    StreamOptions,
    plan_batches,
    read_index,
    read_run_manifest,
    shard_samples,
)
from training.data.shards import manifest_at

OPTIONS = BatchOptions(size=2, seed=5, stage=2, small_sources="leave_out")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_with_fakes(tmp_path_factory.mktemp("built")).root


@pytest.fixture
def run(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "run")
    return tmp_path / "run"


def stream(root: Path | str, options: StreamOptions | None = None, policy: FetchPolicy | None = None) -> SampleStream:
    ranges = open_ranges(root, policy)
    index = read_index(ranges, manifest_at(ranges, str(root)))
    return SampleStream(ranges, index, plan_batches(index.samples, OPTIONS), options)


def keys(found: SampleStream, steps: int, start: int = 0) -> list[tuple[str, ...]]:
    batches = itertools.islice(found.batches(start), steps)
    return [tuple(sample.key for sample in batch.samples) for batch in batches]


def test_the_index_knows_what_the_samples_say(built: Path) -> None:
    manifest = read_run_manifest(built)
    index = read_index(LocalRanges(built), manifest)
    read = list(shard_samples(built, manifest))
    assert [(one.key, one.source, one.tier, one.has_text, one.weights_1e4) for one in index.samples] == [
        (one.key, one.source, one.tier, one.text is not None, one.weights_1e4) for one in read
    ]
    assert {one.tier for one in read_index(LocalRanges(built), manifest, ["clean"]).samples} == {"clean"}


def test_the_index_of_a_shape_has_its_shards_alone(built: Path) -> None:
    manifest = read_run_manifest(built)
    first, *others = manifest.shards
    shaped = manifest.model_copy(update={"shards": (first.model_copy(update={"shape": "480p"}), *others)})
    assert [facts.path for facts, _ in read_index(LocalRanges(built), shaped, shapes=["480p"]).shards] == [first.path]
    assert read_index(LocalRanges(built), shaped, shapes=["240p"]).samples == ()


def test_a_sample_by_its_range_is_the_sample_of_the_whole_tar(built: Path) -> None:
    manifest = read_run_manifest(built)
    index = read_index(LocalRanges(built), manifest)
    plan = plan_batches(index.samples, OPTIONS)
    whole = {sample.key: sample for sample in shard_samples(built, manifest)}
    batches = list(itertools.islice(SampleStream(LocalRanges(built), index, plan).batches(), 6))
    assert [batch.step for batch in batches] == list(range(6))
    for batch in batches:
        planned = plan.batch_at(batch.step)
        assert [sample.key for sample in batch.samples] == [index.samples[place].key for place in planned.positions]
        assert (batch.source, batch.epoch) == (planned.source, planned.epoch)
        assert all(sample == whole[sample.key] for sample in batch.samples)


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_a_cut_stream_goes_on_with_other_ranks_and_threads(built: Path, cut: int) -> None:
    expected = keys(stream(built), 8)
    first = keys(stream(built, StreamOptions(threads=1, ahead=0)), cut)
    ranks = [keys(stream(built, StreamOptions(rank=rank, world=2, threads=3)), 8 - cut, cut) for rank in (0, 1)]
    assert all(len(part) == 1 for rank in ranks for part in rank), "every rank has as many of every batch"
    later = [tuple(key for pair in zip(*parts, strict=True) for key in pair) for parts in zip(*ranks, strict=True)]
    assert [*first, *later] == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (partial(StreamOptions, rank=2, world=2), "rank is 2 of 2"),
        (partial(StreamOptions, threads=0), "threads is 0"),
        (partial(StreamOptions, ahead=-1), "ahead -1"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: partial, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options()


def test_ranks_that_cannot_share_a_batch_are_refused(built: Path) -> None:
    with pytest.raises(ValueError, match="cannot be shared by 3 ranks"):
        stream(built, StreamOptions(world=3))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def stock_shard(run: Path) -> Path:
    return run / next(facts.path for facts in read_run_manifest(run).shards if facts.tier == "clean")


def test_a_changed_clip_is_refused_by_its_own_digest(run: Path) -> None:
    path = stock_shard(run)
    flip(path, path.read_bytes().index(b"video a0-2000000"))
    with pytest.raises(ShardOffContract, match=r"disagree with the shard in \['media_sha256'\]"):
        keys(stream(run), 8)


def test_changed_facts_are_refused_where_the_whole_shard_is_checked(run: Path) -> None:
    path = stock_shard(run)
    flip(path, path.read_bytes().index(b"a circle that is red"))
    with pytest.raises(ShardDamaged, match="digest"):
        keys(stream(run, StreamOptions(check="shard")), 8)
    assert keys(stream(run.parent / "run", StreamOptions(check="sample")), 1), "which the other check does not see"


def test_a_side_car_that_is_not_the_manifests_is_refused(run: Path) -> None:
    facts = read_run_manifest(run).shards[0]
    flip(run / sidecar_path(facts.path), 40)
    with pytest.raises(ShardDamaged, match="digest"):
        stream(run)
    (run / sidecar_path(facts.path)).unlink()
    with pytest.raises(ShardMissing, match="run verify"):
        stream(run)


def test_a_missing_or_cut_tar_is_named(run: Path) -> None:
    path = stock_shard(run)
    found = stream(run)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(ShardOffContract, match="cut short, or ranges are ignored"):
        keys(found, 8)
    path.unlink()
    with pytest.raises(ShardMissing, match=path.name):
        keys(found, 8)


def test_offsets_of_another_sample_are_refused(built: Path) -> None:
    ranges = LocalRanges(built)
    index = read_index(ranges, read_run_manifest(built))
    facts, sidecar = index.shards[0]
    moved = replace(index, shards=((facts, sidecar.model_copy(update={"keys": sidecar.keys[::-1]})), *index.shards[1:]))
    with pytest.raises(ShardOffContract, match="lies where its side-car says"):
        keys(SampleStream(ranges, moved, plan_batches(index.samples, OPTIONS)), 8)


class RangeHandler(BaseHTTPRequestHandler):
    """Serves a folder, and ranges of its files."""

    def __init__(self, root: Path, *args: object) -> None:
        self.root = root
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.root / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = self.headers.get("Range")
        if wanted:
            first, last = (int(word) for word in wanted.removeprefix("bytes=").split("-"))
            part = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
            data = part
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(built: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, built))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def objects(run: Path) -> dict[str, bytes]:
    files = [path for folder in ("shards", "manifests") for path in (run / folder).rglob("*") if path.is_file()]
    return {f"corpora/run/{path.relative_to(run).as_posix()}": path.read_bytes() for path in files}


def test_a_run_on_a_web_server_is_read_by_ranges(built: Path, served: str) -> None:
    assert keys(stream(served), 5) == keys(stream(built), 5)


def test_a_run_in_a_bucket_of_s3_is_read_by_ranges(built: Path, tmp_path: Path) -> None:
    with environment(**S3_KEYS), s3_server(tmp_path, objects(built)) as endpoint:
        policy = FetchPolicy(buckets=BucketPolicy(s3_endpoint=endpoint))
        assert keys(stream("s3://corpora/run", policy=policy), 5) == keys(stream(built), 5)


def test_a_run_in_a_bucket_of_google_is_read_by_ranges(built: Path) -> None:
    with gs_server("corpora", objects(built)):
        policy = FetchPolicy(buckets=BucketPolicy(gs_anonymous=True))
        assert keys(stream("gs://corpora/run", policy=policy), 5) == keys(stream(built), 5)


def test_another_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: a folder, or an address"):
        open_ranges("ftp://host/run")
