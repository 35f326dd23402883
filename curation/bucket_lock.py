"""A lock in a bucket: an object that its holder writes anew every few seconds, so that a dead one is told.

Clocks of machines differ, so no time is written: whoever wants the lock watches whether the object changes. The lock
spares work, and its holder asks whether it still has it before it commits or removes anything. That two builders never
overwrite each other's version is the manifest's own affair: it is created only if absent.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from types import TracebackType
from typing import Protocol

from curation.store import StoreHeld

BEAT_S = 10.0
# So long the object must stand still: three beats, and the time that a slow bucket takes for them.
DEAD_AFTER_S = 40.0
_LOOK_S = 2.0


class Locked(Protocol):
    """What a lock asks of a folder in a bucket."""

    def read(self, path: str) -> bytes | None: ...

    def write(self, path: str, data: bytes) -> None: ...

    def create(self, path: str, data: bytes) -> bool: ...

    def delete(self, path: str) -> None: ...


class BucketLock:
    """A lock under a path, held for the length of a `with` block.

    Args:
        beat_s, dead_after_s: how often the holder writes, and after what time without a change it is dead.
    """

    def __init__(
        self, remote: Locked, path: str, *, beat_s: float = BEAT_S, dead_after_s: float = DEAD_AFTER_S
    ) -> None:
        self._remote = remote
        self._path = path
        self._beat_s = beat_s
        self._dead_after_s = dead_after_s
        self._holder = {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex}
        self._beats = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        """Take the lock.

        Raises:
            StoreHeld: somebody else has it and lives.
        """
        while not self._remote.create(self._path, self._told()):
            self._watch()
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        # What was done is done, also where the bucket answers no more: the lock is then taken for a dead one's.
        with contextlib.suppress(OSError):
            if self._is_ours():
                self._remote.delete(self._path)

    def check(self) -> None:
        """Ask whether the lock is still ours.

        Raises:
            StoreHeld: another has taken it over: this process was away, or cut off, for too long.
        """
        if not self._is_ours():
            raise StoreHeld(
                f"{self._path} was taken over by another process, because this one was not heard of for "
                f"{self._dead_after_s:.0f} s; run the command again"
            )

    def _is_ours(self) -> bool:
        return _document(self._remote.read(self._path)).get("token") == self._holder["token"]

    def _told(self) -> bytes:
        self._beats += 1
        return json.dumps({**self._holder, "beats": self._beats}, sort_keys=True).encode("utf-8")

    def _beat(self) -> None:
        while not self._stop.wait(self._beat_s):
            # A bucket that does not answer now may do so at the next beat. Where another has the lock, this one was
            # taken for dead: it writes nothing, and meets the manifest as it is.
            with contextlib.suppress(OSError):
                if self._is_ours():
                    self._remote.write(self._path, self._told())

    def _watch(self) -> None:
        """Return when the lock is gone or its holder is dead, and then removed.

        Raises:
            StoreHeld: the holder lives.
        """
        first = self._remote.read(self._path)
        until_s = time.monotonic() + self._dead_after_s
        while time.monotonic() < until_s:
            time.sleep(min(_LOOK_S, self._dead_after_s / 10))
            now = self._remote.read(self._path)
            if now is None:
                return
            if now != first:
                holder = _document(now)
                raise StoreHeld(f"{self._path} is held by process {holder.get('pid')} of {holder.get('host')}")
        if self._remote.read(self._path) == first:
            self._remote.delete(self._path)


def _document(data: bytes | None) -> dict[str, object]:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
