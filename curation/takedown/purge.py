"""What a takedown still has to remove once the units are made again: everything that is not a part of one."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from curation.manifests import manifest_versions, read_manifest
from curation.score_cache import cache_group, drop_from_segment
from curation.store import Store
from curation.unit_reading import read_part
from schemas.canonical import sha256_hex
from schemas.ids import ID_CHARS
from schemas.manifest import Manifest, shard_files
from schemas.run import HANDOFF_FOLDER, LABELS_JSONL, manifest_path, media_path
from schemas.shards import FACTS_SUFFIX
from schemas.suppression import Affected, CheckpointSeen, VersionFacts
from schemas.units import UnitCommit, unit_place

_ID = re.compile(rb"(?<![a-z2-7])[a-z2-7]{%d}(?![a-z2-7])" % ID_CHARS)
# Where the model files of a run say which manifest they were trained on.
_SEEN_NAMES = ("manifest_sha256", "trained_on")


def gone_of(store: Store, units: Iterable[UnitCommit], affected: Affected) -> Affected:
    """Return what no unit holds any more of what a takedown touched."""
    held: dict[str, set[str]] = {"records": set(), "samples": set(), "clips": set(), "media": set(), "texts": set()}
    for commit in units:
        for row in read_part(store, commit, "samples"):
            held["samples"].add(row["sample_id"])
            held["clips"].add(row["clip_id"])
            held["media"].add(row["media_sha256"])
        held["texts"].update(row["text_id"] for row in read_part(store, commit, "texts"))
        held["records"].update(row["record_id"] for row in read_part(store, commit, "records"))
    told = affected.model_dump()
    return Affected(**{name: tuple(value for value in told[name] if value not in held[name]) for name in held})


def purge_shards(store: Store) -> None:
    """Remove shards and side-cars that no manifest lists: a kill leaves some between a version's manifest and them."""
    manifests = [read_manifest(store, version) for version in manifest_versions(store)]
    listed = {path for manifest in manifests for facts in manifest.shards for path in shard_files(facts)}
    for path in [path for path in store.list("shards") if path not in listed]:
        store.delete(path)


def purge_handoff(store: Store) -> None:
    """Remove the run's own hand-off: its indexes name samples, and its card tells of their sources."""
    store.clear(HANDOFF_FOLDER)


def purge_duplicates(store: Store) -> None:
    """Remove what was found of duplicates: where no stage makes it anew, hashes of clips that are gone are in it."""
    for path in list(store.list("duplicates")):
        store.delete(path)


def purge_media(store: Store, gone: Affected) -> None:
    """Remove clips and their score frames."""
    for digest in gone.media:
        store.delete(media_path(digest))
    for path in [path for clip in gone.clips for path in store.list_prefix(f"frames/{clip[:2]}/{clip}-")]:
        store.delete(path)


def purge_cache(store: Store, touched: Iterable[str], gone: Affected) -> None:
    """Remove what scorers had computed of clips that are gone, and all pair scores of the touched units' places.

    Pairs are keyed by a digest of clip and text: which are those of texts that are gone cannot be told.
    """
    places, media = [_place(unit) for unit in touched], frozenset(gone.media)
    for path in list(store.list("scores")):
        group = cache_group(path)
        if group is not None and any(_overlap(_place(group), place) for place in places):
            drop_from_segment(store, path, media)


def _place(unit: str) -> tuple[str, int, int]:
    return (unit.rsplit("-", 2)[0], *unit_place(unit))


def _overlap(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    """Whether two buckets of a source, split into as many units or not, may hold the same video."""
    bits = min(one[2], other[2])
    return one[0] == other[0] and one[1] >> (one[2] - bits) == other[1] >> (other[2] - bits)


def labels_of(store: Store, gone: Affected) -> tuple[list[bytes], int]:
    """Return the lines of what people said of other samples and texts, and how many there are of those gone."""
    if not store.exists(LABELS_JSONL):
        return [], 0
    ids = {*gone.samples, *gone.texts}
    lines = store.read(LABELS_JSONL).splitlines(keepends=True)
    kept = [line for line in lines if not _ids_in(line) & ids]
    return kept, len(lines) - len(kept)


def purge_labels(store: Store, gone: Affected) -> None:
    """Remove what people said of samples and texts that are gone."""
    kept, lost = labels_of(store, gone)
    if lost:
        store.write(LABELS_JSONL, b"".join(kept))


def purge_notes(store: Store, units: Iterable[UnitCommit]) -> None:
    """Remove notes on files of units that are no more, and all unfinished work."""
    current = {commit.clips for commit in units}
    for path in [path for folder in ("seen", "looks") for path in store.list(f"progress/{folder}")]:
        if path.rsplit("/", 1)[1].removesuffix(".json") not in current:
            store.delete(path)
    store.clear("tmp")


def versions_that_hold(store: Store, latest: Manifest | None, gone: Affected) -> tuple[VersionFacts, ...]:
    """Return the manifest versions but the latest in whose shards something lies that is gone.

    Shards that the latest version has too hold nothing of it; the others are read once each.
    """
    clean = {facts.path for facts in latest.shards} if latest is not None else set()
    ids = {*gone.records, *gone.samples, *gone.texts}
    holding: dict[str, bool] = {}
    found = []
    for version in manifest_versions(store):
        if latest is not None and version == latest.version:
            continue
        paths = [facts.path for facts in read_manifest(store, version).shards if facts.path not in clean]
        for path in paths:
            if path not in holding:
                holding[path] = store.exists(path) and any(ids & members for members in _members(store, path))
        if any(holding[path] for path in paths):
            found.append(VersionFacts(version=version, sha256=sha256_hex(store.read(manifest_path(version)))))
    return tuple(found)


def _members(store: Store, path: str) -> Iterator[set[str]]:
    """Yield the ids in the facts of each sample of a shard."""
    with store.open(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            if member.name.endswith(f".{FACTS_SUFFIX}"):
                data = tar.extractfile(member)
                assert data is not None
                yield _ids_in(data.read()) | {member.name.partition(".")[0]}


def _ids_in(data: bytes) -> set[str]:
    return {found.decode("ascii") for found in _ID.findall(data)}


def checkpoints_of(store: Store, held: Sequence[VersionFacts]) -> tuple[CheckpointSeen, ...]:
    """Return the files under models/ that name one of these versions as what they were trained on."""
    digests = {version.sha256 for version in held}
    found = set()
    for path in store.list("models"):
        if path.endswith(".json"):
            for digest in _seen(_json(store.read(path))) & digests:
                found.add((path, digest))
    return tuple(CheckpointSeen(path=path, manifest_sha256=digest) for path, digest in sorted(found))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        # A checkpoint that was cut off says nothing of what it saw; opening it fails by its digest.
        return None


def _seen(document: Any) -> set[str]:
    if isinstance(document, dict):
        own = {value for name, value in document.items() if name in _SEEN_NAMES and isinstance(value, str)}
        return own.union(*(_seen(value) for value in document.values()))
    if isinstance(document, list):
        return set[str]().union(*(_seen(value) for value in document))
    return set()
