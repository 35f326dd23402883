"""Flink as the engine: what its traps ask for (docs/engines.md), and jobs that end when their build does."""

from __future__ import annotations

import json
import logging
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import grpc

from curation.store import Store
from curation.stores import open_store
from pipelines.flags import EngineOptionsError, GivenFlags
from pipelines.flink_rest import Flink, FlinkNotThere
from schemas.canonical import canonical_json
from schemas.run import FLINK_JOB_JSON, RunAddress

LOG = logging.getLogger("clipstrata")
# Where a cluster's own configuration says what clipstrata asks it for.
JOB_ENDPOINT_KEY = "clipstrata.job-endpoint"
WORKER_POOL_KEY = "clipstrata.worker-pool"
DEFAULT_POOL = "localhost:50000"
# The job server that `make flink` builds, and so the Flink that its jobs are for.
JOB_SERVER_JAR = "job-server.jar"
JOB_SERVER_VERSION = "2.62.0"
# Workers live on between the steps of a job: starting one takes seconds, and each step would. One that was killed is
# believed to live as long, so that a cluster must wait longer than this before it tries again.
_KEEP_WORKERS = {"environment_cache_millis": "5000"}
_NO_CLUSTER = ("", "[auto]", "[local]")
_TOLD_CHARS = 600
# So long a job that was sent off may need until the cluster knows it.
_APPEARS_WITHIN_S = 30.0


def on_cluster(given: GivenFlags) -> bool:
    """Return whether a job is for a cluster that runs by itself."""
    return given.value("flink_master").strip() not in _NO_CLUSTER


def flink_defaults(given: GivenFlags, tools: Path) -> tuple[str, ...]:
    """Return what must be added to the flags given.

    Raises:
        EngineOptionsError: no cluster answers, it has no slots, or no job server is at hand.
    """
    if not on_cluster(given):
        return _job_server(given, {}, tools)
    flink = Flink(given.value("flink_master").strip())
    try:
        (slots, own_slots), config = flink.slots(), flink.config()
    except FlinkNotThere as error:
        raise EngineOptionsError(
            f"--flink_master={given.value('flink_master')}: no Flink answers there ({error}); allowed: host:port of a "
            "JobManager's REST API, or [local]; start a cluster, for example by `make flink-up`"
        ) from error
    if not slots:
        raise EngineOptionsError(
            f"--flink_master={flink.master}: the cluster has no TaskManagers; allowed: one with free slots; start some"
        )
    defaults = {"parallelism": str(slots), "sdk_worker_parallelism": str(own_slots), **_KEEP_WORKERS}
    if not given.has("environment_type"):
        defaults["environment_type"] = "EXTERNAL"
        defaults["environment_config"] = config.get(WORKER_POOL_KEY, DEFAULT_POOL)
    return (*given.missing(defaults), *_job_server(given, config, tools))


def _job_server(given: GivenFlags, config: dict[str, str], tools: Path) -> tuple[str, ...]:
    """Return where the job server is: the user's word, then the cluster's, then the one that was built here."""
    if any(given.has(name) for name in ("job_endpoint", "flink_job_server_jar", "flink_submit_uber_jar")):
        return ()
    if JOB_ENDPOINT_KEY in config:
        return (f"--job_endpoint={config[JOB_ENDPOINT_KEY]}",)
    jar = tools / JOB_SERVER_JAR
    if not jar.is_file():
        raise EngineOptionsError(
            f"--runner=FlinkRunner: there is no job server; allowed: one that runs (--job_endpoint=HOST:PORT), or "
            f"Beam's jar (--flink_job_server_jar=FILE); `make flink` builds one as {jar}"
        )
    return (f"--flink_job_server_jar={jar}",)


def warn_of_versions(flags: GivenFlags, beam_version: str) -> None:
    """Say so where the job server is, or may be, the one that was built here: Beam does not release this pair."""
    if Path(flags.value("flink_job_server_jar")).name == JOB_SERVER_JAR or flags.has("job_endpoint"):
        _warn_once(beam_version)


@cache
def _warn_once(beam_version: str) -> None:
    LOG.info(
        "Flink: Beam %s with a job server of Beam %s is no combination that Beam releases; docs/engines.md says what "
        "was tried with it, and how to use Beam's own",
        beam_version,
        JOB_SERVER_VERSION,
    )


class JobFailed(RuntimeError):
    """A job on a cluster did not come to its end; what it committed stays."""


@dataclass(frozen=True, kw_only=True)
class FlinkSession:
    """One job on a cluster.

    Attributes:
        noted_in: the run in which the job is noted while it may run, so that a later build can end it; None notes
            nothing.
    """

    flink: Flink
    name: str
    noted_in: Store | None

    @contextmanager
    def ended_with_the_block(self) -> Iterator[None]:
        """Cancel the job when the block is left before its end, by whatever; SIGTERM is an interrupt here."""
        if self.noted_in is not None:
            noted = {"master": self.flink.master, "name": self.name, "sent_s": round(time.time())}
            self.noted_in.write(FLINK_JOB_JSON, canonical_json(noted))
        try:
            with _sigterm_interrupts():
                yield
        except KeyboardInterrupt:
            LOG.info("cancelling the Flink job")
            self._cancel(_APPEARS_WITHIN_S)
            raise
        except (RuntimeError, grpc.RpcError) as error:
            # A job that failed, or a job server that is gone and may have sent the job off.
            self._cancel(_APPEARS_WITHIN_S if isinstance(error, grpc.RpcError) else 0.0)
            raise JobFailed(
                f"the Flink job {self.name} at {self.flink.url} failed: {_told(error)}; the same command goes on where "
                "it stopped"
            ) from error
        except BaseException:
            self._cancel(0.0)
            raise
        self._forget()

    def _cancel(self, appears_within_s: float) -> None:
        """Cancel the job; the note stays where that cannot be done, and the next build sees to it."""
        try:
            self.flink.cancel(self.name, appears_within_s=appears_within_s)
        except (FlinkNotThere, TimeoutError) as error:
            LOG.error("the Flink job %s may still run: %s", self.name, error)
            return
        self._forget()

    def _forget(self) -> None:
        if self.noted_in is not None:
            self.noted_in.delete(FLINK_JOB_JSON)


def _told(error: Exception) -> str:
    details = error.details() if isinstance(error, grpc.Call) else str(error)
    return (details or "").strip().partition("\n")[0][:_TOLD_CHARS]


def new_job_name() -> str:
    """Return a name that no other job has."""
    return f"clipstrata-{secrets.token_hex(8)}"


def end_earlier_job(store: Store) -> None:
    """Cancel what a build that was killed left running on a cluster.

    A cluster whose JobManager is gone has no jobs any more.

    Raises:
        EngineOptionsError: it cannot be told whether the job runs, or it does not end.
    """
    if not store.exists(FLINK_JOB_JSON):
        return
    noted = json.loads(store.read(FLINK_JOB_JSON))
    flink, age_s = Flink(noted["master"]), time.time() - noted["sent_s"]
    try:
        if flink.cancel(noted["name"], appears_within_s=max(0.0, _APPEARS_WITHIN_S - age_s)):
            LOG.info("cancelled the Flink job %s of an earlier attempt", noted["name"])
    except (FlinkNotThere, TimeoutError) as error:
        if not getattr(error, "gone", False):
            raise EngineOptionsError(
                f"{store.address}/{FLINK_JOB_JSON}: the Flink job {noted['name']} of an earlier attempt may still run "
                f"({error}); allowed: no job at work in the run; cancel it there and run again, or remove that file if "
                "the cluster is no more"
            ) from error
        LOG.info("no Flink answers that could still run the job of an earlier attempt: %s", error)
    store.delete(FLINK_JOB_JSON)


def job_told(address: RunAddress) -> str:
    """Return the state of a run's Flink job for a progress line; nothing where none runs or nobody answers."""
    try:
        noted = json.loads(open_store(address).read(FLINK_JOB_JSON))
        job = Flink(noted["master"]).job(noted["name"])
    except (OSError, ValueError):
        return ""
    return "" if job is None else job.told


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
