from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.job_server import PrismServer, local_flink_folder

# A process that starts what it is given as a job server would be started, and waits.
STARTER = """
import subprocess, sys
print(subprocess.Popen(sys.argv[1:]).pid, flush=True)
sys.stdin.read()
"""


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_server_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    server = tmp_path / "prism"
    server.write_text("#!/bin/sh\nexec sleep 600\n")
    server.chmod(server.stat().st_mode | stat.S_IEXEC)
    options = PipelineOptions([f"--prism_location={server}", "--job_port=18099"])
    command, endpoint = PrismServer(options).subprocess_cmd_and_endpoint()
    assert endpoint == "localhost:18099"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    started = psutil.Process(int(starter.stdout.readline()))
    wait_for(lambda: started.name() == "sleep")
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait(20)
    wait_for(lambda: not started.is_running() or started.status() == psutil.STATUS_ZOMBIE)


def test_flink_inside_a_job_server_is_told_to_listen_on_this_machine_only() -> None:
    with local_flink_folder() as folder:
        config = yaml.safe_load((folder / "config.yaml").read_text())
        hosts = {config[name] for name in ("rest.bind-address", "jobmanager.bind-host", "taskmanager.bind-host")}
        assert hosts == {"127.0.0.1"}
    assert not folder.exists()
