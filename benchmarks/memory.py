"""What memory a measured process and all that it started hold."""

from __future__ import annotations

from pathlib import Path

import psutil


def own_peak_bytes() -> int:
    """Return the most memory that this process ever held; what getrusage tells counts its parent before exec too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def tree_memory_bytes(pid: int, with_root: bool = True) -> int:
    """Return the resident memory of a process and all below it, or of these only; shared pages count in each."""
    try:
        root = psutil.Process(pid)
        below = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return 0
    return sum(_memory_bytes(member) for member in ([root, *below] if with_root else below))


def _memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
