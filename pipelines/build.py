"""A build: render, ingest, judge, shard, and the page; each stage goes on where an earlier attempt stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.fetching import Reach
from curation.media.extras import require_extras
from curation.sources import check_source
from curation.verify import find_planted
from dashboard import render_page
from pipelines.base import open_bases
from pipelines.engine import EngineOptions
from pipelines.ingest_stage import BuildReport, ingest
from pipelines.pages import page_facts
from pipelines.run_folder import Run, only_build, open_run, read_run
from pipelines.stages import judge, shard
from pipelines.watching import Watcher
from pipelines.world import planted_copies, render_sources
from schemas.corpus import CorpusConfig
from schemas.cuts_file import load_cuts, with_cuts
from schemas.manifest import Manifest
from schemas.run import REPORT_HTML, RunAddress, StageName
from schemas.statistics import Statistics

ALL_STAGES: tuple[StageName, ...] = ("ingest", "judge", "shard")


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build came to; a stage that was not asked for leaves None.

    Attributes:
        limits_broken: one line per source that rejected more than its config allows.
        rejects: (source, stage, scope, reason) -> how many, where a limit is broken.
        planted: for the built-in world, (copies planted, copies found).
    """

    run: Run
    statistics: Statistics | None
    manifest: Manifest | None
    limits_broken: Sequence[str]
    rejects: Mapping[tuple[str, str, str, str], int]
    planted: tuple[int, int] | None


def build(
    config: CorpusConfig,
    out: RunAddress,
    engine: EngineOptions,
    *,
    stages: Sequence[StageName] = ALL_STAGES,
    watcher: Watcher | None = None,
    reach: Reach | None = None,
) -> BuildResult:
    """Run the stages asked for, in their order.

    Args:
        reach: what fetching may connect to; None is hosts of the public internet only.

    Raises:
        ConfigError: the folder is not this corpus's, its base is not one, or a package is missing that it asks for.
        LookupError: a stage before those asked for is not finished.
    """
    watcher = watcher or Watcher()
    # What is wrong with the flags or the sources is said before anything is written.
    engine.to_beam()
    if "ingest" in stages:
        require_extras(config)
    for source in config.sources:
        check_source(source, config.fetch_of(source))
    run = open_run(config, out)
    with only_build(run.store) as run.held:
        if "ingest" in stages:
            open_bases(run)
        return _build(run, engine.of_run(run.root), stages, watcher, reach or Reach())


def _build(run: Run, engine: EngineOptions, stages: Sequence[StageName], watcher: Watcher, reach: Reach) -> BuildResult:
    config = run.config
    report = BuildReport()
    statistics, manifest = None, None
    if "ingest" in stages:
        render_sources(config, run.root, watcher)
        report = ingest(run, engine, watcher, reach)
    if "judge" in stages:
        statistics = judge(run, engine, watcher)
    if "shard" in stages:
        statistics = statistics or judge(run, engine, watcher)
        manifest = shard(run, engine, watcher, statistics)
    run.drop_scratch("ingest", "units", "adopt", "write", "shards", "local", "kept", "dataflow")
    planted = _planted(run, config) if statistics is not None else None
    if statistics is not None and manifest is not None:
        write_report(run, statistics, manifest, planted)
    return BuildResult(
        run=run,
        statistics=statistics,
        manifest=manifest,
        limits_broken=report.limits_broken,
        rejects=report.rejects,
        planted=planted,
    )


def _planted(run: Run, config: CorpusConfig) -> tuple[int, int] | None:
    if not any(source.format == "synthetic" for source in config.sources):
        return None
    return find_planted(run.store, planted_copies(config))


def write_report(run: Run, statistics: Statistics, manifest: Manifest, planted: tuple[int, int] | None) -> None:
    """Write the page of a run."""
    page = render_page(statistics, page_facts(run.store, statistics, manifest, planted))
    run.store.write(REPORT_HTML, page.encode("utf-8"))


def config_with_cuts(config: CorpusConfig, cuts: Path, out: RunAddress) -> CorpusConfig:
    """Return a corpus config with the cuts of a file, for a run that was scored as the file says.

    Raises:
        ConfigError: the file cannot be read, or is not of this corpus and this run's scores.
    """
    return with_cuts(config, load_cuts(cuts), read_run(out).scorer)
