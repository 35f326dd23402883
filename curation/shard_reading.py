"""Reading shards back, strictly: a shard's bytes are the manifest's, and its members are what the contract allows.

webdataset's own reader takes many truncated tars for whole ones, joins neighbours that share a key and unpickles
members by their names.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from curation.store import COPY_CHUNK_BYTES, Store
from schemas.canonical import sha256_hex
from schemas.ids import ID_PATTERN
from schemas.judging import TRAINING_STAGES
from schemas.manifest import ShardFacts
from schemas.shards import (
    EMBEDDING_SUFFIX,
    FACTS_SUFFIX,
    MEDIA_SUFFIX,
    MEMBER_SUFFIXES,
    REQUIRED_SUFFIXES,
    SAMPLE_SCHEMA,
    TEXT_SUFFIX,
)


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
        embedding: the bytes of an `.npy` file of float16; None where the shard has none.
        sizes: suffix -> bytes of each member, in the shard's order.
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
    embedding: bytes | None
    sizes: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class OpenShard:
    """A shard whose bytes were checked; `file` stands at its start and is closed by the next stage."""

    facts: ShardFacts
    file: BinaryIO


def open_shards(store: Store, shards: Iterable[ShardFacts]) -> Iterator[OpenShard]:
    """Yield each shard opened, after its size and digest were found to be the manifest's.

    Raises:
        ShardMissing: it is not there.
        ShardDamaged: its size or digest differ.
    """
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
            yield sample_of(shard.facts, key, members)
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
        if suffix in members:
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


def sample_of(shard: ShardFacts, key: str, members: dict[str, bytes]) -> ShardSample:
    """Return a sample of its members, in the shard's order.

    Raises:
        ShardOffContract: members are missing or disagree with the shard or with each other.
    """
    in_order = [suffix for suffix in MEMBER_SUFFIXES if suffix in members]
    if list(members) != in_order or not members.keys() >= set(REQUIRED_SUFFIXES):
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
        embedding=members.get(EMBEDDING_SUFFIX),
        sizes={suffix: len(data) for suffix, data in members.items()},
    )


def _are_weights(found: Any) -> bool:
    stages = isinstance(found, dict) and set(found) == set(TRAINING_STAGES)
    return stages and all(type(weight) is int and weight >= 0 for weight in found.values())


def _parsed(parse: Callable[[], Any], path: str, what: str) -> Any:
    try:
        return parse()
    except ValueError as error:
        raise ShardOffContract(path, f"{what} cannot be read: {error}") from error
