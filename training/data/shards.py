"""Samples from a run's shards: only what the manifest lists, and only after its bytes are the ones it promises.

webdataset gives the pipeline; opening and reading are ours, because its own reader takes many truncated tars for whole
ones, joins neighbours that share a key and unpickles members by their names.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import webdataset as wds

from curation.manifests import read_manifest, read_pointer
from curation.store import COPY_CHUNK_BYTES, LocalStore
from schemas.canonical import sha256_hex
from schemas.ids import ID_PATTERN
from schemas.judging import TRAINING_STAGES
from schemas.manifest import Manifest, ShardFacts
from schemas.run import LATEST_JSON, manifest_path
from schemas.shards import FACTS_SUFFIX, MEDIA_SUFFIX, MEMBER_SUFFIXES, SAMPLE_SCHEMA, TEXT_SUFFIX


class ManifestRefused(OSError):
    """The run has no manifest to read, or it is not the one that its pointer names."""


class ShardRefused(OSError):
    """A shard cannot be trained on; the message names it."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path


class ShardMissing(ShardRefused):
    """The manifest lists the shard and it is not there."""


class ShardDamaged(ShardRefused):
    """The shard's size or digest is not the manifest's."""


class ShardOffContract(ShardRefused):
    """The shard's bytes are the manifest's, but its members are not what the shard contract allows."""


@dataclass(frozen=True, kw_only=True)
class ShardSample:
    """One sample as its shard holds it.

    Attributes:
        key: the sample's id, 26 characters.
        shard: path of its shard in the run.
        facts: the facts member as parsed JSON.
        media: the clip, an mp4 of the corpus's own format.
        text: the chosen text; None where the shard has none.
        weights_1e4: training stage -> sampling weight, 10,000 is 1.
    """

    key: str
    source: str
    tier: str
    shard: str
    facts: dict[str, Any]
    media: bytes
    text: str | None
    weights_1e4: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class OpenShard:
    """A shard whose bytes were checked; `file` stands at its start and is closed by the next stage."""

    facts: ShardFacts
    file: BinaryIO


def read_run_manifest(root: Path, version: int | None = None) -> Manifest:
    """Return a version of a run's manifest; by default the one that the pointer names, checked by its digest.

    Raises:
        ManifestRefused: there is none, or it is not the one that the pointer names.
    """
    store = LocalStore(root)
    pointer = read_pointer(store)
    if version is None and pointer is None:
        raise ManifestRefused(f"{root}: no {LATEST_JSON}, so no finished shards; run build first")
    wanted = pointer.version if version is None and pointer is not None else version or 0
    path = manifest_path(wanted)
    if not store.exists(path):
        raise ManifestRefused(f"{root}: no {path}")
    if pointer is not None and pointer.version == wanted and sha256_hex(store.read(path)) != pointer.sha256:
        raise ManifestRefused(f"{root}: {path} is not the file that {LATEST_JSON} names; run verify")
    return read_manifest(store, wanted)


def manifest_digest(manifest: Manifest) -> str:
    """Return the SHA-256 of a manifest's file as 64 hex characters: what checkpoints and caches remember."""
    return sha256_hex(manifest.to_bytes())


def shard_samples(root: Path, manifest: Manifest, tiers: Sequence[str] | None = None) -> wds.DataPipeline:
    """Return a pipeline that yields every `ShardSample` of a manifest, in the manifest's order.

    A shard is read twice: once for its digest, once for its samples, so that no sample of a bad shard is given out.

    Args:
        root: the run folder.
        tiers: only shards of these tiers; None is all.

    Raises (when iterated):
        ShardRefused: a shard is missing, damaged or off the contract.
    """
    wanted = tuple(facts for facts in manifest.shards if tiers is None or facts.tier in tiers)
    return wds.DataPipeline(partial(iter, wanted), partial(open_shards, root), read_samples, refuse_repeats)


def open_shards(root: Path, shards: Iterable[ShardFacts]) -> Iterator[OpenShard]:
    """Yield each shard opened, after its size and digest were found to be the manifest's.

    Raises:
        ShardMissing: it is not there.
        ShardDamaged: its size or digest differ.
    """
    store = LocalStore(root)
    for facts in shards:
        if not store.exists(facts.path):
            raise ShardMissing(facts.path, "the manifest lists it and it is not there; run verify")
        with store.open(facts.path) as file:
            _check_bytes(file, facts)
            # The same open file is read on, so a file renamed over it after the check is never read.
            file.seek(0)
            yield OpenShard(facts=facts, file=file)


def _check_bytes(file: BinaryIO, facts: ShardFacts) -> None:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(COPY_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    if size != facts.bytes:
        raise ShardDamaged(facts.path, f"{size} bytes; the manifest says {facts.bytes}")
    if digest.hexdigest() != facts.sha256:
        raise ShardDamaged(facts.path, f"digest {digest.hexdigest()[:12]}; the manifest says {facts.sha256[:12]}")


def read_samples(shards: Iterable[OpenShard]) -> Iterator[ShardSample]:
    """Yield the samples of opened shards.

    Raises:
        ShardOffContract: a member, a key, a sample's facts or the number of samples break the contract.
    """
    for shard in shards:
        count, last = 0, ""
        for key, members in _grouped(shard):
            # Keys ascend in a shard, so one comparison finds a key that comes twice, next to its twin or not.
            if key <= last:
                raise ShardOffContract(shard.facts.path, f"key {key} comes after {last}; keys ascend and come once")
            yield _sample(shard.facts, key, members)
            count, last = count + 1, key
        if count != shard.facts.samples:
            raise ShardOffContract(shard.facts.path, f"{count} samples; the manifest says {shard.facts.samples}")


def _grouped(shard: OpenShard) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield (key, suffix -> bytes) for each run of members with one key that begins with its facts."""
    key, members = "", dict[str, bytes]()
    for name, data in _members(shard):
        found, _, suffix = name.partition(".")
        if suffix == FACTS_SUFFIX:
            if members:
                yield key, members
            key, members = found, {}
        elif found != key:
            raise ShardOffContract(shard.facts.path, f"member {name!r} stands without its facts before it")
        if suffix in members or list(members) != list(MEMBER_SUFFIXES[: len(members)]):
            raise ShardOffContract(shard.facts.path, f"sample {key} has another {suffix!r}")
        members[suffix] = data
    if members:
        yield key, members


def _members(shard: OpenShard) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=shard.file, mode="r|") as tar:
            for member in tar:
                yield member.name, _member_bytes(tar, member, shard.facts.path)
    except tarfile.TarError as error:
        raise ShardOffContract(shard.facts.path, f"it is no tar that can be read: {error}") from error


def _member_bytes(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> bytes:
    key, _, suffix = member.name.partition(".")
    allowed = suffix in MEMBER_SUFFIXES and ID_PATTERN.fullmatch(key)
    # A sparse member counts as regular, but may claim any size for no bytes.
    if not allowed or not member.isreg() or member.issparse():
        raise ShardOffContract(path, f"member {member.name!r} is not of the shard contract; nothing of it was read")
    file = tar.extractfile(member)
    data = file.read() if file is not None else b""
    if len(data) != member.size:
        raise ShardOffContract(path, f"member {member.name!r} has {len(data)} bytes; its header says {member.size}")
    return data


def _sample(shard: ShardFacts, key: str, members: dict[str, bytes]) -> ShardSample:
    if list(members) not in (list(MEMBER_SUFFIXES[:2]), list(MEMBER_SUFFIXES)):
        raise ShardOffContract(shard.path, f"sample {key} has the members {list(members)}")
    facts = _parsed(partial(json.loads, members[FACTS_SUFFIX]), shard.path, f"the facts of {key}")
    expected = {"schema": SAMPLE_SCHEMA, "sample_id": key, "source": shard.source, "tier": shard.tier}
    media = members[MEDIA_SUFFIX]
    expected["media_sha256"] = sha256_hex(media)
    wrong = [name for name, value in expected.items() if not isinstance(facts, dict) or facts.get(name) != value]
    if wrong:
        raise ShardOffContract(shard.path, f"the facts of {key} disagree with the shard in {wrong}")
    weights = facts.get("weights_1e4")
    if not _are_weights(weights):
        raise ShardOffContract(shard.path, f"the weights of {key} are {weights!r}")
    text = members.get(TEXT_SUFFIX)
    return ShardSample(
        key=key,
        source=shard.source,
        tier=shard.tier,
        shard=shard.path,
        facts=facts,
        media=media,
        text=None if text is None else _parsed(partial(text.decode, "utf-8"), shard.path, f"the text of {key}"),
        weights_1e4=weights,
    )


def _are_weights(found: Any) -> bool:
    stages = isinstance(found, dict) and set(found) == set(TRAINING_STAGES)
    return stages and all(type(weight) is int and weight >= 0 for weight in found.values())


def _parsed(parse: Callable[[], Any], path: str, what: str) -> Any:
    try:
        return parse()
    except ValueError as error:
        raise ShardOffContract(path, f"{what} cannot be read: {error}") from error


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
