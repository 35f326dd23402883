"""gzip and zstd streams, unpacked while they are read; one that ends early or is damaged says how far it got."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import zstandard

# So little is given to an unpacker at a time that what comes out is bounded: deflate packs at most 1,032 : 1, and a
# zstd block of 4 bytes at most 128 KiB (RFC 8878, 3.1.1.2). Both come to about 32 MB.
GZIP_STEP_BYTES = 32 << 10
ZSTD_STEP_BYTES = 1 << 10
ZSTD_WINDOW_BYTES = 1 << 27
PACKED_SUFFIXES = (".gz", ".zst")


class BrokenStream(ValueError):
    """A packed file ends early or is damaged; what was unpacked before stands."""


def is_packed(name: str) -> bool:
    """Return whether a file's name says that it is packed."""
    return name.lower().endswith(PACKED_SUFFIXES)


def unpacked(packed: BinaryIO, name: str) -> BinaryIO:
    """Return the content of a packed file as a stream; a `read` returns what is there, at most as much as asked for.

    Reading from it raises BrokenStream where the content ends early or is damaged.
    """
    raw = (
        _Unpacked(packed, _gzip, GZIP_STEP_BYTES)
        if name.lower().endswith(".gz")
        else _Unpacked(packed, _zstd, ZSTD_STEP_BYTES)
    )
    # It reads as a BinaryIO does, and the buffered one of the library would lose what came before an error.
    return cast(BinaryIO, raw)


def _gzip() -> Any:
    return zlib.decompressobj(wbits=31)


def _zstd() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).decompressobj()


class _Unpacked(io.RawIOBase):
    """The members of a packed file one after the other, as one stream."""

    def __init__(self, packed: BinaryIO, new_unpacker: Callable[[], Any], step_bytes: int) -> None:
        super().__init__()
        self._packed = packed
        self._new_unpacker = new_unpacker
        self._step_bytes = step_bytes
        self._unpacker: Any = None
        self._input = b""
        self._ready = memoryview(b"")
        self._members = 0
        self._done_bytes = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._packed.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._fill():
                return 0
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        self._done_bytes += size
        return size

    def _fill(self) -> bool:
        """Unpack one step; return False at the end of the file."""
        data = self._input or self._packed.read(self._step_bytes)
        self._input = b""
        if self._unpacker is None:
            # Tools pad archives with zeros to a whole block.
            data = data.lstrip(b"\0") if self._members else data
            if not data:
                return self._more_or_end()
            self._unpacker = self._new_unpacker()
        elif not data:
            raise BrokenStream(f"the packed file ends early, after {self._done_bytes} unpacked bytes")
        try:
            self._ready = memoryview(self._unpacker.decompress(data))
        except (zlib.error, zstandard.ZstdError) as error:
            raise BrokenStream(
                f"the packed file is damaged, after {self._done_bytes} unpacked bytes ({error})"
            ) from error
        if self._unpacker.eof:
            self._input, self._unpacker = self._unpacker.unused_data, None
            self._members += 1
        return True

    def _more_or_end(self) -> bool:
        """Between members: return whether bytes follow the zeros just skipped."""
        if not self._members:
            raise BrokenStream("the packed file is empty")
        self._input = self._packed.read(self._step_bytes).lstrip(b"\0")
        return bool(self._input)
