"""The hand-off of a run: what its builders need is read from the run, and what they make is written as one folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from curation.handoff.bundle import Handoff, handoff_files, links
from curation.handoff.croissant import Publication
from curation.handoff.folder import write_folder
from curation.handoff.links import linked_shards
from curation.handoff.selected import read_counted, selected
from curation.handoff.sources import read_locators, sources_summary
from curation.handoff.tar_index import sample_places
from curation.manifests import read_pointer
from curation.store import Store
from curation.stores import is_bucket, open_store
from curation.versions import wanted_version
from dashboard.planning_tables import print_shares
from pipelines.run_folder import read_run
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.manifest import Manifest
from schemas.planning import StageShares
from schemas.run import HANDOFF_FOLDER, STATISTICS_JSON, RunAddress
from schemas.statistics import Statistics

NewShares = Callable[[pl.DataFrame], Sequence[StageShares]]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A hand-off that was written."""

    folder: Path
    manifest: Manifest
    files: int
    shares: Sequence[StageShares]


def write_handoff(arguments: Any, new_shares: NewShares) -> int:
    """Write what `clipstrata handoff` asks for and print what a training draws; return the exit code."""
    publication = Publication(date=arguments.published, url=arguments.url)
    written = hand_off(arguments.run_folder, arguments.out, arguments.version, publication, new_shares)
    print_shares(Console(), written.shares)
    shards = f"{len(written.manifest.shards)} shards of version {written.manifest.version}"
    sys.stdout.write(f"hand-off: {written.files} files for {shards}: {written.folder}\n")
    return 0


def manifest_of(store: Store, version: int | None) -> Manifest:
    """Return a version of a run's manifest, the newest by default.

    Raises:
        ConfigError: the run has no shards yet, not that version, or none in it.
    """
    if version is None:
        pointer = read_pointer(store)
        version = 1 if pointer is None else pointer.version
    manifest = wanted_version(store, version)
    if not manifest.shards:
        raise ConfigError(
            f"version {manifest.version} of {store.address} lists no shards, so there is nothing to hand off"
        )
    return manifest


def hand_off(
    run: RunAddress, out: Path | None, version: int | None, publication: Publication, new_shares: NewShares
) -> Written:
    """Write the hand-off of a manifest version.

    Args:
        out: its folder; None is `handoff` in the run.
        new_shares: what training will draw of the samples in the shards.

    Raises:
        ConfigError: the folder holds no run with shards, what the version stands on is not there any more, or `out` is
            something else.
    """
    if is_bucket(run):
        raise ConfigError(
            f"RUN is {run}: a hand-off is links to files that other trainers open; allowed: a run in a folder of this "
            "machine; bring the run here with the cloud's own copying, or mount the bucket"
        )
    config = CorpusConfig.model_validate(read_run(run).config)
    store = open_store(run)
    root = Path(store.address)
    manifest = manifest_of(store, version)
    samples = selected(store, manifest)
    locators = read_locators(store, store.list("samples"))
    linked = linked_shards(manifest)
    shares = new_shares(samples)
    handoff = Handoff(
        manifest=manifest,
        manifest_sha256=sha256_hex(manifest.to_bytes()),
        statistics=Statistics.model_validate_json(read_counted(store, manifest, STATISTICS_JSON)),
        samples=samples,
        summary=sources_summary(manifest, config, samples, locators),
        linked=linked,
        index_of=partial(sample_places, store),
        shares=shares,
        publication=publication,
        run=root,
        folder=(out or root / HANDOFF_FOLDER).resolve(),
    )
    files = handoff_files(handoff)
    facts = {"corpus": manifest.corpus, "version": manifest.version, "manifest_sha256": handoff.manifest_sha256}
    write_folder(handoff.folder, files, links(handoff), facts)
    return Written(folder=handoff.folder, manifest=manifest, files=len(files), shares=shares)
