"""All files of a hand-off, as bytes: a function of the manifest, what it stands on, and where both folders lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from curation.handoff import croissant, energon, jepa, launch, open_clip, wids
from curation.handoff.data_card import DATA_CARD, CardFacts, data_card
from curation.handoff.links import LINKS_FOLDER, LinkedShard
from curation.handoff.sources import SourcesSummary
from curation.handoff.tar_index import SamplePlace
from schemas.manifest import Manifest, ShardFacts
from schemas.planning import StageShares
from schemas.shards import EMBEDDING_SUFFIX
from schemas.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class Handoff:
    """What the files are made of.

    Attributes:
        manifest_sha256: digest of the manifest's file.
        samples: those in the shards, as `selected` gives them.
        index_of: where the samples of a shard lie; asked shard by shard, so that one index is held at a time.
        shares: of stage 1 and stage 2.
        run, folder: where the run and the hand-off lie; absolute.
    """

    manifest: Manifest
    manifest_sha256: str
    statistics: Statistics
    samples: pl.DataFrame
    summary: SourcesSummary
    linked: Sequence[LinkedShard]
    index_of: Callable[[ShardFacts], Sequence[SamplePlace]]
    shares: Sequence[StageShares]
    publication: croissant.Publication
    run: Path
    folder: Path

    @property
    def to_run(self) -> str:
        """The run, seen from the hand-off."""
        return PurePosixPath(os.path.relpath(self.run, self.folder)).as_posix()

    def share_of(self, stage: int) -> StageShares:
        """Return the shares of a stage."""
        return next(own for own in self.shares if own.stage == stage)


def handoff_files(handoff: Handoff) -> dict[str, bytes]:
    """Return path in the hand-off -> bytes.

    Raises:
        ConfigError: the run's path cannot stand in one of the files.
    """
    linked, manifest = handoff.linked, handoff.manifest
    card = CardFacts(
        manifest=manifest,
        linked=linked,
        statistics=handoff.statistics,
        summary=handoff.summary,
        shares=handoff.shares,
        embedded=EMBEDDING_SUFFIX in handoff.index_of(linked[0].facts)[0].members,
    )
    inside = handoff.folder.is_relative_to(handoff.run)
    mounted = handoff.folder.relative_to(handoff.run).as_posix() if inside else ""
    return {
        DATA_CARD: data_card(card),
        "sources.json": handoff.summary.to_bytes(),
        f"{LINKS_FOLDER}/sizes.json": open_clip.sizes_json(linked),
        "patterns.json": open_clip.patterns_json(linked),
        "wids.json": wids.wids_json(manifest.corpus, linked, handoff.to_run),
        "croissant.json": croissant.croissant_json(manifest, linked, handoff.to_run, handoff.publication),
        **_energon_files(handoff),
        **_jepa_files(handoff),
        **launch.launch_files(handoff.shares, manifest.corpus, manifest.version, f"../{handoff.to_run}", mounted),
    }


def _energon_files(handoff: Handoff) -> dict[str, bytes]:
    files = energon.meta_files(handoff.linked, handoff.manifest_sha256)
    files |= energon.index_files((shard.name, handoff.index_of(shard.facts)) for shard in handoff.linked)
    blends = {f"energon-stage{own.stage}.yaml": energon.blend_yaml(own) for own in handoff.shares}
    return files | {path: data for path, data in blends.items() if data is not None}


def _jepa_files(handoff: Handoff) -> dict[str, bytes]:
    files = jepa.path_lists(handoff.samples, handoff.run)
    config = jepa.jepa_yaml(handoff.share_of(2), handoff.folder)
    return files if config is None else {**files, f"{jepa.JEPA_FOLDER}/stage2.yaml": config}


def links(handoff: Handoff) -> dict[str, str]:
    """Return path of a link in the hand-off -> what it leads to, relative to the link's folder."""
    return {f"{LINKS_FOLDER}/{shard.name}": f"../{handoff.to_run}/{shard.facts.path}" for shard in handoff.linked}
