"""The tar of a shard: its bytes, how they come to the disk, and the check of what lies there.

A tar is a row of pieces: headers with small members, and clips, which go from the store into it without being held.
Written down is the digest of each piece; what lies on the disk afterwards is read back and compared piece by piece.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from curation.background import Background
from curation.packing import PackedSample
from curation.store import COPY_CHUNK_BYTES, Store, StoreDamage
from schemas.run import media_path
from schemas.shards import MEDIA_SUFFIX, MEMBER_SUFFIXES, TAR_BLOCK_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

SCRATCH = "shards"
# Threads that read a tar back; hashing leaves the interpreter to others.
CHECKERS = 2


class MediaDamaged(OSError):
    """A stored clip is not the one that its name says."""


@dataclass(frozen=True, kw_only=True)
class TarFacts:
    """A finished tar on the local disk."""

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What must lie at a place of a tar.

    Attributes:
        sha256: of its bytes, as 32 bytes.
        is_clip: it is a clip of the run, whose digest is that in the clip's name.
    """

    start: int
    size: int
    sha256: bytes
    is_clip: bool


@dataclass(frozen=True, slots=True)
class _Clip:
    sha256: str
    size: int


def write_tar(ordered: Sequence[PackedSample], store: Store) -> TarFacts:
    """Write a webdataset tar of samples by id into a scratch file and read it back; equal samples give equal bytes.

    Raises:
        MediaDamaged: a clip of the run does not have the digest in its name.
        StoreDamage: the file does not read back as it was written.
    """
    scratch, digest, pieces, start = store.scratch_file(SCRATCH), hashlib.sha256(), list[Piece](), 0
    # The tar is hashed beside the copying, which would take half as long again with it.
    with scratch.file as file, Background() as hashing:
        for part in _parts(ordered):
            if isinstance(part, _Clip):
                _copy_clip(part, store, file, digest, hashing)
                piece = Piece(start, part.size, bytes.fromhex(part.sha256), is_clip=True)
            else:
                file.write(part)
                hashing.do(digest.update, part)
                piece = Piece(start, len(part), hashlib.sha256(part).digest(), is_clip=False)
            pieces.append(piece)
            start += piece.size
    # Reading back needs no device, so bringing the file there goes on beside it.
    with Background() as flushing:
        flushing.do(store.flush, scratch.path)
        _check(scratch.path, pieces, store)
    return TarFacts(path=scratch.path, sha256=digest.hexdigest(), bytes=start)


def _parts(ordered: Sequence[PackedSample]) -> Iterator[bytes | _Clip]:
    """Yield the bytes of a tar in their order, those between two clips together."""
    held, total_bytes = io.BytesIO(), 0
    for sample in ordered:
        small = sample.small_members()
        for suffix in MEMBER_SUFFIXES:
            data = small.get(suffix)
            name = f"{sample.sample_id}.{suffix}"
            if suffix == MEDIA_SUFFIX:
                held.write(_header(name, sample.media_bytes))
                total_bytes += held.tell() + sample.media_bytes
                yield held.getvalue()
                yield _Clip(sample.media_sha256, sample.media_bytes)
                held = io.BytesIO()
                held.write(bytes(-sample.media_bytes % TAR_BLOCK_BYTES))
            elif data is not None:
                held.write(_header(name, len(data)))
                held.write(data)
                held.write(bytes(-len(data) % TAR_BLOCK_BYTES))
    held.write(bytes(2 * TAR_BLOCK_BYTES))
    held.write(bytes(-(total_bytes + held.tell()) % tarfile.RECORDSIZE))
    yield held.getvalue()


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    # No clock, no user, no umask: equal samples give equal bytes on every machine.
    member.mtime = 0
    member.mode = 0o444
    return member.tobuf(tarfile.USTAR_FORMAT)


def _copy_clip(clip: _Clip, store: Store, file: BinaryIO, digest: Hash, hashing: Background) -> None:
    path, left = media_path(clip.sha256), clip.size
    if store.size(path) != left:
        raise MediaDamaged(f"{path} has {store.size(path)} bytes, not {left}; {_MEND}")
    with store.open(path) as source:
        while left:
            data = source.read(min(left, COPY_CHUNK_BYTES))
            if not data:
                raise MediaDamaged(f"{path} ended {left} bytes early; {_MEND}")
            file.write(data)
            hashing.do(digest.update, data)
            left -= len(data)


_MEND = "delete it and run ingest again"


def _check(path: Path, pieces: Sequence[Piece], store: Store) -> None:
    """Read a tar back and compare each piece with what it must be.

    Raises:
        MediaDamaged: a clip is not what its name says, in the tar as in the store.
        StoreDamage: a piece reads back as something else than was written, or the file has another length.
    """
    end = pieces[-1].start + pieces[-1].size
    if path.stat().st_size != end:
        raise StoreDamage(f"{path} has {path.stat().st_size} bytes, written were {end}; check the disk and run again")
    shares = [
        pieces[place * len(pieces) // CHECKERS : (place + 1) * len(pieces) // CHECKERS] for place in range(CHECKERS)
    ]
    with ThreadPoolExecutor(CHECKERS) as pool:
        for wrong in pool.map(_first_wrong, [path] * CHECKERS, shares):
            if wrong is not None:
                raise _damage(path, wrong, store)


def _first_wrong(path: Path, pieces: Sequence[Piece]) -> Piece | None:
    """Return the first of neighbouring pieces of a file that has another digest."""
    with path.open("rb") as file:
        file.seek(pieces[0].start if pieces else 0)
        return next((piece for piece in pieces if _read_digest(file, piece.size) != piece.sha256), None)


def _read_digest(file: BinaryIO, size: int) -> bytes:
    """Return the SHA-256 of the next bytes of a file, fewer than asked for at its end."""
    digest = hashlib.sha256()
    while data := file.read(min(size, COPY_CHUNK_BYTES)):
        digest.update(data)
        size -= len(data)
    return digest.digest()


def _damage(path: Path, wrong: Piece, store: Store) -> OSError:
    if wrong.is_clip:
        clip = media_path(wrong.sha256.hex())
        with store.open(clip) as file:
            found = _read_digest(file, wrong.size)
        if found != wrong.sha256:
            return MediaDamaged(f"{clip} has the digest {found.hex()}; {_MEND}")
    return StoreDamage(
        f"{path} does not read back as it was written, from byte {wrong.start} on; check the disk and run again"
    )
