"""Small files that are whole or not there, and folders that outlive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def flush_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's list of names, are on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name beside it, rename it when it is on disk; an older one is replaced."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(data)
    flush_to_disk(unfinished)
    unfinished.replace(path)
    flush_to_disk(path.parent)
