"""The few things a store asks of a disk. A test hands in one that fails at a chosen step, as a killed process does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO


class Disk:
    """The local disk."""

    def create(self, path: Path) -> BinaryIO:
        """Open a new file for writing."""
        return path.open("wb")

    def flush(self, file: BinaryIO) -> None:
        """Bring what was written to the device."""
        file.flush()
        os.fsync(file.fileno())

    def flush_path(self, path: Path) -> None:
        """Bring a closed file to the device."""
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def rename(self, path: Path, target: Path) -> None:
        """Give a file its final name at once; an older file of that name is replaced."""
        os.replace(path, target)

    def link(self, path: Path, target: Path) -> None:
        """Give a file a second name.

        Raises:
            FileExistsError: something has that name.
        """
        os.link(path, target)

    def move(self, path: Path, target: Path) -> None:
        """Move a file, from another disk too."""
        shutil.move(path, target)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        path.unlink(missing_ok=True)
