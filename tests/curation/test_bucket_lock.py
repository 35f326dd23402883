from __future__ import annotations

import json
import threading
import time

import pytest

from curation.bucket_lock import BucketLock
from curation.store import StoreHeld

PATH = "progress/build.lock"


class Folder:
    """Objects in memory, each step under one lock, as a bucket has it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.turn = threading.Lock()

    def read(self, path: str) -> bytes | None:
        return self.objects.get(path)

    def write(self, path: str, data: bytes) -> None:
        self.objects[path] = data

    def create(self, path: str, data: bytes) -> bool:
        with self.turn:
            if path in self.objects:
                return False
            self.objects[path] = data
            return True

    def delete(self, path: str) -> None:
        self.objects.pop(path, None)


def lock_of(folder: Folder) -> BucketLock:
    return BucketLock(folder, PATH, beat_s=0.05, dead_after_s=0.6)


def test_a_living_holder_keeps_others_out_and_lets_go_at_its_end() -> None:
    folder = Folder()
    with lock_of(folder):
        time.sleep(0.2)
        with pytest.raises(StoreHeld, match=r"build.lock is held by process \d+ of "), lock_of(folder):
            pass
        assert json.loads(folder.objects[PATH])["beats"] > 1
    assert PATH not in folder.objects
    with lock_of(folder):
        pass


def test_the_lock_of_a_dead_holder_is_taken_over() -> None:
    folder = Folder()
    folder.objects[PATH] = b'{"host": "gone", "pid": 7, "token": "t", "beats": 3}'
    started = time.monotonic()
    with lock_of(folder):
        assert json.loads(folder.objects[PATH])["token"] != "t"
    assert time.monotonic() - started >= 0.6


def test_a_holder_that_was_taken_for_dead_neither_writes_nor_removes_the_new_one() -> None:
    folder = Folder()
    lock = lock_of(folder)
    with lock:
        lock.check()
        folder.objects[PATH] = b'{"token": "another"}'
        with pytest.raises(StoreHeld, match="taken over by another process"):
            lock.check()
        time.sleep(0.2)
        assert folder.objects[PATH] == b'{"token": "another"}'
    assert folder.objects[PATH] == b'{"token": "another"}'


def test_an_object_that_is_no_lock_counts_as_a_dead_one() -> None:
    folder = Folder()
    folder.objects[PATH] = b"[1"
    with lock_of(folder):
        assert b"token" in folder.objects[PATH]
