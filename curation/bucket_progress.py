"""Progress in a bucket: each process keeps one object of its own sums, and writes it anew every few seconds.

A bucket cannot append, and a request for every event would cost more than many of them.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

WRITE_EVERY_S = 3.0

_log = logging.getLogger("clipstrata")


class Objects(Protocol):
    """What progress asks of a store."""

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, data: bytes) -> None: ...


class BucketReporter:
    """Sums up this process's events of a stage, and writes them a moment after one came."""

    def __init__(self, store: Objects, stage: str, *, write_every_s: float = WRITE_EVERY_S) -> None:
        self._store = store
        self._path = f"{folder_of(stage)}/{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
        self._write_every_s = write_every_s
        self._sums: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None

    def report(self, event: str, amounts: Mapping[str, float]) -> None:
        """Add an event."""
        with self._lock:
            counter = self._sums.setdefault(event, Counter())
            counter["events"] += 1
            counter.update(amounts)
            if self._timer is None:
                self._timer = threading.Timer(self._write_every_s, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what was reported so far; a bucket that refuses it costs the display, and no work."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
        # One after the other, so that an older sum never replaces a newer one.
        with self._writing:
            with self._lock:
                data = json.dumps(self._sums, sort_keys=True).encode("utf-8")
            try:
                self._store.write(self._path, data)
            except OSError as error:
                _log.warning("progress could not be written to %s: %s", self._path, error)


def folder_of(stage: str) -> str:
    """Return where the events of a stage lie, inside the run."""
    return f"progress/{stage}"


def add_sums(data: bytes, totals: dict[str, Counter[str]]) -> None:
    """Add the sums of one process to totals of event -> amounts."""
    for event, amounts in json.loads(data).items():
        totals.setdefault(event, Counter()).update(amounts)
