"""Decoded frames on disk: memory maps and an index, whole or not there at all, for one manifest and one frame plan."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media import FramePlan
from curation.shard_reading import ShardSample
from curation.store import file_sha256
from schemas.canonical import canonical_json
from schemas.manifest import Manifest
from schemas.run import RunAddress
from training.data.frames import FRAME_RULE, ClipRefused, read_frames
from training.data.shards import manifest_digest, shard_samples

CACHE_SCHEMA = "clipstrata.decoded/2"
INDEX_JSON = "index.json"
SAMPLES_PER_FILE = 512


class CacheRefused(OSError):
    """A decoded cache is not the one that is wanted, or not whole."""


@dataclass(frozen=True, kw_only=True)
class CachedSample:
    """A sample without its media; the fields are those of `ShardSample`."""

    key: str
    source: str
    tier: str
    shard: str
    facts: dict[str, Any]
    text: str | None
    weights_1e4: dict[str, int]

    @property
    def has_text(self) -> bool:
        """Whether the sample has a text to train on."""
        return self.text is not None


@dataclass(frozen=True, kw_only=True)
class CacheIdentity:
    """What a cache was made of; a cache with another identity is another cache."""

    manifest_sha256: str
    plan: FramePlan
    tiers: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the identity as the index states it."""
        return {
            "schema": CACHE_SCHEMA,
            "manifest_sha256": self.manifest_sha256,
            "frames": self.plan.count,
            "size_px": self.plan.size_px,
            "frame_rule": FRAME_RULE,
            "tiers": None if self.tiers is None else sorted(self.tiers),
        }


class DecodedCache:
    """An opened cache.

    Attributes:
        samples: all samples, in the order of the manifest's shards.
    """

    def __init__(self, samples: Sequence[CachedSample], maps: Sequence[NDArray[np.uint8]], per_file: int) -> None:
        self.samples = tuple(samples)
        self._maps = tuple(maps)
        self._per_file = per_file

    def frames(self, positions: Sequence[int]) -> NDArray[np.uint8]:
        """Return copies of the frames of samples: uint8 [len(positions), T, S, S, 3] RGB."""
        places = [divmod(position, self._per_file) for position in positions]
        return np.stack([self._maps[file][row] for file, row in places])


def ensure_cache(
    folder: Path,
    root: RunAddress,
    manifest: Manifest,
    plan: FramePlan,
    tiers: Sequence[str] | None = None,
    on_sample: Callable[[int], None] | None = None,
) -> DecodedCache:
    """Open the cache at `folder`, or make it of the run's shards if nothing is there.

    Args:
        on_sample: is told how many samples are decoded, after each one.

    Raises:
        CacheRefused: something else is there.
        ShardRefused: a shard cannot be read.
        ClipRefused: a clip does not give its frames.
    """
    identity = CacheIdentity(
        manifest_sha256=manifest_digest(manifest), plan=plan, tiers=None if tiers is None else tuple(tiers)
    )
    if not folder.exists():
        write_cache(folder, _counted(shard_samples(root, manifest, tiers), on_sample), identity)
    return open_cache(folder, identity)


def _counted(samples: Iterable[ShardSample], on_sample: Callable[[int], None] | None) -> Iterator[ShardSample]:
    for count, sample in enumerate(samples, start=1):
        yield sample
        if on_sample is not None:
            on_sample(count)


def write_cache(
    folder: Path, samples: Iterable[ShardSample], identity: CacheIdentity, per_file: int = SAMPLES_PER_FILE
) -> None:
    """Decode samples into a new cache: all of it is written beside `folder` and renamed when it is whole.

    When another process finished the same folder first, its cache stays and this one is dropped.

    Raises:
        ClipRefused: a clip does not give its frames; the message names key and shard.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir(parents=True)
    try:
        _write_files(temporary, samples, identity, per_file)
        _rename(temporary, folder)
    finally:
        # After a rename nothing is left under this name.
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(temporary: Path, folder: Path) -> None:
    try:
        os.rename(temporary, folder)
    except OSError:
        if not (folder / INDEX_JSON).is_file():
            raise


def _write_files(folder: Path, samples: Iterable[ShardSample], identity: CacheIdentity, per_file: int) -> None:
    entries: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    for run in _runs(samples, per_file):
        path = folder / f"frames-{len(files):05d}.npy"
        _write_run(path, run, identity.plan)
        files.append({"name": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)})
        entries += [asdict(_without_media(sample)) for sample in run]
    index = {**identity.to_json(), "per_file": per_file, "files": files, "samples": entries}
    with (folder / INDEX_JSON).open("wb") as file:
        file.write(canonical_json(index))
        file.flush()
        os.fsync(file.fileno())


def _runs(samples: Iterable[ShardSample], per_file: int) -> Iterator[list[ShardSample]]:
    rest = iter(samples)
    while run := list(itertools.islice(rest, per_file)):
        yield run


def _write_run(path: Path, run: Sequence[ShardSample], plan: FramePlan) -> None:
    with path.open("wb") as file:
        shape = (len(run), plan.count, plan.size_px, plan.size_px, 3)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for sample in run:
            file.write(_decoded(sample, plan).tobytes())
        file.flush()
        os.fsync(file.fileno())


def _decoded(sample: ShardSample, plan: FramePlan) -> NDArray[np.uint8]:
    try:
        return read_frames(sample.media, plan, sample.facts.get("frames"))
    except ClipRefused as error:
        raise ClipRefused(f"sample {sample.key} of {sample.shard}: {error}") from error


def _without_media(sample: ShardSample) -> CachedSample:
    return CachedSample(
        key=sample.key,
        source=sample.source,
        tier=sample.tier,
        shard=sample.shard,
        facts=sample.facts,
        text=sample.text,
        weights_1e4=sample.weights_1e4,
    )


def open_cache(folder: Path, identity: CacheIdentity) -> DecodedCache:
    """Open a finished cache, after every file was read once and has the digest that the index states.

    Raises:
        CacheRefused: it is not there, was made of another manifest, plan or tiers, or is not whole.
    """
    index = _read_index(folder)
    wanted = identity.to_json()
    other = [name for name, value in wanted.items() if index.get(name) != value]
    if other:
        said = ", ".join(f"{name} {index.get(name)!r} instead of {wanted[name]!r}" for name in other)
        raise CacheRefused(f"{folder}: is a cache of something else ({said}); remove it or choose another folder")
    try:
        samples = [CachedSample(**entry) for entry in index["samples"]]
        files, per_file = index["files"], index["per_file"]
        maps = [_open_map(folder, file) for file in files]
    except (KeyError, TypeError) as error:
        raise CacheRefused(f"{folder}/{INDEX_JSON}: is not whole ({error}); remove the folder") from error
    full, rest = divmod(len(samples), per_file)
    rows = [per_file] * full + [rest] * bool(rest)
    shapes = [(count, identity.plan.count, identity.plan.size_px, identity.plan.size_px, 3) for count in rows]
    if [frames.shape for frames in maps] != shapes or any(frames.dtype != np.uint8 for frames in maps):
        raise CacheRefused(f"{folder}: its files do not hold the frames that its index lists; remove the folder")
    return DecodedCache(samples, maps, per_file)


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_JSON
    if not path.is_file():
        raise CacheRefused(f"{folder}: holds no {INDEX_JSON}, so it is no decoded cache")
    try:
        index = json.loads(path.read_bytes())
    except ValueError as error:
        raise CacheRefused(f"{path}: cannot be read ({error}); remove the folder") from error
    return index if isinstance(index, dict) else {}


def _open_map(folder: Path, file: dict[str, Any]) -> NDArray[np.uint8]:
    path = folder / file["name"]
    if not path.is_file() or path.stat().st_size != file["bytes"]:
        raise CacheRefused(f"{path}: is missing or cut; remove the folder")
    if file_sha256(path) != file["sha256"]:
        raise CacheRefused(f"{path}: its bytes changed; remove the folder")
    try:
        frames: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise CacheRefused(f"{path}: cannot be read ({error}); remove the folder") from error
    return frames
