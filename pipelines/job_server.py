"""Beam's job server for Flink, for the length of one job.

Beam's own runner leaves one running per job until the process ends, and for good when that is killed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
from apache_beam.utils.subprocess_server import pick_port

from pipelines.flags import GivenFlags

# For Flink inside the job server, whose parts listen on every interface otherwise; deploy/flink/config.yaml has the
# same for a cluster.
_LOCAL_FLINK = {
    "rest.address": "localhost",
    "rest.bind-address": "127.0.0.1",
    "jobmanager.bind-host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    "taskmanager.memory.network.min": "256m",
    "taskmanager.memory.network.max": "256m",
    "taskmanager.network.sort-shuffle.min-buffers": 64,
}


class _OwnJobServer(FlinkJarJobServer):
    """Ends with this process, however that ends."""

    def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
        command, endpoint = super().subprocess_cmd_and_endpoint()
        setpriv = shutil.which("setpriv")
        return ([] if setpriv is None else [setpriv, "--pdeathsig", "KILL"]) + command, endpoint


@contextmanager
def job_server(flags: GivenFlags) -> Iterator[str]:
    """Run a job server until the block ends; yields its address."""
    (port,) = pick_port(None)
    server = _OwnJobServer(PipelineOptions([*flags.flags, f"--job_port={port}"]))
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop()


@contextmanager
def local_flink_folder() -> Iterator[Path]:
    """Yield a folder with the configuration of a Flink inside the job server."""
    with tempfile.TemporaryDirectory(prefix="clipstrata-flink-") as folder:
        (Path(folder) / "config.yaml").write_text(yaml.safe_dump(_LOCAL_FLINK), encoding="utf-8")
        yield Path(folder)
