"""Watching how much memory a sandbox takes."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import psutil

EVERY_S = 0.01
BYTES_PER_KB = 1024


class PeakMemory:
    """The most that everything below a process held at once, while the block runs.

    Of each process that lives, the most that it ever held counts (VmHWM), so that a peak between two looks is seen as
    well, unless the process came and went in between.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(EVERY_S):
            total = sum(_most_bytes(process.pid) for process in self._process.children(recursive=True))
            self.peak_bytes = max(self.peak_bytes, total)


def _most_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0  # it ended between two looks
    return sum(int(line.split()[1]) * BYTES_PER_KB for line in lines if line.startswith("VmHWM:"))
