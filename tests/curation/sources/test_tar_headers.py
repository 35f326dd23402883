"""The headers of a tar, from a file or from a stream that can only be read on."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Callable
from typing import BinaryIO

import pytest

from curation.sources.tar_headers import TarHeaders

FILES = {"one.txt": b"1", "two.mp4": b"2" * 700, "empty": b"", "x/" + "long" * 60 + ".txt": b"4"}


def tar_bytes(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


class OnlyOn(io.RawIOBase):
    """A stream without places, that gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 700) if size > 0 else size)


Opened = Callable[[bytes], BinaryIO]
BOTH = pytest.mark.parametrize("opened", [io.BytesIO, OnlyOn])


def names_of(stream: BinaryIO) -> tuple[list[str], bool | None]:
    """Return the members' names, and whether the tar ends whole; None where it raised."""
    names: list[str] = []
    try:
        with TarHeaders(stream) as tar:
            names.extend(member.name for member in tar)
            return names, tar.ends_whole()
    except tarfile.TarError:
        return names, None


@BOTH
def test_members_come_in_order_with_their_content(opened: Opened) -> None:
    with TarHeaders(opened(tar_bytes(FILES))) as tar:
        found = {}
        for member in tar:
            content = tar.content(member)
            found[member.name] = content.read() if content is not None else None
        assert found == FILES and tar.ends_whole()


@BOTH
def test_content_may_be_left_unread(opened: Opened) -> None:
    assert names_of(opened(tar_bytes(FILES))) == (list(FILES), True)


WHOLE = tar_bytes({"a": b"x" * 600, "b": b"y"})
# What is left of a tar of two members, of 1,536 and 1,024 bytes: (bytes, names, whole; None where it raises).
CUTS: dict[str, tuple[bytes, list[str], bool | None]] = {
    "the end mark is gone": (WHOLE[:2560], ["a", "b"], False),
    "half of the mark's first block": (WHOLE[:2800], ["a", "b"], False),
    "one block of the mark is enough": (WHOLE[:3072], ["a", "b"], True),
    "between two members": (WHOLE[:1536], ["a"], False),
    "inside a header": (WHOLE[:1800], ["a"], False),
    "inside a member": (WHOLE[:900], ["a"], None),
    "junk for a header": (WHOLE[:1536] + b"junk" * 128 + WHOLE[2048:], ["a"], False),
    "nothing": (b"", [], None),
    "no tar": (b"hello" * 500, [], None),
    "no member": (bytes(10_240), [], True),
}


@BOTH
@pytest.mark.parametrize("case", CUTS)
def test_what_is_left_of_a_tar_is_told(case: str, opened: Opened) -> None:
    data, names, whole = CUTS[case]
    assert names_of(opened(data)) == (names, whole)


def test_headers_are_not_kept() -> None:
    data = tar_bytes({f"{number}.txt": b"" for number in range(20_000)})
    tracemalloc.start()
    assert sum(1 for _ in TarHeaders(io.BytesIO(data))) == 20_000
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1_000_000
