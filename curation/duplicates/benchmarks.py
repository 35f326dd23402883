"""Hashes to decontaminate against: what is kept of a benchmark's clips, so that the videos need not be shared."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import parquet_bytes
from schemas.config_file import ConfigError

# A file says by it how its hashes were taken; another way gives other hashes, which would match nothing.
FORMAT = "clipstrata.hashes/2"
HASHES = pa.schema(
    [
        ("clip", pa.string()),
        ("duration_us", pa.int64()),
        ("content_sha256", pa.string()),
        ("frame_hashes", pa.binary()),
        ("hash_quality", pa.binary()),
    ],
    metadata={"format": FORMAT},
)


@dataclass(frozen=True, kw_only=True)
class HashedClip:
    """One clip of a benchmark.

    Attributes:
        clip: the video's path inside the benchmark, and `#1`, `#2`, ... for the further parts of a long one.
        frame_hashes, hash_quality: as a sample's (`schemas.records.Signals`), in bytes.
    """

    clip: str
    duration_us: int
    content_sha256: str
    frame_hashes: bytes
    hash_quality: bytes


def write_hashes(clips: Iterable[HashedClip]) -> bytes:
    """Return the file of a benchmark's clips; equal clips in any order give equal bytes."""
    return parquet_bytes([vars(clip) for clip in sorted(clips, key=lambda clip: clip.clip)], HASHES)


def read_hashes(path: Path) -> pl.DataFrame:
    """Return the clips of a file that `write_hashes` wrote, with the columns of HASHES.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    mend = "allowed: a file that `clipstrata hashes FOLDER --out FILE` wrote; write it anew"
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()))
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"hashes {path}: cannot be read ({error}); {mend}") from error
    told = (table.schema.metadata or {}).get(b"format", b"").decode("utf-8", "replace")
    if told != FORMAT or table.schema.names != HASHES.names:
        raise ConfigError(f"hashes {path}: is of format {told or 'unknown'!r}, not {FORMAT}; {mend}")
    return pl.DataFrame(pl.from_arrow(table))
