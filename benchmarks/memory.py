"""What memory a measured process and all that it started hold."""

from __future__ import annotations

import psutil


def tree_memory_bytes(pid: int) -> int:
    """Return the resident memory of a process and all below it; pages that they share count in each."""
    try:
        root = psutil.Process(pid)
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_memory_bytes(member) for member in members)


def _memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
