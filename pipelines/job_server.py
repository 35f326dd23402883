"""Beam's job servers, for Flink and Prism, for the length of one job.

Beam's own runners leave them running until the process ends (for Flink one per job), and for good when that is killed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
from apache_beam.runners.portability.prism_runner import PrismJobServer
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


def _ending_with_us(command: Sequence[str]) -> list[str]:
    """Return a command whose process ends with this one, however this one ends."""
    setpriv = shutil.which("setpriv")
    return [*([] if setpriv is None else [setpriv, "--pdeathsig", "KILL"]), *map(str, command)]


class FlinkServer(FlinkJarJobServer):
    """The job server of a jar."""

    def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
        """Return how it is started, and where it will listen."""
        command, endpoint = super().subprocess_cmd_and_endpoint()
        return _ending_with_us(command), endpoint


class PrismServer(PrismJobServer):
    """Prism, which is a job server and the engine behind it."""

    def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
        """Return how it is started, and where it will listen."""
        command, endpoint = super().subprocess_cmd_and_endpoint()
        return _ending_with_us(command), endpoint


@contextmanager
def job_server(kind: type[FlinkServer] | type[PrismServer], flags: GivenFlags) -> Iterator[str]:
    """Run a job server until the block ends; yields its address."""
    (port,) = pick_port(None)
    server = kind(PipelineOptions([*flags.flags, f"--job_port={port}"]))
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
