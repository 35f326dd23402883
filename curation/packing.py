"""Packing samples into shards: which bucket, how many buckets, and tars whose bytes depend on their samples alone."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from curation.moved_texts import MovedText, take_over
from curation.store import Store
from curation.unit_reading import WholeSample
from schemas.canonical import canonical_json
from schemas.records import Selection
from schemas.run import media_path
from schemas.shards import FACTS_SUFFIX, MEDIA_SUFFIX, SAMPLE_SCHEMA, TEXT_SUFFIX

# Sizes are gathered for this many bits; coarser buckets are sums of these, since a bucket is a hash prefix.
FINE_BITS = 16
# A tar member costs a 512-byte header and padding to 512 bytes.
TAR_BLOCK_BYTES = 512
MEMBER_OVERHEAD_BYTES = 3 * 2 * TAR_BLOCK_BYTES + 4096


@dataclass(frozen=True, kw_only=True)
class PackedSample:
    """A sample as it goes into a tar; the media is a reference until the tar is written."""

    sample_id: str
    facts: bytes
    text: str | None
    media_sha256: str
    media_bytes: int
    duration_us: int


def pack_sample(whole: WholeSample, chosen: Selection, moved: Iterable[MovedText] = ()) -> PackedSample:
    """Return the members of a sample: its facts with all texts and scores, and the chosen text.

    Args:
        moved: texts of the samples that it stands for; they never become the chosen one.
    """
    row = whole.row
    taken, left = take_over(whole.texts, moved)
    text = next((text["text"] for text in whole.texts if text["text_id"] == chosen.text_id), None)
    trusted = text if chosen.tier != "video_only" else None
    facts: dict[str, Any] = {
        "schema": SAMPLE_SCHEMA,
        **row,
        "rights": json.loads(row["rights"]),
        "tier": chosen.tier,
        "text_id": chosen.text_id,
        "score_1e4": chosen.score_1e4,
        "offset_us": chosen.offset_us,
        "duplicate_group": chosen.duplicate_group,
        "weights_1e4": {"stage1": chosen.stage1_weight_1e4, "stage2": chosen.stage2_weight_1e4},
        "texts": list(whole.texts),
        **({"moved_texts": taken, "moved_texts_left": left} if taken or left else {}),
    }
    return PackedSample(
        sample_id=row["sample_id"],
        facts=canonical_json(facts),
        text=trusted,
        media_sha256=row["media_sha256"],
        media_bytes=row["media_bytes"],
        duration_us=row["duration_us"],
    )


@dataclass(frozen=True, kw_only=True)
class TarFacts:
    """A finished tar on the local disk."""

    path: Path
    sha256: str
    bytes: int
    samples: int
    duration_us: int


class _HashingWriter(io.RawIOBase):
    """Passes what is written on to a file and hashes it on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.total_bytes = 0

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.total_bytes += len(data)
        return self.file.write(data)


class MediaDamaged(OSError):
    """A stored clip is not the one that its name says."""


def write_tar(samples: Iterable[PackedSample], store: Store, path: Path) -> TarFacts:
    """Write a webdataset tar: samples by id, members facts, media, text; equal samples give equal bytes.

    Raises:
        MediaDamaged: a clip of the run does not have the digest in its name.
        ValueError: two samples share an id.
    """
    ordered = sorted(samples, key=lambda sample: sample.sample_id)
    _refuse_equal_ids(ordered)
    with path.open("wb") as file:
        writer = _HashingWriter(file)
        with tarfile.open(fileobj=writer, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
            for sample in ordered:
                _add_sample(tar, sample, store)
    return TarFacts(
        path=path,
        sha256=writer.digest.hexdigest(),
        bytes=writer.total_bytes,
        samples=len(ordered),
        duration_us=sum(sample.duration_us for sample in ordered),
    )


def _refuse_equal_ids(ordered: Sequence[PackedSample]) -> None:
    for first, second in itertools.pairwise(ordered):
        if first.sample_id == second.sample_id:
            raise ValueError(f"two samples share the id {first.sample_id}; a reader would mix their members")


def _add_sample(tar: tarfile.TarFile, sample: PackedSample, store: Store) -> None:
    media = store.read(media_path(sample.media_sha256))
    found = hashlib.sha256(media).hexdigest()
    if found != sample.media_sha256:
        raise MediaDamaged(f"{media_path(sample.media_sha256)} has the digest {found}; delete it and run ingest again")
    _add_member(tar, f"{sample.sample_id}.{FACTS_SUFFIX}", sample.facts)
    _add_member(tar, f"{sample.sample_id}.{MEDIA_SUFFIX}", media)
    if sample.text is not None:
        _add_member(tar, f"{sample.sample_id}.{TEXT_SUFFIX}", sample.text.encode("utf-8"))


def _add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    # No clock, no user, no umask: equal samples give equal bytes on every machine.
    member.mtime = 0
    member.mode = 0o444
    tar.addfile(member, io.BytesIO(data))
