"""Every engine writes the same bytes: from the same clips and scores, and from the same videos on this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.progress import read_totals
from deploy.flink.cluster import Cluster
from tests.builders import counted_digests
from tests.curation.media.make import write_test_video
from tests.engines.engine_runs import ROOT, cluster_in, end, finish, heard_from_elsewhere, need, on, start, world_in

PACK = ROOT.parent / "shared" / "realpack"
THREADS = ("--direct_running_mode=multi_threading", "--direct_num_workers=2")
ENGINES = ("processes", "prism", "flink local", "flink cluster")

LONG = """
corpus: long
sources:
  - {name: stock, origin: clean, format: csv, location: rows.csv, text_kinds: [caption], cutting: {no_span: windows,
      window_s: 2, stride_s: 2}, licence: {name: CC0-1.0, basis: own, terms: made for a test}}
"""

pytestmark = [pytest.mark.engines, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("flink")) as up:
        yield up


@pytest.fixture
def flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    engine: str = request.param
    if engine == "processes":
        return ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    if engine == "prism":
        need("prism", "prism")
        return ("--runner=PrismRunner",)
    if engine == "flink local":
        need("flink", "job-server.jar")
        return ("--runner=FlinkRunner", "--flink_master=[local]", "--parallelism=2")
    return on(request.getfixturevalue("cluster"))


class Runs:
    """One corpus: its run as far as ingest, and the digests of the whole, both with threads of this process."""

    def __init__(self, corpus: Path, folder: Path) -> None:
        self.corpus = corpus
        self.ingested = folder / "ingested"
        finish("ingest", corpus, self.ingested, THREADS)
        self.ingest_digests = counted_digests(self.ingested)
        whole = self.copied(folder / "whole")
        finish("shard", corpus, whole, THREADS)
        self.digests = counted_digests(whole)

    def copied(self, to: Path) -> Path:
        """Return a copy of the ingested run."""
        shutil.copytree(self.ingested, to)
        return to


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("world")
    return Runs(world_in(folder / "in"), folder)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    if not PACK.is_dir():
        pytest.skip("no ../shared/realpack beside the project: real videos are not here")
    return Runs(ROOT / "examples" / "realpack.yaml", tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A corpus whose long video is cut in pieces, and its digests where it is not."""
    folder = tmp_path_factory.mktemp("long")
    for name, seconds in (("long", 12), ("short", 2)):
        write_test_video(folder / f"{name}.mp4", seconds=seconds)
    (folder / "rows.csv").write_text("video,caption\nlong.mp4,a moving picture\nshort.mp4,one that moves\n")
    whole, pieces = folder / "whole.yaml", folder / "pieces.yaml"
    whole.write_text(LONG)
    pieces.write_text(f"{LONG}long_video_s: 4\n")
    finish("ingest", whole, folder / "run", THREADS)
    return pieces, counted_digests(folder / "run")


def counted(digests: dict[str, str]) -> set[str]:
    """Return the kinds of files among digests."""
    return {name.split("/")[0] for name in digests}


@pytest.mark.parametrize("flags", ENGINES, indirect=True)
@pytest.mark.parametrize("corpus", ["world", "pack"])
def test_the_same_clips_and_scores_give_the_same_bytes(
    corpus: str, flags: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    runs: Runs = request.getfixturevalue(corpus)
    out = runs.copied(tmp_path / "run")
    finish("shard", runs.corpus, out, flags)
    assert counted_digests(out) == runs.digests
    assert {"stats", "selection", "shards", "manifests", "duplicates"} <= counted(runs.digests)


@pytest.mark.parametrize("flags", ENGINES, indirect=True)
def test_the_same_videos_give_the_same_bytes(flags: tuple[str, ...], world: Runs, tmp_path: Path) -> None:
    out = tmp_path / "run"
    finish("ingest", world.corpus, out, flags)
    assert counted_digests(out) == world.ingest_digests
    assert {"media", "samples", "scores", "embeddings", "units"} <= counted(world.ingest_digests)


@pytest.mark.parametrize("flags", ENGINES, indirect=True)
def test_a_long_video_in_pieces_gives_the_bytes_of_one_go(
    flags: tuple[str, ...], long: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    corpus, digests = long
    out = tmp_path / "run"
    finish("ingest", corpus, out, flags)
    assert counted_digests(out) == digests
    assert read_totals(out, "ingest")["piece"]["events"] == 4, "opened, and cut in three"


def test_a_cluster_at_work_is_heard_on_this_machine_only(cluster: Cluster, world: Runs, tmp_path: Path) -> None:
    process = start("ingest", world.corpus, tmp_path / "run", on(cluster))
    heard: set[str] = set()
    listened = 0
    while process.poll() is None:
        found = cluster.processes()
        listened = max(listened, len(found))
        heard.update(heard_from_elsewhere(found))
        time.sleep(0.5)
    assert end(process)[0] == 0
    assert listened > 6, "its workers were looked at too"
    assert heard == set()
