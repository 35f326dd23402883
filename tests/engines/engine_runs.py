"""What tests of engines share: tools that must be there, clusters of their own, and builds with a deadline."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.flink.cluster import Cluster, Ports
from pipelines.engine import TOOLS

ROOT = Path(__file__).resolve().parents[2]
# `make engines` sets it: what it has built must be there.
REQUIRED = "CLIPSTRATA_ENGINES"
BUILD_S = 900

WORLD = """
corpus: world
sources:
  - {name: stock, origin: clean, format: synthetic, part: stock, location: world, text_kinds: [caption], licence: &l
      {name: CC0-1.0, basis: own, terms: made by clipstrata}}
  - {name: tags, origin: noisy, format: synthetic, part: tags, location: world, text_kinds: [title, tags], licence: *l}
  - {name: alt, origin: noisy, format: synthetic, part: alt_mined, location: world, text_kinds: [alt], licence: *l}
world: {seed: 3, clips: CLIPS}
clip: {short_side_px: 64}
videos_per_unit: 2
shards: {max_mb: 1}
"""


def world_in(folder: Path, clips: int = 60) -> Path:
    """Write the corpus file of a small built-in world."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus.yaml"
    corpus.write_text(WORLD.replace("CLIPS", str(clips)))
    return corpus


def need(target: str, *names: str) -> None:
    """Skip the test where a tool was not built; fail where it must have been."""
    missing = [name for name in names if not (TOOLS / name).exists()]
    if not missing:
        return
    reason = f"there is no {', '.join(missing)} in {TOOLS}; `make {target}` builds it"
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


def command(action: str, corpus: Path, out: Path | str, flags: tuple[str, ...]) -> list[str]:
    """Return the command line of a job."""
    return [sys.executable, "-m", "beam_runner", action, str(corpus), "--out", str(out), "--", *flags]


def start(action: str, corpus: Path, out: Path | str, flags: tuple[str, ...]) -> subprocess.Popen[str]:
    """Start a job in a session of its own; it hears interrupts even where a shell had them ignored."""
    return subprocess.Popen(
        command(action, corpus, out, flags),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_interrupts,
    )


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def end(process: subprocess.Popen[str], within_s: float = BUILD_S) -> tuple[int, str]:
    """Wait for a job; returns its exit code and what it said. One that hangs is killed and fails the test."""
    try:
        _, said = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
        pytest.fail(f"hung for {within_s:.0f} s; it said:\n{said[-3000:]}")
    return process.returncode, said


def finish(action: str, corpus: Path, out: Path | str, flags: tuple[str, ...], within_s: float = BUILD_S) -> str:
    """Run a job to its good end; returns what it said."""
    code, said = end(start(action, corpus, out, flags), within_s)
    assert code == 0, said[-3000:]
    return said


def free_ports() -> Ports:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(5)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        rest, rpc, pool, job, artifact = (each.getsockname()[1] for each in sockets)
    return Ports(rest=rest, rpc=rpc, pool=pool, job=job, artifact=artifact)


@contextmanager
def cluster_in(folder: Path, task_managers: int = 2, settings: Mapping[str, object] | None = None) -> Iterator[Cluster]:
    """A cluster of the test's own; afterwards none of its processes is left."""
    need("flink", "flink", "job-server.jar", "worker-boot")
    cluster = Cluster(folder=folder, tools=TOOLS, ports=free_ports(), settings=settings or {})
    cluster.up(task_managers)
    try:
        yield cluster
    finally:
        cluster.down()
    assert cluster.processes() == []


def on(cluster: Cluster, *flags: str) -> tuple[str, ...]:
    """Return the flags for a cluster."""
    return ("--runner=FlinkRunner", f"--flink_master={cluster.master}", *flags)


def heard_from_elsewhere(processes: list[psutil.Process]) -> list[str]:
    """Return the addresses, beyond this machine's own, on which processes listen."""
    pids = {process.pid for process in processes}
    return [
        f"{each.laddr.ip}:{each.laddr.port}"
        for each in psutil.net_connections("tcp")
        if each.pid in pids and each.status == psutil.CONN_LISTEN and not _is_own(each.laddr.ip)
    ]


def _is_own(address: str) -> bool:
    return address.removeprefix("::ffff:").startswith("127.") or address == "::1"
