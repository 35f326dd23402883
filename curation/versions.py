"""Versions of a run's shards beside each other: what differs between two, and taking old ones away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from curation.manifests import manifest_versions, read_manifest, read_pointer
from curation.store import Store
from schemas.config_file import ConfigError
from schemas.manifest import Manifest, ShardFacts, shard_files
from schemas.run import manifest_path
from schemas.shards import Sidecar, sidecar_path
from schemas.versions import PlaceChange, VersionDiff


def diff_versions(store: Store, before: int, after: int) -> VersionDiff:
    """Compare two versions by their manifests, and by the side-cars of the shards that differ; no tar is read.

    Raises:
        ConfigError: a version is not there, or cannot be read.
    """
    old, new = wanted_version(store, before), wanted_version(store, after)
    gone, written = _without(old, new), _without(new, old)
    lost, come = _keys(store, gone), _keys(store, written)
    places = sorted({_place(facts) for manifest in (old, new) for facts in manifest.shards})
    changes = []
    for place in places:
        here = [facts for facts in written if _place(facts) == place]
        changes.append(
            PlaceChange(
                tier=place[0],
                source=place[1],
                shards_kept=sum(_place(facts) == place for facts in new.shards) - len(here),
                shards_written=len(here),
                shards_gone=sum(_place(facts) == place for facts in gone),
                added=len(come[place] - lost[place]),
                removed=len(lost[place] - come[place]),
                bytes_written=sum(facts.bytes for facts in here),
            )
        )
    # A sample that one place lost and another one got, in shards that both versions hold otherwise alike.
    everything_lost = set[str]().union(*lost.values())
    moved = sum(len((come[place] - lost[place]) & everything_lost) for place in places)
    return VersionDiff(before=before, after=after, places=tuple(changes), moved=moved, changed=_changed(old, new))


def wanted_version(store: Store, version: int) -> Manifest:
    """Return a version's manifest.

    Raises:
        ConfigError: it is not there.
    """
    there = manifest_versions(store)
    if version not in there:
        raise ConfigError(f"version {version} is not in this run; allowed: {', '.join(map(str, there)) or 'none yet'}")
    return read_manifest(store, version)


Place = tuple[str, str]


def _place(facts: ShardFacts) -> Place:
    return facts.tier, facts.source


def _without(manifest: Manifest, other: Manifest) -> list[ShardFacts]:
    there = {facts.path for facts in other.shards}
    return [facts for facts in manifest.shards if facts.path not in there]


def _keys(store: Store, shards: Collection[ShardFacts]) -> defaultdict[Place, set[str]]:
    keys: defaultdict[Place, set[str]] = defaultdict(set)
    for facts in shards:
        keys[_place(facts)].update(Sidecar.model_validate_json(store.read(sidecar_path(facts.path))).keys)
    return keys


def _changed(old: Manifest, new: Manifest) -> dict[str, tuple[str, str]]:
    facts = {name: (str(getattr(old, name)), str(getattr(new, name))) for name in ("base", "scorer", "weights_1e4")}
    stages = {
        f"fingerprint of {name}": (getattr(old.fingerprints, name), getattr(new.fingerprints, name))
        for name in type(new.fingerprints).model_fields
    }
    licences = {
        f"rights of {name}": (_rights(old, name), _rights(new, name))
        for name in sorted({source.name for manifest in (old, new) for source in manifest.sources})
    }
    return {name: pair for name, pair in {**facts, **stages, **licences}.items() if pair[0] != pair[1]}


def _rights(manifest: Manifest, name: str) -> str:
    found = next((source for source in manifest.sources if source.name == name), None)
    return "no such source" if found is None else f"{found.licence}, {found.basis}: {found.terms}"


def drop_versions(store: Store, versions: Collection[int]) -> list[str]:
    """Remove manifests, and the shards and side-cars that no other version lists; returns what was removed.

    Manifests go first, so that a kill never leaves one whose shards are gone; what it leaves then, `verify --clean`
    removes.

    Raises:
        ConfigError: one is not there, or is the latest.
    """
    pointer = read_pointer(store)
    if pointer is not None and pointer.version in versions:
        raise ConfigError(f"version {pointer.version} is the latest; allowed: older ones; build a new one first")
    going = [wanted_version(store, version) for version in sorted(versions)]
    kept = [read_manifest(store, version) for version in manifest_versions(store) if version not in versions]
    listed = {path for manifest in kept for facts in manifest.shards for path in shard_files(facts)}
    files = {path for manifest in going for facts in manifest.shards for path in shard_files(facts)} - listed
    removed = [*(manifest_path(manifest.version) for manifest in going), *sorted(files)]
    for path in removed:
        store.delete(path)
    return removed


def prune(store: Store, keep: int) -> list[str]:
    """Remove all but the last `keep` versions; returns what was removed.

    Raises:
        ConfigError: fewer than one is to be kept.
    """
    if keep < 1:
        raise ConfigError(f"--keep is {keep}; allowed: 1 or more; the latest version always stays")
    return drop_versions(store, manifest_versions(store)[:-keep])
