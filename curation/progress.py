"""Progress out of band: workers append events to files under `progress/`; whoever watches counts them.

An engine gives no live counts that mean the same everywhere, so nothing here goes through one, and nothing here has
part in a digest.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Reporter(Protocol):
    """What workers tell a watcher."""

    def report(self, event: str, amounts: Mapping[str, float]) -> None: ...


class FileReporter:
    """Appends one JSON line per event to this process's own file under the run's `progress/` folder.

    Processes of several machines may have one number.
    """

    def __init__(self, run_root: str, stage: str) -> None:
        self._folder = Path(run_root) / "progress" / stage
        self._folder.mkdir(parents=True, exist_ok=True)

    def report(self, event: str, amounts: Mapping[str, float]) -> None:
        """Append the event; a line is one write, so that readers see whole lines only."""
        line = json.dumps({"event": event, **amounts}, sort_keys=True) + "\n"
        with (self._folder / f"{socket.gethostname()}-{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line)


def read_totals(run_root: Path, stage: str) -> dict[str, Counter[str]]:
    """Return event -> summed amounts (and `events`, their number) of all workers so far."""
    totals: dict[str, Counter[str]] = {}
    for path in sorted((run_root / "progress" / stage).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a worker was killed in the middle of its last line
            counter = totals.setdefault(entry.pop("event"), Counter())
            counter["events"] += 1
            counter.update({name: amount for name, amount in entry.items() if isinstance(amount, int | float)})
    return totals


def clear(run_root: Path, stage: str) -> None:
    """Forget the events of earlier attempts, so that a bar starts at what this attempt finds done."""
    for path in (run_root / "progress" / stage).glob("*.jsonl"):
        path.unlink(missing_ok=True)
