"""The earlier builds that a corpus stands on: what is in their shards stays, whatever a new clip resembles.

A base may have a base of its own: its shards lack what it left out for that one, so all of them are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.judging.rows import UnitGroup, group_units
from curation.store import Store
from curation.stores import open_store
from pipelines.duplicate_index import BaseIndex, read_index
from pipelines.finished import ingest_outputs
from pipelines.run_folder import Run, read_run
from pipelines.units import ScoredUnits
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.corpus import BaseVersion
from schemas.manifest import Manifest
from schemas.run import CODE_VERSION, RunState, manifest_path, selection_path
from schemas.statistics import ScorerFacts


@dataclass(frozen=True, kw_only=True)
class Base:
    """An earlier build as the search for duplicates reads it.

    Attributes:
        units: its units.
        groups: these in groups; a group's part of the selection says which of its samples are in the shards.
        origins: source -> `clean` or `noisy`.
        name: as manifests name it.
        clips: in its shards.
        index: of its clips; None where it has none that is whole.
    """

    units: ScoredUnits
    groups: tuple[UnitGroup, ...]
    origins: dict[str, str]
    name: str
    clips: int
    index: BaseIndex | None = None

    @property
    def hash_index(self) -> BaseIndex | None:
        """The index, where it tells which clips meet by frame hashes."""
        return self.index if self.index is not None and self.index.perceptual else None

    def kept(self, group: UnitGroup) -> pl.DataFrame:
        """Return `sample_id` and `score_1e4` of the samples of a group that are in the shards."""
        data = self.units.store.read(selection_path(group.source, group.part))
        rows = pl.read_parquet(data, columns=["sample_id", "score_1e4", "shard_bucket"])
        return rows.filter(pl.col("shard_bucket").is_not_null()).drop("shard_bucket")


def base_name(run: Run) -> str | None:
    """Return `corpus@version:digest` of what a run's corpus names as its base: no place, so that it may lie anywhere.

    Only the manifest is read, which never changes: a run is up to date whatever has become of its base since.

    Raises:
        ConfigError: there is no such run or version.
    """
    named = run.config.base_version
    return None if named is None else _name(named, *_manifest(named))


def open_bases(run: Run) -> tuple[Base, ...]:
    """Return the base of a run's corpus, the base of that one, and so on; none where it names none.

    Raises:
        ConfigError: one is no finished build, has moved on to another version, or was made by other code or scores.
    """
    found: list[Base] = []
    named, wanted = run.config.base_version, None
    while named is not None:
        if open_store(named.run).address == run.store.address:
            raise ConfigError(f"base: {named} is this run itself; to add a source to a run, add it to its corpus file")
        state = read_run(named.run)
        manifest, data = _manifest(named)
        if wanted is not None and _name(named, manifest, data) != wanted:
            raise ConfigError(f"base: {named} is not {wanted}, which a base was built on; put that one back")
        found.append(_opened(named, state, manifest, data, run.state.scorer))
        older, wanted = state.config.get("base"), manifest.base
        if wanted is not None and not isinstance(older, str):
            raise ConfigError(f"base: {named} was built on {wanted}, but its corpus names no base now; build it again")
        named = None if wanted is None else BaseVersion.parse(str(older))
    return tuple(found)


def _manifest(named: BaseVersion) -> tuple[Manifest, bytes]:
    store, path = open_store(named.run), manifest_path(named.version)
    if not store.exists(path):
        read_run(named.run)
        raise ConfigError(f"base: {named} has no {path}; allowed: a version that is there; name another")
    data = store.read(path)
    return Manifest.model_validate_json(data), data


def _name(named: BaseVersion, manifest: Manifest, data: bytes) -> str:
    return f"{manifest.corpus}@{named.version}:{sha256_hex(data)}"


def _opened(named: BaseVersion, state: RunState, manifest: Manifest, data: bytes, scorer: ScorerFacts | None) -> Base:
    store, shard, own = open_store(named.run), state.stage("shard"), state.scorer
    if shard is None or shard.outputs != sha256_hex(data) or own is None:
        raise ConfigError(
            f"base: {named} is not what that run holds now; allowed: the version of its last finished build; name that "
            "one, or build it again"
        )
    # Before its own first ingest a run has no scorer; then this is asked again after it.
    if state.code_version != CODE_VERSION or (scorer is not None and own.scoring != scorer.scoring):
        raise ConfigError(
            f"base: {named} was made by clipstrata {state.code_version} with scorer {own.name}; allowed: clipstrata "
            f"{CODE_VERSION} with this corpus's scorer, frame plan and prompt; build the base again, or take its scorer"
        )
    names = tuple(path.rsplit("/", 1)[1].removesuffix(".json") for path in store.list("units"))
    ingest = state.stage("ingest")
    if ingest is None or ingest.outputs != ingest_outputs(store, own, list(names)):
        raise ConfigError(f"base: the units of {named} are not those of its last finished ingest; build it again")
    _check_selection(named, store, manifest)
    units = ScoredUnits(root=store.address, scoring=own.scoring, names=names)
    groups = tuple(group_units(units.read(name) for name in names))
    index = read_index(store)
    usable = index is not None and index.groups == tuple(group.name for group in groups)
    return Base(
        units=units,
        groups=groups,
        index=BaseIndex.of(store.address, index) if index is not None and usable else None,
        origins={source.name: source.origin for source in manifest.sources},
        name=_name(named, manifest, data),
        clips=sum(facts.samples for facts in manifest.shards),
    )


def _check_selection(named: BaseVersion, store: Store, manifest: Manifest) -> None:
    """Refuse a base whose selection is no longer that of its manifest: it says which clips are in the shards."""
    stated = {path: digest for path, digest in manifest.files.items() if Path(path).parts[0] == "selection"}
    if stated != {path: store.sha256(path) for path in store.list("selection")}:
        raise ConfigError(
            f"base: the selection of {named} is not that of its manifest: it was judged again since; build that run, "
            "and name the version that it says"
        )
