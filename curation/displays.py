"""How long work shows itself: a bar on a terminal, plain lines a few times a minute elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG = logging.getLogger("clipstrata")
LINE_EVERY_S = 10.0


class Display(Protocol):
    """Where progress is shown; `note` is a short addition such as a loss or a rate."""

    def show(self, done: int, total: int, note: str = "") -> None: ...

    def close(self, seconds: float) -> None: ...


class BarDisplay:
    """A bar on a terminal."""

    def __init__(self, title: str) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(title, total=None, note="")
        self._progress.start()

    def show(self, done: int, total: int, note: str = "") -> None:
        """Move the bar; a total of 0 is not known yet."""
        self._progress.update(self._task, completed=done, total=total or None, note=note)

    def close(self, seconds: float) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()


class LineDisplay:
    """Plain lines for logs, a few a minute."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last_line = time.monotonic()
        LOG.info("%s: started", title)

    def show(self, done: int, total: int, note: str = "") -> None:
        """Write a line when the last one is old enough."""
        now = time.monotonic()
        if total and now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            LOG.info("%s: %d of %d%s", self._title, done, total, f", {note}" if note else "")

    def close(self, seconds: float) -> None:
        """Say how long it took."""
        LOG.info("%s: done in %.0f s", self._title, seconds)


class NoDisplay:
    """Shows nothing."""

    def show(self, done: int, total: int, note: str = "") -> None:
        """Do nothing."""

    def close(self, seconds: float) -> None:
        """Do nothing."""


def new_display(title: str) -> Display:
    """Return a bar where a person watches, lines where a log is written."""
    return BarDisplay(title) if sys.stderr.isatty() else LineDisplay(title)


NewDisplay = Callable[[str], Display]


@contextmanager
def shown(title: str, new_display: NewDisplay = new_display) -> Iterator[Display]:
    """Open a display for the length of a block, and close it with the seconds that it took."""
    display, started = new_display(title), time.monotonic()
    try:
        yield display
    finally:
        display.close(time.monotonic() - started)
