"""The bytes of a tar as `tarfile` writes them, and what is told of a disk or a clip that is not what it should be."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from curation.disk import Disk
from curation.packing import PackedSample
from curation.shard_tar import MediaDamaged, write_tar
from curation.store import LocalStore, StoreDamage, file_sha256
from schemas.run import media_path

CLIPS = [b"clip bytes", b"", b"x" * 512, b"longer than a piece" * 120_000]
NAMES = "abcd"


def sample(place: int, text: str | None) -> PackedSample:
    return PackedSample(
        sample_id=NAMES[place] * 26,
        facts=b'{"place":%d}\n' % place,
        text=text,
        media_sha256=hashlib.sha256(CLIPS[place]).hexdigest(),
        media_bytes=len(CLIPS[place]),
        duration_us=1,
        weights_1e4={},
    )


SAMPLES = [sample(0, "a dog"), sample(1, None), sample(2, "é" * 256), sample(3, "a cat")]
MEMBERS = {
    f"{'a' * 26}.json": b'{"place":0}\n',
    f"{'a' * 26}.mp4": CLIPS[0],
    f"{'a' * 26}.txt": b"a dog",
    f"{'b' * 26}.json": b'{"place":1}\n',
    f"{'b' * 26}.mp4": CLIPS[1],
    f"{'c' * 26}.json": b'{"place":2}\n',
    f"{'c' * 26}.mp4": CLIPS[2],
    f"{'c' * 26}.txt": "é".encode() * 256,
    f"{'d' * 26}.json": b'{"place":3}\n',
    f"{'d' * 26}.mp4": CLIPS[3],
    f"{'d' * 26}.txt": b"a cat",
}


class LyingDisk(Disk):
    """Writes one byte of the file another way than it was told to, or loses the end.

    Args:
        at: where; None leaves the last byte out.
    """

    def __init__(self, at: int | None) -> None:
        self.at = at

    def create(self, path: Path) -> BinaryIO:
        return _LyingFile(super().create(path), self.at)  # type: ignore[return-value]


class _LyingFile(io.RawIOBase):
    def __init__(self, file: BinaryIO, at: int | None) -> None:
        self.file = file
        self.at = at

    def write(self, data: bytes) -> int:  # type: ignore[override]
        place = -1 if self.at is None else self.at - self.file.tell()
        if 0 <= place < len(data):
            data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        return self.file.write(data)

    def close(self) -> None:
        if self.at is None and not self.file.closed:
            self.file.truncate(self.file.tell() - 1)
        self.file.close()
        super().close()


def new_store(root: Path, disk: Disk | None = None) -> LocalStore:
    store = LocalStore(root)
    for data in CLIPS:
        store.write(media_path(hashlib.sha256(data).hexdigest()), data)
    return LocalStore(root, disk)


def reference() -> bytes:
    """Return the same tar, made by `tarfile` alone."""
    buffer = io.BytesIO()
    with tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), 0, 0o444
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_the_bytes_are_those_of_tarfile(tmp_path: Path) -> None:
    tar = write_tar(SAMPLES, new_store(tmp_path))
    expected = reference()
    assert tar.path.read_bytes() == expected
    assert (tar.bytes, tar.sha256) == (len(expected), hashlib.sha256(expected).hexdigest())


# The first header, a clip, a padding, a text, the last clip, its middle, the end of the archive.
@pytest.mark.parametrize("at", [0, 1_024 + 512, 1_024 + 1_000, 3_072, 11_000, 1_500_000, len(reference()) - 1, None])
def test_what_reads_back_otherwise_is_refused(at: int | None, tmp_path: Path) -> None:
    with pytest.raises(StoreDamage, match="check the disk and run again"):
        write_tar(SAMPLES, new_store(tmp_path, LyingDisk(at)))


@pytest.mark.parametrize("changed", [b"clip bytez", b"clip bytes and more", b"clip"])
def test_a_changed_clip_is_named(changed: bytes, tmp_path: Path) -> None:
    store, path = new_store(tmp_path), media_path(hashlib.sha256(CLIPS[0]).hexdigest())
    store.write(path, changed)
    with pytest.raises(MediaDamaged, match=f"{path}.*delete it and run ingest again"):
        write_tar(SAMPLES, store)


def test_one_sample_and_its_tar_are_checked_too(tmp_path: Path) -> None:
    tar = write_tar(SAMPLES[:1], new_store(tmp_path))
    assert file_sha256(tar.path) == tar.sha256
