"""Processes of a Flink cluster are killed in the middle of a build: it ends, in time, and then in the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from curation.verify import verify_run
from deploy.flink.cluster import Cluster
from pipelines.run_folder import open_run
from schemas.corpus import load_corpus
from schemas.run import FLINK_JOB_JSON
from tests.builders import counted_digests
from tests.engines.engine_runs import cluster_in, end, finish, on, start, world_in

THREADS = ("--direct_running_mode=multi_threading", "--direct_num_workers=2")
CLIPS = 120
# Until a build that cannot go on says so: Flink's own patience with a JobManager that is gone is the longest.
GIVES_UP_S = 600

pytestmark = [pytest.mark.engines, pytest.mark.timeout(2400)]


class World:
    """A corpus, and what an undisturbed build of it with threads of one process comes to."""

    def __init__(self, folder: Path) -> None:
        self.corpus = world_in(folder / "in", CLIPS)
        finish("build", self.corpus, folder / "run", THREADS)
        self.digests = counted_digests(folder / "run")

    def is_whole(self, out: Path) -> None:
        """Assert that a run is the undisturbed one, and that nothing else is left in it."""
        assert counted_digests(out) == self.digests
        assert [path for path in (out / "tmp").rglob("*") if path.is_file()] == []
        assert not (out / FLINK_JOB_JSON).exists()
        config = load_corpus(self.corpus)
        assert verify_run(open_run(config, out).store, config).problems == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_in(tmp_path / "flink") as up:
        yield up


def wait_for(true: Callable[[], object], within_s: float = 240) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


def at_work(cluster: Cluster, world: World, out: Path, *flags: str) -> subprocess.Popen[str]:
    """Start a build on a cluster; returns once its first unit is there, and others are not."""
    process = start("build", world.corpus, out, on(cluster, *flags))
    wait_for(lambda: list(out.glob("units/*.json")) or process.poll() is not None)
    assert process.poll() is None, "it ended before it could be disturbed"
    return process


def workers(cluster: Cluster) -> list[psutil.Process]:
    """Return the processes that run Beam's Python worker."""
    return [
        process for process in cluster.processes() if "apache_beam.runners.worker.sdk_worker_main" in words(process)
    ]


def words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def busiest(cluster: Cluster, numbers: tuple[int, ...]) -> psutil.Process:
    """Return the TaskManager that serves workers: it listens for them."""
    managers = [cluster.process(f"taskmanager-{number}") for number in numbers]
    return max(managers, key=lambda each: len([c for c in each.net_connections("tcp") if c.status == "LISTEN"]))


def jobs(cluster: Cluster) -> list[str]:
    """Return the states of all jobs."""
    return [job["state"] for job in cluster.rest("/jobs/overview")["jobs"]]


def test_a_worker_is_killed(cluster: Cluster, world: World, tmp_path: Path) -> None:
    process = at_work(cluster, world, tmp_path / "run")
    workers(cluster)[0].kill()
    code, said = end(process)
    assert code == 0, said
    world.is_whole(tmp_path / "run")
    # Workers are kept a while behind a job, and then they are gone.
    wait_for(lambda: workers(cluster) == [])


def test_a_task_manager_is_killed_and_there_is_a_spare_one(world: World, tmp_path: Path) -> None:
    with cluster_in(tmp_path / "flink", task_managers=3) as cluster:
        process = at_work(cluster, world, tmp_path / "run", "--parallelism=2")
        busiest(cluster, (1, 2, 3)).kill()
        code, said = end(process)
        assert code == 0, said
        world.is_whole(tmp_path / "run")


def test_a_task_manager_is_killed_and_another_comes(cluster: Cluster, world: World, tmp_path: Path) -> None:
    process = at_work(cluster, world, tmp_path / "run")
    cluster.process("taskmanager-1").kill()
    time.sleep(5)
    cluster.start_task_manager(3)
    code, said = end(process)
    assert code == 0, said
    world.is_whole(tmp_path / "run")


def test_a_task_manager_is_killed_and_none_comes(world: World, tmp_path: Path) -> None:
    impatient = {"slot.request.timeout": 10_000}
    with cluster_in(tmp_path / "flink", settings=impatient) as cluster:
        process = at_work(cluster, world, tmp_path / "run")
        cluster.process("taskmanager-1").kill()
        code, said = end(process, GIVES_UP_S)
        assert code == 1, said
        # What is left of the cluster is enough for less at a time.
        wait_for(lambda: cluster.overview()["slots-total"] == 1)
        finish("build", world.corpus, tmp_path / "run", on(cluster))
        world.is_whole(tmp_path / "run")


def test_the_job_manager_is_killed(cluster: Cluster, world: World, tmp_path: Path) -> None:
    process = at_work(cluster, world, tmp_path / "run")
    cluster.process("jobmanager").kill()
    code, said = end(process, GIVES_UP_S)
    assert code == 1, said
    cluster.start_job_manager()
    cluster.wait_for_slots(2)
    finish("build", world.corpus, tmp_path / "run", on(cluster))
    world.is_whole(tmp_path / "run")


def test_the_job_server_is_killed(cluster: Cluster, world: World, tmp_path: Path) -> None:
    process = at_work(cluster, world, tmp_path / "run")
    cluster.process("job-server").kill()
    code, said = end(process, GIVES_UP_S)
    assert code == 1, said
    assert jobs(cluster) == ["CANCELED"]
    cluster.start_job_server()
    finish("build", world.corpus, tmp_path / "run", on(cluster))
    world.is_whole(tmp_path / "run")


def test_the_client_is_killed_and_the_rest_is_built_without_the_cluster(
    cluster: Cluster, world: World, tmp_path: Path
) -> None:
    process = at_work(cluster, world, tmp_path / "run")
    # Workers that hang: what is left of the job must not be over before it can be cancelled.
    for worker in workers(cluster):
        worker.suspend()
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    assert jobs(cluster) == ["RUNNING"]
    finish("build", world.corpus, tmp_path / "run", THREADS)
    assert jobs(cluster) == ["CANCELED"]
    world.is_whole(tmp_path / "run")
    wait_for(lambda: workers(cluster) == [])


def test_the_first_half_is_built_without_the_cluster(cluster: Cluster, world: World, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("build", world.corpus, out, THREADS)
    wait_for(lambda: list(out.glob("units/*.json")))
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    first = {path.name: path.stat().st_mtime_ns for path in out.glob("units/*.json")}
    finish("build", world.corpus, out, on(cluster))
    world.is_whole(out)
    assert first.items() <= {path.name: path.stat().st_mtime_ns for path in out.glob("units/*.json")}.items()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_the_job(number: signal.Signals, cluster: Cluster, world: World, tmp_path: Path) -> None:
    process = at_work(cluster, world, tmp_path / "run")
    process.send_signal(number)
    code, said = end(process, 240)
    assert code == 130, said
    assert "the same command goes on where it stopped" in said
    assert jobs(cluster) == ["CANCELED"]
    assert not (tmp_path / "run" / FLINK_JOB_JSON).exists()
    wait_for(lambda: workers(cluster) == [])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds a part of a run only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "clipstrata-test", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_disk_is_full(cluster: Cluster, world: World, small_disk: Path) -> None:
    """Not of one worker: the disk of the run, which all of them write to."""
    out = small_disk / "run"
    code, said = end(start("build", world.corpus, out, on(cluster)), GIVES_UP_S)
    assert code == 1, said
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    finish("build", world.corpus, out, on(cluster))
    world.is_whole(out)
