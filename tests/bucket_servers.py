"""Servers of buckets for tests: versitygw, which checks every signature of S3, and an emulator that speaks Google's.

versitygw is a Go program that `make versitygw` builds into the environment; without it, its tests are skipped.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest
from gcp_storage_emulator.server import create_server

VERSITYGW = Path(sys.prefix) / "bin" / "versitygw"
KEY, SECRET = "test-key", "canary-secret"
# As a machine with keys has them.
S3_KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
STARTED_WITHIN_S = 60.0


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set variables of this process for a while; file systems that know the old ones are forgotten."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    forget_file_systems()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        forget_file_systems()


def forget_file_systems() -> None:
    """Make fsspec build its file systems anew, with the keys of now."""
    for scheme in ("s3", "gs"):
        fsspec.get_filesystem_class(scheme).clear_instance_cache()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def s3_server(folder: Path, objects: Mapping[str, bytes]) -> Iterator[str]:
    """Serve `bucket/key` -> body from a folder, for the keys of S3_KEYS alone; yields the endpoint."""
    if not VERSITYGW.exists():
        pytest.skip("no versitygw in the environment; `make versitygw` builds it, and needs Go")
    for name in objects:
        (folder / name.partition("/")[0]).mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(VERSITYGW), "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(folder)]
    keys = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET, "PATH": os.environ["PATH"], "HOME": str(folder)}
    process = subprocess.Popen(command, env=keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        endpoint = f"http://127.0.0.1:{port}"
        put(fsspec.filesystem("s3", key=KEY, secret=SECRET, endpoint_url=endpoint), objects)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def put(system: Any, objects: Mapping[str, bytes]) -> None:
    """Upload `bucket/key` -> body."""
    for name, body in objects.items():
        system.pipe_file(name, body)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < until_s:
        assert process.poll() is None, f"versitygw ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.05)
    raise AssertionError(f"versitygw does not listen after {STARTED_WITHIN_S:.0f} s")


@contextlib.contextmanager
def gs_server(bucket: str, objects: Mapping[str, bytes]) -> Iterator[None]:
    """Serve `bucket/key` -> body to all file systems of this process that are made meanwhile."""
    port = free_port()
    with (
        create_server("127.0.0.1", port, in_memory=True, default_bucket=bucket),
        environment(STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{port}"),
    ):
        put(fsspec.filesystem("gs", token="anon"), objects)
        yield
