from __future__ import annotations

import gzip
import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.unpack import BrokenStream, is_packed, unpacked

PACKERS = {"a.gz": gzip.compress, "a.zst": zstandard.compress}
WORDS = b"".join(b"line %d\n" % number for number in range(20_000))


def read_all(data: bytes, name: str) -> bytes:
    found, stream = [], unpacked(io.BytesIO(data), name)
    while block := stream.read(1 << 20):
        found.append(block)
    return b"".join(found)


def read_until_broken(data: bytes, name: str) -> tuple[bytes, str]:
    found, stream = [], unpacked(io.BytesIO(data), name)
    with pytest.raises(BrokenStream) as caught:
        while block := stream.read(1 << 20):
            found.append(block)
    return b"".join(found), str(caught.value)


@pytest.mark.parametrize("name", PACKERS)
@given(members=st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_members_follow_each_other(name: str, members: list[bytes]) -> None:
    packed = b"".join(PACKERS[name](member) for member in members)
    assert read_all(packed, name) == b"".join(members)


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_a_stream_that_ends_early_gives_what_came_before_and_says_how_far_it_got(name: str, share: float) -> None:
    packed = PACKERS[name](WORDS)
    found, message = read_until_broken(packed[: int(len(packed) * share)], name)
    assert WORDS.startswith(found) and message == f"the packed file ends early, after {len(found)} unpacked bytes"
    assert found or share < 0.9


def test_a_flipped_bit_is_damage_and_no_content() -> None:
    packed = bytearray(gzip.compress(WORDS))
    packed[-6] ^= 1
    found, message = read_until_broken(bytes(packed), "a.gz")
    assert found == WORDS[: len(found)] and "damaged" in message


@pytest.mark.parametrize("name", PACKERS)
def test_what_follows_the_end(name: str) -> None:
    packed = PACKERS[name](b"words")
    assert read_all(packed + b"\0" * 512, name) == b"words"
    found, message = read_until_broken(packed + b"junk that is no member", name)
    assert found == b"words" and message.startswith("the packed file is damaged, after 5 unpacked bytes")


@pytest.mark.parametrize("name", PACKERS)
def test_an_empty_file_is_no_packed_file(name: str) -> None:
    assert read_until_broken(b"", name) == (b"", "the packed file is empty")


def test_a_bomb_comes_out_in_small_blocks() -> None:
    stream = unpacked(io.BytesIO(gzip.compress(b"\0" * (200 << 20), 9)), "a.gz")
    assert len(stream.read(1 << 20)) == 1 << 20
    assert len(stream._ready) < 64 << 20


def test_packed_files_are_told_by_their_names() -> None:
    assert [is_packed(name) for name in ("a.csv.gz", "b.ZST", "c.csv", "gz")] == [True, True, False, False]
