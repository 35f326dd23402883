"""Packing samples: which members a sample has in a shard, and what its bytes hang on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.moved_texts import MovedText, take_over
from curation.unit_reading import WholeSample
from schemas.canonical import canonical_json, sha256_hex
from schemas.records import Selection
from schemas.shards import (
    EMBEDDING_SUFFIX,
    FACTS_SUFFIX,
    MEDIA_SUFFIX,
    MEMBER_SUFFIXES,
    SAMPLE_SCHEMA,
    TAR_BLOCK_BYTES,
    TEXT_SUFFIX,
)

# Sizes are gathered for this many bits; coarser buckets are sums of these, since a bucket is a hash prefix.
FINE_BITS = 16
# What a sample takes beside its media, for planning: a header and padding for each member, and 4 kB of facts and text.
MEMBER_OVERHEAD_BYTES = len(MEMBER_SUFFIXES) * 2 * TAR_BLOCK_BYTES + 4096


@dataclass(frozen=True, kw_only=True)
class PackedSample:
    """A sample as it goes into a tar; the media is a reference until the tar is written.

    Attributes:
        weights_1e4: training stage -> sampling weight, as the facts have them.
        embedding: the clip's embedding as the bytes of an `.npy` file, where the shards are to hold them.
    """

    sample_id: str
    facts: bytes
    text: str | None
    media_sha256: str
    media_bytes: int
    duration_us: int
    weights_1e4: Mapping[str, int]
    embedding: bytes | None = None

    def small_members(self) -> dict[str, bytes | None]:
        """Return suffix -> bytes of all members but the media; None where there is none."""
        text = None if self.text is None else self.text.encode("utf-8")
        return {FACTS_SUFFIX: self.facts, TEXT_SUFFIX: text, EMBEDDING_SUFFIX: self.embedding}

    def sizes(self) -> dict[str, int | None]:
        """Return suffix -> bytes of each member in its order; None where there is none."""
        small = {suffix: None if data is None else len(data) for suffix, data in self.small_members().items()}
        return {suffix: {**small, MEDIA_SUFFIX: self.media_bytes}[suffix] for suffix in MEMBER_SUFFIXES}

    def digests(self) -> dict[str, str | None]:
        """Return suffix -> SHA-256 of each member; None where there is none."""
        small = {suffix: None if data is None else sha256_hex(data) for suffix, data in self.small_members().items()}
        return {**small, MEDIA_SUFFIX: self.media_sha256}


def pack_sample(whole: WholeSample, chosen: Selection, moved: Iterable[MovedText] = ()) -> PackedSample:
    """Return the members of a sample: its facts with all texts and scores, and the chosen text.

    Args:
        moved: texts of the samples that it stands for; they never become the chosen one.
    """
    row = whole.row
    taken, left = take_over(whole.texts, moved)
    text = next((text["text"] for text in whole.texts if text["text_id"] == chosen.text_id), None)
    trusted = text if chosen.tier != "video_only" else None
    weights = {"stage1": chosen.stage1_weight_1e4, "stage2": chosen.stage2_weight_1e4}
    facts: dict[str, Any] = {
        "schema": SAMPLE_SCHEMA,
        **row,
        "rights": json.loads(row["rights"]),
        "tier": chosen.tier,
        "text_id": chosen.text_id,
        "score_1e4": chosen.score_1e4,
        "offset_us": chosen.offset_us,
        "duplicate_group": chosen.duplicate_group,
        "weights_1e4": weights,
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
        weights_1e4=weights,
        embedding=None if whole.embedding is None else npy_bytes(whole.embedding),
    )


def npy_bytes(vector: bytes) -> bytes:
    """Return the bytes of an `.npy` file of a vector of little-endian float16, as units hold embeddings."""
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(vector, dtype="<f2"), allow_pickle=False)
    return buffer.getvalue()
