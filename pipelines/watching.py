"""Watching a job from outside: a bar on a terminal, plain lines elsewhere, both from the workers' progress files."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from curation.progress import read_totals

LOG = logging.getLogger("clipstrata")
POLL_S = 0.5
LINE_EVERY_S = 10.0

TITLES = {
    "render": "rendering the built-in world",
    "ingest": "ingest: cutting and scoring videos",
    "judge": "judge: histograms, tiers, duplicates",
    "shard": "shard: writing tars",
}


class Display(Protocol):
    """Where progress is shown."""

    def show(self, done: int, total: int) -> None: ...

    def close(self, seconds: float) -> None: ...


class BarDisplay:
    """A bar on a terminal."""

    def __init__(self, title: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(title, total=None)
        self._progress.start()

    def show(self, done: int, total: int) -> None:
        """Move the bar; a total of 0 is not known yet."""
        self._progress.update(self._task, completed=done, total=total or None)

    def close(self, seconds: float) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()


class LineDisplay:
    """Plain lines for logs, a few a minute."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last_line = time.monotonic()
        LOG.info("%s: started", title)

    def show(self, done: int, total: int) -> None:
        """Write a line when the last one is old enough."""
        now = time.monotonic()
        if total and now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            LOG.info("%s: %d of %d", self._title, done, total)

    def close(self, seconds: float) -> None:
        """Say how long it took."""
        LOG.info("%s: done in %.0f s", self._title, seconds)


class Watcher:
    """Shows a stage's progress while it runs.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    @contextmanager
    def watch(self, root: Path, stage: str) -> Iterator[None]:
        """Poll the progress files of a stage until the block ends."""
        if self.quiet:
            yield
            return
        display: Display = BarDisplay(TITLES[stage]) if sys.stderr.isatty() else LineDisplay(TITLES[stage])
        started, stop = time.monotonic(), threading.Event()
        thread = threading.Thread(target=_poll, args=(root, stage, display, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            display.show(*counts(root, stage))
            display.close(time.monotonic() - started)


def _poll(root: Path, stage: str, display: Display, stop: threading.Event) -> None:
    while not stop.wait(POLL_S):
        display.show(*counts(root, stage))


def counts(root: Path, stage: str) -> tuple[int, int]:
    """Return (done, total) of a stage; a total of 0 is not known."""
    totals = read_totals(root, stage)

    def amount(event: str, name: str) -> int:
        return int(totals.get(event, Counter())[name])

    done = amount("video", "events") + amount("resumed", "videos")
    return done or amount("shard", "events"), amount("planned", "videos")
