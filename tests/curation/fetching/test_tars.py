"""Members of tars: the right bytes and nothing else, from a local tar or one at an address."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from curation.fetching import FetchCache, Fetched, FetchError
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import fetch, new_fetcher, outcome, policy, reason_of, world


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def tar_bytes(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, body in members:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def usual() -> bytes:
    return tar_bytes(
        (member("a/one.mp4"), b"one" * 1000),
        (member("a/one.txt"), b"a caption"),
        (member("../../etc/two.mp4"), b"two"),
        (member("link.mp4", tarfile.SYMTYPE, link="/etc/passwd"), b""),
        (member("hard.mp4", tarfile.LNKTYPE, link="a/one.mp4"), b""),
        (member("pipe.mp4", tarfile.FIFOTYPE), b""),
        (member("device.mp4", tarfile.CHRTYPE), b""),
        (member("twice.mp4"), b"first"),
        (member("empty.mp4"), b""),
        (member("twice.mp4"), b"second"),
        (member("large.mp4"), bytes(1_000_001)),
        (member("last!name.mp4"), b"last"),
    )


CASES = {
    "a/one.mp4": b"one" * 1000,
    "a/one.txt": b"a caption",
    "../../etc/two.mp4": b"two",
    "last!name.mp4": b"last",
    "link.mp4": Reason.NOT_REGULAR_FILE,
    "hard.mp4": Reason.NOT_REGULAR_FILE,
    "pipe.mp4": Reason.NOT_REGULAR_FILE,
    "device.mp4": Reason.NOT_REGULAR_FILE,
    "twice.mp4": Reason.ID_CONFLICT,
    "empty.mp4": Reason.FILE_EMPTY,
    "large.mp4": Reason.FILE_TOO_LARGE,
    "absent.mp4": Reason.FILE_MISSING,
}


@pytest.mark.parametrize("name", CASES)
def test_a_member_is_copied_out_alone(name: str, tmp_path: Path) -> None:
    tar, folder = tmp_path / "some.tar", tmp_path / "out"
    tar.write_bytes(usual())
    folder.mkdir()
    found = fetch(f"tar:{tar}!{name}", folder)
    expected = CASES[name]
    if isinstance(expected, Reason):
        assert reason_of(found) == expected, found
    else:
        assert isinstance(found, Fetched), found
        assert (found.path.read_bytes(), found.is_copy) == (expected, True)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert set(files) <= {Path("some.tar"), Path("out/fetched")}
    assert tar.read_bytes() == usual()


BROKEN = {
    "cut off in the member": (usual()[:2000], Reason.TAR_BROKEN),
    "cut off before the member, in a header": (tar_bytes((member("x.mp4"), b"x"))[:1100], Reason.TAR_BROKEN),
    "cut off before the member, between two": (tar_bytes((member("x.mp4"), b"x"))[:1024], Reason.TAR_BROKEN),
    "no tar": (b"hello" * 1000, Reason.TAR_BROKEN),
    "a packed tar": (b"\x1f\x8b\x08\x00" + bytes(600), Reason.TAR_BROKEN),
    "empty": (b"", Reason.TAR_BROKEN),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_tar_is_told(name: str, tmp_path: Path) -> None:
    tar = tmp_path / "some.tar"
    data, reason = BROKEN[name]
    tar.write_bytes(data)
    assert reason_of(fetch(f"tar:{tar}!a/one.mp4", tmp_path)) == reason
    assert not (tmp_path / "fetched").exists()


def test_a_tar_that_is_a_pipe_or_not_there_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    assert reason_of(fetch(f"tar:{tmp_path}/pipe.tar!x", tmp_path)) == Reason.NOT_REGULAR_FILE
    assert reason_of(fetch(f"tar:{tmp_path}/none.tar!x", tmp_path)) == Reason.FILE_MISSING


@pytest.mark.parametrize("address", ["tar:/some.tar", "tar:!x", "tar:/some.tar!", "tar:tar:/some.tar!x!y"])
def test_an_address_that_names_no_member_is_refused(address: str, tmp_path: Path) -> None:
    assert reason_of(fetch(address, tmp_path)) == Reason.FIELD_INVALID


def test_a_tar_that_grew_is_read_again(tmp_path: Path) -> None:
    tar = tmp_path / "some.tar"
    tar.write_bytes(tar_bytes((member("a.mp4"), b"a")))
    fetcher = new_fetcher(policy(), world=world())
    assert fetcher.fetch(f"tar:{tar}!a.mp4", tmp_path).path.read_bytes() == b"a"
    tar.write_bytes(tar_bytes((member("b.mp4"), b"b" * 20_000)))
    assert fetcher.fetch(f"tar:{tar}!b.mp4", tmp_path).bytes == 20_000
    assert reason_of(outcome(f"tar:{tar}!a.mp4", tmp_path, fetcher.fetch)) == Reason.FILE_MISSING


def test_a_tar_at_an_address_is_fetched_once_for_all_its_members(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/some.tar": lambda asked: host.whole(asked, usual(), X_Robots_Tag="nosnippet")})
    fetcher = new_fetcher(policy(), cache=FetchCache(tmp_path / "cache"), world=world())
    for number, name in enumerate(("a/one.mp4", "last!name.mp4", "a/one.mp4")):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = fetcher.fetch(f"tar:{server.url('/some.tar')}!{name}", folder)
        assert found.path.read_bytes() == CASES[name]
        assert found.rights["x-robots-tag"] == "nosnippet"
    assert server.counts["/some.tar"] == 1


def test_why_a_tar_cannot_be_had_is_told(serve: Serve, tmp_path: Path) -> None:
    found = fetch(f"tar:{serve({}).url('/none.tar')}!a.mp4", tmp_path)
    assert isinstance(found, FetchError)
    assert found.reason == Reason.GONE
