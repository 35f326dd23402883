"""A JobManager's REST API with answers that a test sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TASKS = {"total": 42, "finished": 7}


@dataclass
class FakeFlink:
    """What the cluster would say.

    Attributes:
        cancelled: ids of jobs that were cancelled, in order.
        broken: every answer is an error.
        polls_to_end: how often a cancelled job is still told to be running.
    """

    slots: tuple[int, ...] = (1, 2)
    config: dict[str, str] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    polls_to_end: int = 0
    broken: bool = False
    port: int = 0

    @property
    def master(self) -> str:
        """What `--flink_master` takes."""
        return f"localhost:{self.port}"

    def add_job(self, name: str, state: str = "RUNNING", *, jid: str = "1", start: int = 0) -> None:
        """Have a job."""
        self.jobs.append({"jid": jid, "name": name, "state": state, "start-time": start, "tasks": TASKS})

    def answer(self, path: str) -> Any:
        """Return the answer to a GET."""
        if path == "/taskmanagers":
            return {"taskmanagers": [{"slotsNumber": slots} for slots in self.slots]}
        if path == "/jobmanager/config":
            return [{"key": key, "value": value} for key, value in self.config.items()]
        if path == "/jobs/overview":
            self._end_cancelled()
            return {"jobs": self.jobs}
        raise LookupError(path)

    def _end_cancelled(self) -> None:
        if self.cancelled and self.polls_to_end > 0:
            self.polls_to_end -= 1
            return
        for job in self.jobs:
            if job["jid"] in self.cancelled:
                job["state"] = "CANCELED"


@contextmanager
def serving_fake(fake: FakeFlink) -> Iterator[FakeFlink]:
    """Serve the API on this machine until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(fake.answer(self.path))

        def do_PATCH(self) -> None:
            fake.cancelled.append(self.path.removeprefix("/jobs/").removesuffix("?mode=cancel"))
            self._send({})

        def _send(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(500 if fake.broken else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
