"""Samples from a run's shards: only what the manifest lists, and only after its bytes are the ones it promises.

webdataset gives the pipeline; opening and reading are ours (`curation.shard_reading`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import webdataset as wds

from curation.manifests import parse_manifest
from curation.shard_ranges import Ranges, open_ranges
from curation.shard_reading import ShardOffContract, ShardSample, open_shards, read_samples
from curation.stores import open_store
from schemas.canonical import sha256_hex
from schemas.manifest import LatestPointer, Manifest
from schemas.run import LATEST_JSON, RunAddress, manifest_path


class ManifestRefused(OSError):
    """The run has no manifest to read, or it is not the one that its pointer names."""


def read_run_manifest(root: Path | str, version: int | None = None) -> Manifest:
    """Return a version of a run's manifest; by default the one that the pointer names, checked by its digest.

    Args:
        root: the run folder, or its address (s3, gs, http, https).

    Raises:
        ManifestRefused: there is none, or it is not the one that the pointer names.
    """
    return manifest_at(open_ranges(root), str(root), version)


def manifest_at(ranges: Ranges, name: str, version: int | None = None) -> Manifest:
    """Return a version of a run's manifest, as `read_run_manifest` does; `name` stands in messages."""
    latest = ranges.find(LATEST_JSON)
    pointer = None if latest is None else LatestPointer.model_validate_json(latest)
    if version is None and pointer is None:
        raise ManifestRefused(f"{name}: no {LATEST_JSON}, so no finished shards; run build first")
    wanted = pointer.version if version is None and pointer is not None else version or 0
    path = manifest_path(wanted)
    data = ranges.find(path)
    if data is None:
        raise ManifestRefused(f"{name}: no {path}")
    if pointer is not None and pointer.version == wanted and sha256_hex(data) != pointer.sha256:
        raise ManifestRefused(f"{name}: {path} is not the file that {LATEST_JSON} names; run verify")
    return parse_manifest(path, data)


def manifest_digest(manifest: Manifest) -> str:
    """Return the SHA-256 of a manifest's file as 64 hex characters: what checkpoints and caches remember."""
    return sha256_hex(manifest.to_bytes())


def shard_samples(root: RunAddress, manifest: Manifest, tiers: Sequence[str] | None = None) -> wds.DataPipeline:
    """Return a pipeline that yields every `ShardSample` of a manifest, in the manifest's order.

    A shard is read twice: once for its digest, once for its samples, so that no sample of a bad shard is given out.

    Args:
        root: the run folder, or its address in a bucket.
        tiers: only shards of these tiers; None is all.

    Raises (when iterated):
        ShardRefused: a shard is missing, damaged or off the contract.
    """
    wanted = tuple(facts for facts in manifest.shards if tiers is None or facts.tier in tiers)
    return wds.DataPipeline(partial(iter, wanted), partial(open_shards, open_store(root)), read_samples, refuse_repeats)


def refuse_repeats(samples: Iterable[ShardSample]) -> Iterator[ShardSample]:
    """Yield samples on, and refuse a key that stands in two shards; it remembers about 100 bytes per sample.

    Raises:
        ShardOffContract: a key comes again.
    """
    seen: dict[str, str] = {}
    for sample in samples:
        if sample.key in seen:
            raise ShardOffContract(sample.shard, f"key {sample.key} stands in {seen[sample.key]} too")
        seen[sample.key] = sample.shard
        yield sample
