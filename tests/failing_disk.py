"""A disk that stops at a chosen step, as a process does that is killed there: from then on nothing is done any more."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from curation.disk import Disk


class Killed(BaseException):
    """The process is no more; no handler of errors may catch it."""


class FailingDisk(Disk):
    """Counts its steps and is dead from one of them on.

    Args:
        dies_at: the step, from 0; None never. A write that dies has written the first half of its bytes.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self.dies_at is not None and len(self.steps) > self.dies_at:
            raise Killed(name)

    def create(self, path: Path) -> BinaryIO:
        self.step("create")
        return _FailingFile(super().create(path), self)  # type: ignore[return-value]

    def flush(self, file: BinaryIO) -> None:
        self.step("flush")

    def flush_path(self, path: Path) -> None:
        self.step("flush")

    def rename(self, path: Path, target: Path) -> None:
        self.step("rename")
        super().rename(path, target)

    def link(self, path: Path, target: Path) -> None:
        self.step("link")
        super().link(path, target)

    def move(self, path: Path, target: Path) -> None:
        self.step("move")
        super().move(path, target)

    def remove(self, path: Path) -> None:
        self.step("remove")
        super().remove(path)


class _FailingFile(io.RawIOBase):
    def __init__(self, file: BinaryIO, disk: FailingDisk) -> None:
        self.file = file
        self.disk = disk

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            self.disk.step("write")
        except Killed:
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            raise
        return self.file.write(data)

    def close(self) -> None:
        self.file.close()
        super().close()
