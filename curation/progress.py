"""Progress out of band: workers leave events under `progress/`; whoever watches counts them.

An engine gives no live counts that mean the same everywhere, so nothing here goes through one, and nothing here has
part in a digest.
"""

from __future__ import annotations

import functools
import json
import os
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from curation.bucket_progress import BucketReporter, add_sums, folder_of
from curation.stores import is_bucket, open_store
from schemas.run import RunAddress

Totals = dict[str, Counter[str]]


class Reporter(Protocol):
    """What workers tell a watcher."""

    def report(self, event: str, amounts: Mapping[str, float]) -> None: ...

    def flush(self) -> None: ...


class FileReporter:
    """Appends one JSON line per event to this process's own file under the run's `progress/` folder.

    Processes of several machines may have one number.
    """

    def __init__(self, run_root: str, stage: str) -> None:
        self._folder = Path(run_root) / folder_of(stage)
        self._folder.mkdir(parents=True, exist_ok=True)

    def report(self, event: str, amounts: Mapping[str, float]) -> None:
        """Append the event; a line is one write, so that readers see whole lines only."""
        line = json.dumps({"event": event, **amounts}, sort_keys=True) + "\n"
        with (self._folder / f"{socket.gethostname()}-{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)

    def flush(self) -> None:
        """Do nothing: an event is written when it comes."""


def new_reporter(address: RunAddress, stage: str) -> Reporter:
    """Return what tells of a stage's events, wherever the run lies."""
    return _bucket_reporter(str(address), stage) if is_bucket(address) else FileReporter(str(address), stage)


@functools.cache
def _bucket_reporter(address: str, stage: str) -> BucketReporter:
    """Return this process's reporter: many steps of a job ask for one."""
    return BucketReporter(open_store(address), stage)


def read_totals(address: RunAddress, stage: str) -> Totals:
    """Return event -> summed amounts (and `events`, their number) of all workers so far."""
    if is_bucket(address):
        return _bucket_totals(str(address), stage)
    totals: Totals = {}
    for path in sorted((Path(address) / folder_of(stage)).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a worker was killed in the middle of its last line
            counter = totals.setdefault(entry.pop("event"), Counter())
            counter["events"] += 1
            counter.update({name: amount for name, amount in entry.items() if isinstance(amount, int | float)})
    return totals


def _bucket_totals(address: str, stage: str) -> Totals:
    # What this process's own workers told in the last seconds counts as well.
    _bucket_reporter(address, stage).flush()
    store, totals = open_store(address), Totals()
    for path in store.list(folder_of(stage)):
        add_sums(store.read(path), totals)
    return totals


def clear(address: RunAddress, stage: str) -> None:
    """Forget the events of earlier attempts, so that a bar starts at what this attempt finds done."""
    _bucket_reporter.cache_clear()
    open_store(address).clear(folder_of(stage))
