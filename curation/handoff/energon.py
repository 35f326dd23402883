"""For Megatron-Energon: `.nv-meta/` and the index of each tar, as `energon prepare` of version 7 writes them.

Written here from the side-cars and not by that tool, so that a hand-off needs neither it nor its scan of every tar, and
has equal bytes each time (the tool draws a random uuid); a test holds both side by side. Energon wants indexes beside
the tars and resolves shard names below the folder of `.nv-meta`: all of it stands among the links, and the folders of
the run stay clean.
"""

from __future__ import annotations

import sqlite3
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

import yaml

from curation.handoff.links import LINKS_FOLDER, LinkedShard, brace_pattern, places
from curation.handoff.tar_index import SamplePlace
from schemas.canonical import canonical_json
from schemas.planning import StageShares

META_FOLDER = f"{LINKS_FOLDER}/.nv-meta"
# Whose `prepare` these files are like; Energon writes its own version there.
ENERGON_VERSION = "7.4.1"

# The tables and indexes of `megatron.energon.flavors.webdataset.indexing.SqliteIndexWriter`.
_TABLES = """
CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL,
    byte_offset INTEGER, byte_size INTEGER);
CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, content_byte_offset INTEGER,
    content_byte_size INTEGER);
"""
_INDEXES = """
CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index);
CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset);
CREATE INDEX idx_sample_parts_full
    ON sample_parts(tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size);
"""


def split_name(tier: str, source: str) -> str:
    """Return the name of the split part of one tier of one source."""
    return f"{tier}-{source}"


def meta_files(linked: Sequence[LinkedShard], manifest_sha256: str) -> dict[str, bytes]:
    """Return path -> bytes of the small files of `.nv-meta`.

    `train` holds every shard; each tier of each source is a split part too, by which blends name it.
    """
    parts = {split_name(tier, source): [brace_pattern(own)] for (tier, source), own in places(linked)}
    splits = {"train": [pattern for own in parts.values() for pattern in own], "val": [], "test": [], **parts}
    counts = {shard.name: shard.facts.samples for shard in linked}
    info = {"energon_version": ENERGON_VERSION, "shard_counts": counts}
    dataset = {"__module__": "megatron.energon", "__class__": "CrudeWebdataset"}
    return {
        f"{META_FOLDER}/.info.json": canonical_json(info, indent=2),
        f"{META_FOLDER}/dataset.yaml": _yaml(dataset),
        f"{META_FOLDER}/split.yaml": _yaml({"exclude": [], "split_parts": splits}),
        f"{META_FOLDER}/index.uuid": str(uuid.UUID(manifest_sha256[:32])).encode(),
    }


def blend_yaml(shares: StageShares) -> bytes | None:
    """Return a metadataset that draws tiers of sources as a stage does, or None where nothing can be drawn."""
    if not shares.places:
        return None
    blend = [
        {
            "path": LINKS_FOLDER,
            "split_part": split_name(place.tier, place.source),
            "weight": place.share,
            "subflavors": {"source": place.source, "tier": place.tier},
        }
        for place in shares.places
    ]
    return _yaml(
        {"__module__": "megatron.energon", "__class__": "MetadatasetV2", "splits": {"train": {"blend": blend}}}
    )


def _yaml(document: Mapping[str, object]) -> bytes:
    return yaml.safe_dump(dict(document), sort_keys=False).encode("utf-8")


def tar_idx(samples: Sequence[SamplePlace]) -> bytes:
    """Return a `.tar.idx`: where each sample begins and the last one ends, as native 64-bit numbers."""
    offsets = [sample.start for sample in samples] + [samples[-1].end]
    return struct.pack(f"{len(offsets)}Q", *offsets)


def index_files(shards: Iterable[tuple[str, Sequence[SamplePlace]]]) -> dict[str, bytes]:
    """Return the index of each tar, and of all samples `.nv-meta/index.sqlite`, which is equal under one SQLite.

    Args:
        shards: (name of the link, samples), in the order of the links; gone through once.
    """
    files = {}
    with closing(sqlite3.connect(":memory:")) as base:
        base.executescript(_TABLES)
        for number, (name, samples) in enumerate(shards):
            files[f"{LINKS_FOLDER}/{name}.idx"] = tar_idx(samples)
            base.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", _sample_rows(number, samples))
            base.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", _part_rows(number, samples))
        base.executescript(_INDEXES)
        base.commit()
        return {**files, f"{META_FOLDER}/index.sqlite": base.serialize()}


def _sample_rows(number: int, samples: Sequence[SamplePlace]) -> Iterator[tuple[int, str, int, int, int]]:
    for index, sample in enumerate(samples):
        yield number, sample.key, index, sample.start, sample.end - sample.start


def _part_rows(number: int, samples: Sequence[SamplePlace]) -> Iterator[tuple[int, int, str, int, int]]:
    for index, sample in enumerate(samples):
        for suffix, member in sample.members.items():
            yield number, index, suffix, member.start, member.size
