"""What a Flink cluster says of itself and its jobs, over its REST API, and how a job is cancelled there."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ASK_TIMEOUT_S = 10.0
CANCEL_TIMEOUT_S = 180.0
_ENDED = {"FINISHED", "CANCELED", "FAILED"}
_POLL_S = 0.3


class FlinkNotThere(ConnectionError):
    """Nobody answers as a JobManager at an address.

    Attributes:
        gone: nobody listens there, so that no job runs there either; else an answer may only be slow.
    """

    def __init__(self, message: str, *, gone: bool) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(frozen=True, kw_only=True)
class FlinkJob:
    """A job of a cluster.

    Attributes:
        tasks: how many of its tasks are in each state.
    """

    id: str
    name: str
    state: str
    tasks: Mapping[str, int]

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in _ENDED

    @property
    def told(self) -> str:
        """Its state for a progress line."""
        return f"Flink {self.state.lower()}, {self.tasks['finished']} of {self.tasks['total']} tasks finished"


@dataclass(frozen=True)
class Flink:
    """A cluster, by the address of its REST API: `host:port`, or with http:// before it."""

    master: str

    @property
    def url(self) -> str:
        """The address as a URL."""
        master = self.master.rstrip("/")
        return master if "://" in master else f"http://{master}"

    def slots(self) -> tuple[int, int]:
        """Return (slots of the cluster, most slots of one of its TaskManagers)."""
        managers = self._ask("/taskmanagers")["taskmanagers"]
        slots = [int(manager["slotsNumber"]) for manager in managers]
        return sum(slots), max(slots, default=0)

    def config(self) -> dict[str, str]:
        """Return the JobManager's configuration, keys of others than Flink included."""
        return {entry["key"]: entry["value"] for entry in self._ask("/jobmanager/config")}

    def job(self, name: str) -> FlinkJob | None:
        """Return the newest job of a name, or None."""
        found = [job for job in self._ask("/jobs/overview")["jobs"] if job["name"] == name]
        if not found:
            return None
        job = max(found, key=lambda each: int(each["start-time"]))
        return FlinkJob(id=job["jid"], name=name, state=job["state"], tasks=job["tasks"])

    def cancel(self, name: str, *, appears_within_s: float = 0.0) -> bool:
        """Cancel a job and wait until nothing of it runs; returns whether there was something to cancel.

        Args:
            appears_within_s: a job that was just sent off may need so long to be there.

        Raises:
            FlinkNotThere: nobody answers.
            TimeoutError: it does not end.
        """
        deadline = time.monotonic() + appears_within_s
        while (job := self.job(name)) is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        if job.ended:
            return False
        self._ask(f"/jobs/{job.id}?mode=cancel", method="PATCH")
        deadline = time.monotonic() + CANCEL_TIMEOUT_S
        while not job.ended:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"Flink job {job.id} at {self.url} is {job.state} and does not end; cancel it there")
            time.sleep(_POLL_S)
            job = self.job(name) or job
        return True

    def _ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=ASK_TIMEOUT_S) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            cause = getattr(error, "reason", None) or error
            gone = isinstance(cause, ConnectionRefusedError)
            raise FlinkNotThere(f"{self.url}: {cause}", gone=gone) from error
