from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc

from pipelines.worker_pool import ProcessPool, answers, serving, threads_here, worker_environment

Stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub
# In place of Beam's boot: notes its words and where it is, starts a child, and waits.
BOOT = """#!/bin/sh
echo "$@" > "$LOG/$$"
pwd > "$LOG/$$.folder"
sleep 600
"""


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "boot"
    path.write_text(BOOT)
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "log").mkdir()
    os.environ["LOG"] = str(tmp_path / "log")
    yield path
    del os.environ["LOG"]


@contextmanager
def asking(address: str) -> Iterator[Stub]:
    """A task manager: a connection of its own."""
    # Channels to one address share a connection otherwise.
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield Stub(channel)


def start(stub: Stub, control: str, name: str = "1-1") -> api.StartWorkerResponse:
    request = api.StartWorkerRequest(worker_id=name)
    request.control_endpoint.url = control
    request.provision_endpoint.url = "localhost:2"
    return stub.StartWorker(request)


def started(boot: Path, count: int) -> list[psutil.Process]:
    log = boot.parent / "log"
    wait_for(lambda: len(list(log.glob("*.folder"))) == count)
    return [psutil.Process(int(path.stem)) for path in sorted(log.glob("*.folder"), key=lambda p: p.stat().st_mtime)]


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_it_listens_on_this_machine_only() -> None:
    with threads_here() as address:
        port = int(address.rpartition(":")[2])
        found = [each for each in psutil.Process().net_connections("tcp") if each.laddr.port == port]
        assert {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN} <= {
            "127.0.0.1",
            "::ffff:127.0.0.1",
        }
        assert found
    assert not answers(address)


def test_a_worker_is_the_boot_with_where_its_options_are_and_goes_with_its_children(boot: Path) -> None:
    pool = ProcessPool(boot)
    with serving(pool) as address, asking(address) as stub:
        assert start(stub, address).error == ""
        (worker,) = started(boot, 1)
        words = (boot.parent / "log" / str(worker.pid)).read_text()
        assert "--id=1-1 " in words
        assert "--provision_endpoint=localhost:2" in words
        folder = Path((boot.parent / "log" / f"{worker.pid}.folder").read_text().strip())
        assert f"--semi_persist_dir={folder}" in words
        wait_for(lambda: len(worker.children()) == 1)
        family = [worker, *worker.children()]
        stub.StopWorker(api.StopWorkerRequest(worker_id="1-1"))
        wait_for(lambda: not any(map(lives, family)))
        assert not folder.exists()


def test_a_worker_that_hangs_in_a_group_of_its_own_goes_too(boot: Path) -> None:
    boot.write_text(BOOT.replace("sleep 600", "setsid sleep 600 & wait"))
    pool = ProcessPool(boot)
    with serving(pool) as address, asking(address) as stub:
        start(stub, address)
        (leader,) = started(boot, 1)
        wait_for(lambda: [child.name() for child in leader.children()] == ["sleep"])
        (child,) = leader.children()
        child.suspend()
        pool.close()
        wait_for(lambda: not lives(leader) and not lives(child))


def test_two_task_managers_that_call_their_workers_the_same_end_their_own(boot: Path) -> None:
    pool = ProcessPool(boot)
    with serving(pool) as address, asking(address) as one, asking(address) as other:
        start(one, address)
        (first,) = started(boot, 1)
        start(other, address)
        second = next(worker for worker in started(boot, 2) if worker.pid != first.pid)
        one.StopWorker(api.StopWorkerRequest(worker_id="1-1"))
        assert (lives(first), lives(second)) == (False, True)
        pool.close()
        assert not lives(second)


def test_a_worker_goes_when_its_task_manager_is_gone(boot: Path) -> None:
    pool = ProcessPool(boot)
    with serving(pool) as address, asking(address) as stub:
        with threads_here() as control:
            start(stub, control)
            (worker,) = started(boot, 1)
            assert pool.drop_orphans() == []
        assert pool.drop_orphans() == ["1-1"]
        assert not lives(worker)
        assert pool.drop_orphans() == []


def test_a_boot_that_is_not_there_is_told_to_who_asked(tmp_path: Path) -> None:
    with serving(ProcessPool(tmp_path / "none")) as address, asking(address) as stub:
        assert "cannot be started" in start(stub, address).error


def test_workers_run_this_python_whatever_the_path_says() -> None:
    found = worker_environment({"PATH": "/usr/bin", "OWN": "kept"})
    assert found["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    assert found["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    assert found["OWN"] == "kept"
