"""A Flink session cluster on this machine, for trying and testing: `make flink-up` and `make flink-down`.

A JobManager, TaskManagers, one pool of Python workers and Beam's job server, out of what `make flink` installed, all
reachable from this machine only. Configuration, logs and the list of processes lie in one folder. A process is known as
the cluster's by a variable in its environment, which what it starts inherits: so stopping the cluster leaves none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MARK = "CLIPSTRATA_FLINK"
_START_S = 180.0
_STOP_S = 15.0
# What Flink's own start scripts open on Java 17.
_OPENS = (
    *("java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5"),
    *(f"java.base/java.{name}" for name in ("lang", "net", "io", "nio", "text", "time", "util", "lang.reflect")),
    *("java.base/sun.nio.ch", "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic"),
    "java.base/java.util.concurrent.locks",
)
_LOG4J = """
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %-60c %x - %m%n
"""


class ClusterError(RuntimeError):
    """The cluster cannot be started or does not answer."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where the cluster's parts listen, all on this machine only."""

    rest: int = 8081
    rpc: int = 6123
    pool: int = 50000
    job: int = 8099
    artifact: int = 8098


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster that runs, or could.

    Attributes:
        folder: its configuration, logs and scratch files.
        tools: what `make flink` installed.
        python: the interpreter of workers.
        slots: of each TaskManager, and so Python workers of each.
        settings: Flink's own, on top of config.yaml.
    """

    folder: Path
    tools: Path = ROOT / ".venv" / "engines"
    python: Path = Path(sys.executable)
    ports: Ports = Ports()
    slots: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def master(self) -> str:
        """What `--flink_master` takes."""
        return f"localhost:{self.ports.rest}"

    @property
    def flink(self) -> Path:
        """Flink's own files."""
        return self.tools / "flink" / "pyflink"

    @property
    def job_server_jar(self) -> Path:
        """Beam's job server."""
        return self.tools / "job-server.jar"

    def up(self, task_managers: int = 2) -> None:
        """Start everything and wait until it answers.

        Raises:
            ClusterError: it runs already, a tool is missing, or a part does not come up.
        """
        if self.processes():
            raise ClusterError(f"a cluster of {self.folder} runs already; `make flink-down` stops it")
        for path in (self.flink, self.job_server_jar, self.tools / "worker-boot"):
            if not path.exists():
                raise ClusterError(f"{path} is not there; `make flink` makes it")
        self.configure()
        try:
            self.start_job_manager()
            for number in range(1, task_managers + 1):
                self.start_task_manager(number)
            self.start_pool()
            self.start_job_server()
            self.wait_for_slots(task_managers * self.slots)
        except BaseException:
            self.down()
            raise

    def configure(self) -> None:
        """Write Flink's configuration."""
        for name in ("conf", "log", "tmp", "artifacts"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
        config["rest"]["port"] = self.ports.rest
        config["jobmanager"]["rpc"]["port"] = self.ports.rpc
        config["taskmanager"]["numberOfTaskSlots"] = self.slots
        config["io.tmp.dirs"] = config["blob.storage.directory"] = str(self.folder / "tmp")
        config["clipstrata"] = {
            "job-endpoint": f"localhost:{self.ports.job}",
            "worker-pool": f"localhost:{self.ports.pool}",
        }
        config.update(self.settings)
        (self.folder / "conf" / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (self.folder / "conf" / "log4j.properties").write_text(_LOG4J, encoding="utf-8")

    def start_job_manager(self) -> None:
        """Start the JobManager and wait until it answers."""
        main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._start("jobmanager", [*self._java("JM"), main, *self._arguments("JM"), "--executionMode", "cluster"])
        self._wait("the JobManager", self.answers)

    def start_task_manager(self, number: int) -> None:
        """Start a TaskManager; `wait_for_slots` waits for it."""
        main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self._start(f"taskmanager-{number}", [*self._java("TM"), main, *self._arguments("TM")])

    def start_pool(self) -> None:
        """Start the pool of Python workers."""
        boot = str(self.tools / "worker-boot")
        self._start("pool", [str(self.python), "-m", "pipelines.worker_pool", str(self.ports.pool), boot])
        self._wait("the worker pool", lambda: self._listens(self.ports.pool))

    def start_job_server(self) -> None:
        """Start Beam's job server."""
        command = ["java", "-Xmx1g", f"-Djava.io.tmpdir={self.folder / 'tmp'}"]
        command += ["-jar", str(self.job_server_jar), f"--flink-master={self.master}"]
        command += ["--job-host=localhost", f"--job-port={self.ports.job}", f"--artifact-port={self.ports.artifact}"]
        command += ["--expansion-port=0", f"--artifacts-dir={self.folder / 'artifacts'}"]
        self._start("job-server", command)
        self._wait("the job server", lambda: self._listens(self.ports.job))

    def wait_for_slots(self, slots: int) -> None:
        """Wait until TaskManagers offer as many slots."""
        self._wait(f"{slots} slots", lambda: self.overview()["slots-total"] >= slots)

    def down(self) -> None:
        """Stop every process of the cluster, and what they left running."""
        found = self.processes()
        for process in found:
            _quietly(process.terminate)
        psutil.wait_procs(found, timeout=_STOP_S)
        while rest := self.processes():
            for process in rest:
                _quietly(process.kill)
            psutil.wait_procs(rest, timeout=_STOP_S)

    def processes(self) -> list[psutil.Process]:
        """Return all processes that carry the cluster's mark."""
        return [process for process in psutil.process_iter() if _mark_of(process) == str(self.folder)]

    def process(self, name: str) -> psutil.Process:
        """Return the process that was started last under a name."""
        return psutil.Process(int((self.folder / f"{name}.pid").read_text()))

    def rest(self, path: str) -> Any:
        """Return what Flink's REST API says."""
        with urllib.request.urlopen(f"http://{self.master}{path}", timeout=10) as answer:
            return json.load(answer)

    def overview(self) -> dict[str, Any]:
        """Return the cluster's numbers of TaskManagers, slots and jobs."""
        return dict(self.rest("/overview"))

    def answers(self) -> bool:
        """Return whether the JobManager answers."""
        try:
            self.overview()
        except (OSError, ValueError):
            return False
        return True

    def _java(self, kind: str) -> list[str]:
        """Return the JVM's command line up to the main class, with the memory that Flink's own tool works out."""
        opens = [f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS]
        logs = f"-Dlog4j.configurationFile=file:{self.folder / 'conf' / 'log4j.properties'}"
        tmp = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        return ["java", *self._resources(kind)[0], *opens, logs, tmp, "-cp", self._classpath()]

    def _arguments(self, kind: str) -> list[str]:
        return ["--configDir", str(self.folder / "conf"), *self._resources(kind)[1]]

    def _resources(self, kind: str) -> tuple[list[str], list[str]]:
        """Return (flags of the JVM, settings for Flink); Flink's start scripts ask the same tool."""
        tool = f"{self.flink / 'bin' / 'bash-java-utils.jar'}{os.pathsep}{self._classpath()}"
        command = ["java", "-cp", tool, "org.apache.flink.runtime.util.bash.BashJavaUtils"]
        command += [f"GET_{kind}_RESOURCE_PARAMS", "--configDir", str(self.folder / "conf")]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_START_S).stdout
        lines = [line.split("BASH_JAVA_UTILS_EXEC_RESULT:", 1)[1] for line in told.splitlines() if "_RESULT:" in line]
        if len(lines) != 2:
            raise ClusterError(f"Flink's own tool works out no memory from {self.folder}/conf: {told[-500:]}")
        return lines[0].split(), lines[1].split()

    def _classpath(self) -> str:
        """Flink's own jars, and last Beam's: workers outlive a step only where Flink itself loaded Beam's classes."""
        jars = sorted([*(self.flink / "lib").glob("flink-dist-*.jar"), *(self.flink / "lib").glob("log4j-*.jar")])
        return os.pathsep.join(map(str, [*jars, self.job_server_jar]))

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder / "tmp",
                env={**os.environ, MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / f"{name}.pid").write_text(str(process.pid))

    def _listens(self, port: int) -> bool:
        own = {process.pid for process in self.processes()}
        found = psutil.net_connections(kind="tcp")
        return any(
            each.laddr.port == port and each.status == psutil.CONN_LISTEN and each.pid in own
            for each in found
            if each.laddr
        )

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_S
        while not _is_ready(ready):
            if time.monotonic() > deadline:
                raise ClusterError(f"{what} did not come up in {_START_S:.0f} s; see {self.folder}/log")
            time.sleep(0.2)


def _is_ready(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _mark_of(process: psutil.Process) -> str | None:
    try:
        mark: str | None = process.environ().get(MARK)
    except psutil.Error:
        return None
    return mark


def _quietly(do: Callable[[], None]) -> None:
    try:
        do()
    except psutil.NoSuchProcess:
        return


def main() -> int:
    """Start or stop the cluster of this working copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("--folder", type=Path, default=ROOT / ".flink", help="state and logs (default: .flink)")
    parser.add_argument("--task-managers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=1, help="of each TaskManager (default: 1)")
    arguments = parser.parse_args()
    cluster = Cluster(folder=arguments.folder.resolve(), slots=arguments.slots)
    if arguments.action == "down":
        cluster.down()
        return 0
    try:
        cluster.up(arguments.task_managers)
    except ClusterError as error:
        sys.stderr.write(f"cluster: {error}\n")
        return 1
    sys.stderr.write(f"up: clipstrata build CORPUS --out RUN -- --runner=FlinkRunner --flink_master={cluster.master}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
