"""Spooled rows: readers leave lines in files of the run's scratch folder, block by block, and names of blocks travel.

A file is written whole, once, under a name made of what was read and what came of it. Done again, a reader writes the
same file; what came of another reading stands under another name, and whoever meets both says so. Blocks are encrypted
with a key that the job alone holds: addresses with their signatures are in them, and those are stored nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from curation.store import Store
from schemas.ids import stable_id

# A reader holds about so much of lines before it writes a file.
FILE_BYTES = 16 << 20
_NONCE_BYTES = 12


class RowsLostError(RuntimeError):
    """Rows that were read did not arrive where they are worked on, or not as they were read."""


class Block(NamedTuple):
    """Where the rows of one bucket lie in one file.

    Attributes:
        origin: id of what was read: equal origins under two paths mean that it was read twice, with two results.
        path: of the file, inside the run.
        start, size: bytes of the block.
        rows: how many lines it holds.
    """

    origin: str
    path: str
    start: int
    size: int
    rows: int


def new_key() -> bytes:
    """Return a key for one job."""
    return AESGCM.generate_key(bit_length=128)


@dataclass(frozen=True, kw_only=True)
class RowSpool:
    """The spool of one job.

    Attributes:
        folder: inside the run; whoever starts the job removes it.
    """

    store: Store
    folder: str
    key: bytes = field(repr=False)

    def write(self, origin: str, lines: Mapping[int, list[bytes]]) -> dict[int, Block]:
        """Write one file of lines by bucket and return bucket -> its block."""
        packer = zstandard.ZstdCompressor()
        packed = {bucket: packer.compress(b"\n".join(lines[bucket])) for bucket in sorted(lines)}
        digest = hashlib.sha256()
        for bucket, data in packed.items():
            digest.update(b"%d %d " % (bucket, len(data)) + data)
        path = f"{self.folder}/{origin}-{digest.hexdigest()[:16]}"
        blocks, content = {}, bytearray()
        for bucket, data in packed.items():
            sealed = self._seal(data, path)
            blocks[bucket] = Block(origin, path, len(content), len(sealed), len(lines[bucket]))
            content += sealed
        self.store.write(path, bytes(content))
        return blocks

    def _seal(self, data: bytes, path: str) -> bytes:
        # Equal blocks of a file are equal bytes: a nonce stands for one content only, and never for two.
        nonce = hashlib.sha256(path.encode("ascii") + data).digest()[:_NONCE_BYTES]
        return nonce + AESGCM(self.key).encrypt(nonce, data, path.encode("ascii"))

    def read(self, block: Block) -> list[bytes]:
        """Return the lines of a block.

        Raises:
            RowsLostError: the file is gone, or does not hold what was written.
        """
        try:
            sealed = self.store.read_range(block.path, block.start, block.size)
            nonce, data = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            packed = AESGCM(self.key).decrypt(nonce, data, block.path.encode("ascii"))
        except (FileNotFoundError, InvalidTag, ValueError) as error:
            raise RowsLostError(
                f"{block.path} does not hold the {block.rows} rows that were written to it ({error!r}); was the run's "
                "tmp/ emptied, or is its disk full or broken? run the command again"
            ) from error
        lines = zstandard.decompress(packed).split(b"\n")
        if len(lines) != block.rows:
            raise RowsLostError(f"{block.path} holds {len(lines)} rows where {block.rows} were written")
        return lines


def whole_blocks(blocks: Iterable[Block]) -> list[Block]:
    """Return blocks once each, in an order of their own: what an engine delivers twice counts once.

    Raises:
        RowsLostError: one origin was read twice and was not the same.
    """
    found = sorted(set(blocks))
    _refuse_two_readings((block.origin, block.path) for block in found)
    return found


def rows_told(read: Iterable[tuple[str, str, int]]) -> int:
    """Return how many rows readers found: the sum over (origin, path, rows) of portions, each counted once.

    Raises:
        RowsLostError: one origin was read twice and was not the same.
    """
    told = set(read)
    _refuse_two_readings((origin, path) for origin, path, _ in told)
    return sum(rows for _, _, rows in told)


def _refuse_two_readings(files: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for origin, path in files:
        if seen.setdefault(origin, path) != path:
            raise RowsLostError(
                "a source changed while it was read: the same part of it was read twice and held other rows; run the "
                "command again when the source is at rest"
            )


def portions(origin: str, lines: Iterable[bytes], max_bytes: int = FILE_BYTES) -> Iterator[tuple[str, list[bytes]]]:
    """Yield (its own id, lines) of portions of what was read, each of about `max_bytes`.

    Args:
        origin: names what was read.
    """
    held: list[bytes] = []
    size = number = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= max_bytes:
            yield stable_id("portion", origin, number), held
            held, size, number = [], 0, number + 1
    if held:
        yield stable_id("portion", origin, number), held
