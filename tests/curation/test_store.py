from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from curation.store import LocalStore, StoreConflict, StoreDamage


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("a/b.txt", b"one")
    store.write("a/b.txt", b"two")
    assert (store.read("a/b.txt"), store.size("a/b.txt"), store.exists("a/c.txt")) == (b"two", 3, False)
    assert list(store.list("a")) == ["a/b.txt"]
    assert list(store.list("tmp")) == []


def test_create_is_once_and_the_same_twice_is_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("v1.json", b"one")
    store.create("v1.json", b"one")
    with pytest.raises(StoreConflict, match="exists with other content"):
        store.create("v1.json", b"two")
    assert store.read("v1.json") == b"one"
    assert list(store.list("tmp")) == []


def test_adopting_moves_and_reads_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    local = tmp_path / "clip"
    local.write_bytes(b"clip")
    digest = hashlib.sha256(b"clip").hexdigest()
    store.adopt(local, "media/clip", digest)
    assert (store.read("media/clip"), local.exists()) == (b"clip", False)
    local.write_bytes(b"clip")
    store.adopt(local, "media/clip", digest)
    assert not local.exists()


def test_a_file_that_reads_back_otherwise_is_an_error(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    local = tmp_path / "clip"
    local.write_bytes(b"clip")
    with pytest.raises(StoreDamage, match="reads back as"):
        store.adopt(local, "media/clip", "0" * 64)


def test_a_torn_file_under_the_final_name_is_replaced(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    store.write("media/clip", b"cl")
    local = tmp_path / "clip"
    local.write_bytes(b"clip")
    store.adopt(local, "media/clip", hashlib.sha256(b"clip").hexdigest())
    assert store.read("media/clip") == b"clip"
