"""Beam's worker pool, as a machine with others on it needs it: heard on this machine only, and leaving nothing behind.

Beam's own `worker_pool_main` (2.77) listens on every interface and starts workers for whoever asks, hands them no
pipeline options, takes `python` from the PATH, keeps workers whose task manager is gone, and mixes up the workers of
two task managers, which both call their first one the same.

`python -m pipelines.worker_pool PORT WORKER_BOOT` serves until it is stopped; one is enough for a machine.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from curation.media.linux import children_of

LOOPBACK = "127.0.0.1"
STATE_CACHE_BYTES = 100 << 20  # Beam's default of workers that are started by its own boot
_LOOK_EVERY_S = 2.0
_STOP_S = 10.0
# A worker's side of gRPC may ping as often as it likes; Beam's own pool sets the same.
_GRPC_OPTIONS = (("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0))


@dataclass(frozen=True, eq=False)
class _Worker:
    """A worker process.

    Attributes:
        name: as its task manager calls it; another one may call its own the same.
        peer: the connection over which it was asked for.
        control: where its task manager listens for it.
        folder: goes with it.
    """

    name: str
    peer: str
    process: subprocess.Popen[bytes]
    control: str
    folder: tempfile.TemporaryDirectory[str]

    def end(self) -> None:
        """Stop it, and all that it started."""
        end_group(self.process)
        self.folder.cleanup()


class ProcessPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts worker processes through Beam's own boot, which fetches their options from the engine.

    Args:
        boot: the executable that `make flink` builds.
    """

    def __init__(self, boot: Path) -> None:
        self._boot = boot
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()

    def StartWorker(
        self, request: beam_fn_api_pb2.StartWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start a worker."""
        # The boot leaves files where it is started and in /tmp, the same for all workers.
        folder = tempfile.TemporaryDirectory(prefix="clipstrata-worker-")
        command = [
            str(self._boot),
            f"--semi_persist_dir={folder.name}",
            f"--id={request.worker_id}",
            f"--logging_endpoint={request.logging_endpoint.url}",
            f"--artifact_endpoint={request.artifact_endpoint.url}",
            f"--provision_endpoint={request.provision_endpoint.url}",
            f"--control_endpoint={request.control_endpoint.url}",
        ]
        try:
            process = subprocess.Popen(
                command, cwd=folder.name, env=worker_environment(os.environ), start_new_session=True
            )
        except OSError as error:
            folder.cleanup()
            return beam_fn_api_pb2.StartWorkerResponse(error=f"worker {request.worker_id} cannot be started: {error}")
        worker = _Worker(request.worker_id, context.peer(), process, request.control_endpoint.url, folder)
        with self._lock:
            self._workers.append(worker)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(
        self, request: beam_fn_api_pb2.StopWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Stop the worker that was asked for over the same connection.

        Names alone are not enough: two task managers of one machine count from 1 each, and the one would end a worker
        of the other. Where the connection is a new one, `drop_orphans` does it.
        """
        self._end(lambda worker: (worker.name, worker.peer) == (request.worker_id, context.peer()))
        return beam_fn_api_pb2.StopWorkerResponse()

    def drop_orphans(self) -> list[str]:
        """Stop the workers that ended or whose task manager listens no more; return their names."""
        return self._end(lambda worker: worker.process.poll() is not None or not answers(worker.control))

    def close(self) -> None:
        """Stop all workers."""
        self._end(lambda worker: True)

    def _end(self, chosen: Callable[[_Worker], bool]) -> list[str]:
        with self._lock:
            workers = list(self._workers)
        ended = [worker for worker in workers if chosen(worker)]
        with self._lock:
            self._workers = [worker for worker in self._workers if worker not in ended]
        for worker in ended:
            worker.end()
        return [worker.name for worker in ended]


def worker_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of workers: the boot starts `python` from the PATH, and it must be this very Python."""
    own = str(Path(sys.executable).parent)
    path = inherited.get("PATH", "")
    return {
        **inherited,
        "PATH": f"{own}{os.pathsep}{path}",
        "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
    }


def answers(address: str) -> bool:
    """Return whether somebody listens at an address; one that is slow to answer is there."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_STOP_S):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group, its group and its children's: asked first, killed after some seconds."""
    # The boot gives the worker a group of its own, and a worker that hangs does not hear it.
    groups = [process.pid, *children_of(process.pid)]
    _signal_group(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    for group in groups:
        _signal_group(group, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


@contextmanager
def serving(servicer: beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer, port: int = 0) -> Iterator[str]:
    """Serve a pool on this machine only until the block ends; yields its address."""
    server = grpc.server(shared_unbounded_instance(), options=_GRPC_OPTIONS)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(servicer, server)
    bound = server.add_insecure_port(f"{LOOPBACK}:{port}")
    server.start()
    try:
        yield f"{LOOPBACK}:{bound}"
    finally:
        server.stop(grace=1).wait()


@contextmanager
def threads_here() -> Iterator[str]:
    """Serve workers that are threads of this process until the block ends; yields the pool's address."""
    pool = BeamFnExternalWorkerPoolServicer(use_process=False, state_cache_size=STATE_CACHE_BYTES)
    with serving(pool) as address:
        yield address


def main(port: int, boot: Path) -> None:
    """Serve worker processes until SIGTERM or SIGINT."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    pool = ProcessPool(boot)
    with serving(pool, port):
        while not stopped.wait(_LOOK_EVERY_S):
            pool.drop_orphans()
        pool.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
