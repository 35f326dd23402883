"""The headers of a tar from front to end, in little memory, and whether it ends as tars do."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, BinaryIO


class TarHeaders:
    """The members of a tar, one after the other; a context manager.

    Args:
        stream: stands at the beginning of a plain tar; one that can only be read on is read in one pass.

    Raises:
        tarfile.TarError: when it is opened, or while its members are iterated: it is no tar, or damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._recent = None if stream.seekable() else _Recent(stream)
        if self._recent is None:
            self._tar = _Forgetful.open(fileobj=stream, mode="r:")
        else:
            self._tar = _Forgetful.open(fileobj=self._recent, mode="r|")

    def __enter__(self) -> TarHeaders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Yield the members; a member's content can be had until the next one is asked for."""
        while (member := self._tar.next()) is not None:
            self._tar.members.clear()
            yield member

    def content(self, member: tarfile.TarInfo) -> IO[bytes] | None:
        """Return the content of the member that was yielded last; None where it is no file."""
        return self._tar.extractfile(member)

    def ends_whole(self) -> bool:
        """Return whether the block after the last member is the zeros that end a tar; the library stops at others, too.

        Without it the tar was cut off or damaged, and what is not in it may have been.
        """
        offset = self._tar.offset
        block = self._recent.block(offset) if self._recent is not None else self._block(offset)
        return block == bytes(tarfile.BLOCKSIZE)

    def _block(self, offset: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(tarfile.BLOCKSIZE)


class _Forgetful(tarfile.TarFile):
    """A tar whose list of members can be emptied: the library keeps every header that it has read."""

    members: list[tarfile.TarInfo]


class _Recent(io.RawIOBase):
    """A stream that can only be read on, with what was read last."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._kept = b""
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._kept = (self._kept + data)[-4 * tarfile.RECORDSIZE :]
        self._position += len(data)
        return data

    def block(self, offset: int) -> bytes:
        """Return the block at a place that was read lately."""
        start = offset - (self._position - len(self._kept))
        return self._kept[start : start + tarfile.BLOCKSIZE] if start >= 0 else b""
