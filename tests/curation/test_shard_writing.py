"""Tars, side-cars, what is written again, and a writer that fails at every one of its steps."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curation.packing import PackedSample, npy_bytes
from curation.shard_tar import MediaDamaged
from curation.shard_writing import WrittenShard, content_digest, order_samples, write_shard
from curation.store import LocalStore
from schemas.canonical import sha256_hex
from schemas.run import media_path
from schemas.shards import ShardPlace, Sidecar, sidecar_path

MEDIA = b"clip bytes"
DIGEST = hashlib.sha256(MEDIA).hexdigest()
PLACE = ShardPlace(tier="clean", source="stock", bucket=3)
NPY = npy_bytes(np.asarray([1, 2], dtype="<f2").tobytes())


def sample(name: str, text: str | None = "a dog", embedding: bytes | None = None) -> PackedSample:
    return PackedSample(
        sample_id=name * 26,
        facts=b"{}\n",
        text=text,
        media_sha256=DIGEST,
        media_bytes=len(MEDIA),
        duration_us=1_000_000,
        weights_1e4={"stage1": 10_000, "stage2": 5_000},
        embedding=embedding,
    )


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "run")
    found.write(media_path(DIGEST), MEDIA)
    return found


def written(store: LocalStore, *samples: PackedSample) -> WrittenShard:
    return write_shard(samples, store, "tiny", PLACE)


def tar_of(store: LocalStore, shard: WrittenShard) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(store.read(shard.facts.path)))


def sidecar_of(store: LocalStore, shard: WrittenShard) -> Sidecar:
    return Sidecar.model_validate_json(store.read(sidecar_path(shard.facts.path)))


def test_members_are_sorted_and_carry_no_clock_or_user(store: LocalStore) -> None:
    shard = written(store, sample("b", None), sample("a", embedding=NPY))
    with tar_of(store, shard) as tar:
        members = tar.getmembers()
    a, b = "a" * 26, "b" * 26
    assert [member.name for member in members] == [
        f"{a}.json",
        f"{a}.mp4",
        f"{a}.txt",
        f"{a}.npy",
        f"{b}.json",
        f"{b}.mp4",
    ]
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o444)
    }
    data = store.read(shard.facts.path)
    assert (shard.facts.samples, shard.facts.duration_us, shard.facts.bytes) == (2, 2_000_000, len(data))
    assert shard.facts.sha256 == sha256_hex(data)
    assert shard.facts.path == f"shards/clean/stock/tiny-clean-stock-000003-{shard.facts.sha256[:8]}.tar"
    assert not shard.reused


def test_the_side_car_says_where_each_member_lies(store: LocalStore) -> None:
    shard = written(store, sample("b", None), sample("a", "x" * 700, NPY), sample("c"))
    sidecar, data = sidecar_of(store, shard), store.read(shard.facts.path)
    assert shard.facts.sidecar_sha256 == sha256_hex(store.read(sidecar_path(shard.facts.path)))
    assert (sidecar.shard, sidecar.shard_bytes, sidecar.sha256) == (shard.facts.path, len(data), shard.facts.sha256)
    found = {
        f"{key}.{suffix}": data[member.start : member.start + member.size]
        for place, key in enumerate(sidecar.keys)
        for suffix, member in sidecar.members(place).items()
    }
    with tar_of(store, shard) as tar:
        assert found == {member.name: tar.extractfile(member).read() for member in tar}
    assert len(found) == 9


def test_the_order_of_arrival_leaves_no_trace(store: LocalStore, tmp_path: Path) -> None:
    other = LocalStore(tmp_path / "other")
    other.write(media_path(DIGEST), MEDIA)
    assert written(store, sample("a"), sample("b")).facts == written(other, sample("b"), sample("a")).facts


def test_two_samples_with_one_id_are_refused(store: LocalStore) -> None:
    with pytest.raises(ValueError, match="two samples share the id"):
        written(store, sample("a"), sample("a", "another"))


@pytest.mark.parametrize("changed", [b"clip bytez", b"clip bytes and more", b"clip"])
def test_a_changed_clip_never_reaches_a_shard(changed: bytes, store: LocalStore) -> None:
    store.write(media_path(DIGEST), changed)
    with pytest.raises(MediaDamaged, match="delete it and run ingest again"):
        written(store, sample("a"))
    assert list(store.list("shards")) == []


CHANGES = {
    "another text": {"text": "a cat"},
    "no text": {"text": None},
    "other facts": {"facts": b'{"a":1}\n'},
    "an embedding": {"embedding": NPY},
    "another id": {"sample_id": "b" * 26},
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_content_is_a_new_version_beside_the_old_one(change: str, store: LocalStore) -> None:
    first = written(store, sample("a"))
    second = written(store, replace(sample("a"), **CHANGES[change]))
    assert not second.reused
    assert first.facts.path != second.facts.path
    assert len(list(store.list("shards"))) == 4


class Counting(LocalStore):
    """Counts what is opened, and what is moved into the store."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []
        self.placed: list[str] = []

    def open(self, path: str):  # type: ignore[no-untyped-def]
        self.opened.append(path)
        return super().open(path)

    def place(self, scratch: Path, path: str) -> None:
        self.placed.append(path)
        super().place(scratch, path)


def test_equal_content_is_written_once_and_read_no_more(store: LocalStore) -> None:
    first = written(store, sample("a"), sample("b"))
    counting = Counting(store.root)
    again = written(counting, sample("b"), sample("a"))
    assert (again.facts, again.reused) == (first.facts, True)
    assert (counting.opened, counting.placed) == ([], [])


@pytest.mark.parametrize("damage", ["missing", "short", "no side-car", "a torn side-car"])
def test_a_shard_that_is_not_whole_is_written_again(damage: str, store: LocalStore) -> None:
    first = written(store, sample("a"))
    before = store.read(first.facts.path)
    if damage == "missing":
        store.delete(first.facts.path)
    elif damage == "short":
        store.write(first.facts.path, before[:-512])
    elif damage == "no side-car":
        store.delete(sidecar_path(first.facts.path))
    else:
        path = sidecar_path(first.facts.path)
        store.write(path, store.read(path)[:-9])
    again = written(store, sample("a"))
    assert (again.facts, again.reused, store.read(first.facts.path)) == (first.facts, False, before)
    assert sha256_hex(store.read(sidecar_path(first.facts.path))) == first.facts.sidecar_sha256


def test_content_hangs_on_keys_and_members_alone() -> None:
    one = content_digest(order_samples([sample("b"), sample("a")]))
    assert one == content_digest([sample("a"), replace(sample("b"), duration_us=5)])
    assert one != content_digest([sample("a")])


def test_a_large_shard_takes_little_memory(tmp_path: Path) -> None:
    """Two gigabytes in a process of their own, whose peak is compared with that of a shard of two megabytes."""
    peaks = {count: _peak_bytes(tmp_path / str(count), count) for count in (1, 1_000)}
    assert peaks[1_000] - peaks[1] < 100_000_000, peaks


LARGE = """
import hashlib, sys
from benchmarks.memory import own_peak_bytes
from curation.packing import PackedSample
from curation.shard_writing import write_shard
from curation.store import LocalStore
from schemas.run import media_path
from schemas.shards import ShardPlace

store, count, media = LocalStore(sys.argv[1]), int(sys.argv[2]), bytes(2_000_000)
digest = hashlib.sha256(media).hexdigest()
store.write(media_path(digest), media)
samples = [
    PackedSample(sample_id=f"a{place:025d}", facts=b"{}" * 2_000, text="a dog", media_sha256=digest,
        media_bytes=len(media), duration_us=1, weights_1e4={"stage1": 1, "stage2": 1})
    for place in range(count)
]
facts = write_shard(samples, store, "large", ShardPlace(tier="clean", source="stock", bucket=0)).facts
assert facts.bytes > count * 2_000_000
print(own_peak_bytes())
"""


def _peak_bytes(folder: Path, count: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(folder), str(count)], check=True, capture_output=True, text=True
    )
    shutil.rmtree(folder)
    return int(done.stdout)
