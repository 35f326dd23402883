"""One sample of a shard by one read of one range, from a folder, a bucket or a web server, as its side-car says."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any, Protocol

from curation.bucket_client import BUCKET_SCHEMES, bucket_file_system
from curation.shard_reading import ShardOffContract, ShardSample, sample_of
from schemas.fetching import FetchPolicy
from schemas.manifest import ShardFacts
from schemas.shards import TAR_BLOCK_BYTES, MemberRange, Sidecar


class Ranges(Protocol):
    """A run that can be read in pieces; paths are those of the run folder."""

    def read(self, path: str, start: int, size: int) -> bytes: ...

    def find(self, path: str) -> bytes | None: ...


class LocalRanges:
    """A run in a local folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def read(self, path: str, start: int, size: int) -> bytes:
        """Return `size` bytes of a file from `start` on, or fewer where it ends before.

        Raises:
            FileNotFoundError: it is not there.
        """
        with (self.root / path).open("rb") as file:
            file.seek(start)
            return file.read(size)

    def find(self, path: str) -> bytes | None:
        """Return a whole file, or None where there is none."""
        place = self.root / path
        return place.read_bytes() if place.is_file() else None


class RemoteRanges:
    """A run in a bucket or on a web server.

    Args:
        address: of the run folder: s3://, gs://, http:// or https://.
        system: the fsspec file system of that scheme.
    """

    def __init__(self, address: str, system: Any) -> None:
        self.address = address.rstrip("/")
        self.system = system

    def read(self, path: str, start: int, size: int) -> bytes:
        """Return `size` bytes of an object from `start` on.

        Raises:
            FileNotFoundError: it is not there.
        """
        return bytes(self.system.cat_file(f"{self.address}/{path}", start=start, end=start + size))

    def find(self, path: str) -> bytes | None:
        """Return a whole object, or None where there is none."""
        try:
            return bytes(self.system.cat_file(f"{self.address}/{path}"))
        except FileNotFoundError:
            return None


def open_ranges(root: Path | str, policy: FetchPolicy | None = None) -> Ranges:
    """Return a run's ranges, by what its address begins with.

    Args:
        root: a folder, or an address of s3, gs, http or https.
        policy: how buckets are reached (`fetch.buckets` of a corpus file).
    """
    scheme, separator, _ = str(root).partition("://")
    if not separator:
        return LocalRanges(root)
    if scheme in BUCKET_SCHEMES:
        return RemoteRanges(str(root), bucket_file_system(scheme, policy or FetchPolicy()))
    if scheme not in ("http", "https"):
        raise ValueError(f"{root}: allowed: a folder, or an address of s3, gs, http or https")
    import fsspec

    return RemoteRanges(str(root), fsspec.filesystem(scheme))


def read_sample(ranges: Ranges, facts: ShardFacts, sidecar: Sidecar, place: int) -> ShardSample:
    """Return the sample at a place of a shard; only its own range is read, and its clip is checked against its facts.

    Raises:
        ShardOffContract: what lies there is not that sample.
    """
    members, offset = sidecar.members(place), sidecar.offsets[place]
    end = max(member.start + member.size for member in members.values())
    data = ranges.read(facts.path, offset, end - offset)
    if len(data) != end - offset:
        raise ShardOffContract(
            facts.path, f"{len(data)} bytes came of the range {offset} to {end}; it is cut short, or ranges are ignored"
        )
    key = sidecar.keys[place]
    found = {suffix: _member(data, f"{key}.{suffix}", member, offset, facts) for suffix, member in members.items()}
    return sample_of(facts, key, found)


def _member(data: bytes, name: str, member: MemberRange, offset: int, facts: ShardFacts) -> bytes:
    start = member.start - offset
    try:
        header = tarfile.TarInfo.frombuf(data[start - TAR_BLOCK_BYTES : start], "ascii", "strict")
    except (tarfile.TarError, UnicodeDecodeError) as error:
        raise ShardOffContract(
            facts.path, f"no header of {name} at {member.start - TAR_BLOCK_BYTES}: {error}"
        ) from error
    if (header.name, header.size, header.isreg()) != (name, member.size, True):
        raise ShardOffContract(
            facts.path, f"{header.name!r} of {header.size} bytes lies where its side-car says {name} of {member.size}"
        )
    return data[start : start + member.size]
