from __future__ import annotations

import hashlib
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.packing import (
    FINE_BITS,
    MediaDamaged,
    PackedSample,
    Size,
    add_sizes,
    bits_wanted,
    levels_of,
    write_tar,
)
from curation.store import LocalStore
from schemas.corpus import ShardOptions
from schemas.run import media_path

MEDIA = b"clip bytes"
DIGEST = hashlib.sha256(MEDIA).hexdigest()


def sample(name: str, text: str | None = "a dog") -> PackedSample:
    return PackedSample(
        sample_id=name * 26,
        facts=b"{}\n",
        text=text,
        media_sha256=DIGEST,
        media_bytes=len(MEDIA),
        duration_us=1_000_000,
    )


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "run")
    found.write(media_path(DIGEST), MEDIA)
    return found


def test_members_are_sorted_and_carry_no_clock_or_user(store: LocalStore, tmp_path: Path) -> None:
    facts = write_tar([sample("b", None), sample("a")], store, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
    names = [f"{'a' * 26}.json", f"{'a' * 26}.mp4", f"{'a' * 26}.txt", f"{'b' * 26}.json", f"{'b' * 26}.mp4"]
    assert [member.name for member in members] == names
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o444)
    }
    assert (facts.samples, facts.duration_us, facts.bytes) == (2, 2_000_000, (tmp_path / "a.tar").stat().st_size)
    assert facts.sha256 == hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest()


def test_the_order_of_arrival_leaves_no_trace(store: LocalStore, tmp_path: Path) -> None:
    one = write_tar([sample("a"), sample("b")], store, tmp_path / "a.tar")
    other = write_tar([sample("b"), sample("a")], store, tmp_path / "b.tar")
    assert one.sha256 == other.sha256


def test_two_samples_with_one_id_are_refused(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two samples share the id"):
        write_tar([sample("a"), sample("a", "another")], store, tmp_path / "a.tar")


def test_a_changed_clip_never_reaches_a_shard(store: LocalStore, tmp_path: Path) -> None:
    store.write(media_path(DIGEST), b"clip bytez")
    with pytest.raises(MediaDamaged, match="delete it and run ingest again"):
        write_tar([sample("a")], store, tmp_path / "a.tar")


SIZES = st.dictionaries(
    st.integers(0, 2**FINE_BITS - 1), st.tuples(st.integers(1, 4), st.integers(1, 900_000)), max_size=40
)


@given(SIZES)
def test_the_fewest_bits_that_fit_are_taken(sizes: dict[int, Size]) -> None:
    options = ShardOptions(max_mb=1, max_samples=6)
    levels: dict[tuple[int, int], list[Size]] = {}
    for bucket, size in sizes.items():
        for key, same in levels_of(bucket, size):
            levels.setdefault(key, []).append(same)
    bits = max((bits_wanted(key[0], add_sizes(parts), options) for key, parts in levels.items()), default=0)

    def fits(wanted: int) -> bool:
        coarse: dict[int, list[Size]] = {}
        for bucket, size in sizes.items():
            coarse.setdefault(bucket >> (FINE_BITS - wanted), []).append(size)
        sums = [(sum(size[0] for size in parts), sum(size[1] for size in parts)) for parts in coarse.values()]
        return all(samples <= 6 and total_bytes <= 1_000_000 for samples, total_bytes in sums)

    assert bits == FINE_BITS or fits(bits)
    assert bits == 0 or not fits(bits - 1)


def test_facts_of_another_text_change_the_digest(store: LocalStore, tmp_path: Path) -> None:
    one = write_tar([sample("a")], store, tmp_path / "a.tar")
    other = write_tar([replace(sample("a"), text="a cat")], store, tmp_path / "b.tar")
    assert one.sha256 != other.sha256
