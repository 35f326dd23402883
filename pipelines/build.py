"""A build: render, ingest, judge, shard, and the page; each stage goes on where an earlier attempt stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from curation.sources import check_source
from curation.store import LocalStore
from curation.verify import find_planted
from dashboard import PageFacts, render_page
from pipelines.engine import EngineOptions
from pipelines.run_folder import Run, only_build, open_run
from pipelines.stages import ingest, judge, shard
from pipelines.watching import Watcher
from pipelines.world import planted_copies, render_sources
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.evaluation import Evaluation
from schemas.manifest import Manifest
from schemas.run import EVALUATION_JSON, REPORT_HTML, StageName, summary_path
from schemas.statistics import Statistics
from schemas.training import TrainingSummary

Document = TypeVar("Document", bound=BaseModel)

ALL_STAGES: tuple[StageName, ...] = ("ingest", "judge", "shard")


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build came to; a stage that was not asked for leaves None.

    Attributes:
        limits_broken: one line per source that rejected more than its config allows.
        planted: for the built-in world, (copies planted, copies found).
    """

    run: Run
    statistics: Statistics | None
    manifest: Manifest | None
    limits_broken: Sequence[str]
    planted: tuple[int, int] | None


def build(
    config: CorpusConfig,
    out: Path,
    engine: EngineOptions,
    *,
    stages: Sequence[StageName] = ALL_STAGES,
    watcher: Watcher | None = None,
) -> BuildResult:
    """Run the stages asked for, in their order.

    Raises:
        ConfigError: the folder is not this corpus's.
        LookupError: a stage before those asked for is not finished.
    """
    watcher = watcher or Watcher()
    # What is wrong with the flags or the sources is said before anything is written.
    engine.to_beam()
    for source in config.sources:
        check_source(source)
    run = open_run(config, out)
    with only_build(run.root):
        return _build(run, engine, stages, watcher)


def _build(run: Run, engine: EngineOptions, stages: Sequence[StageName], watcher: Watcher) -> BuildResult:
    config = run.config
    limits_broken: Sequence[str] = ()
    statistics, manifest = None, None
    if "ingest" in stages:
        render_sources(config, run.root, watcher)
        limits_broken = ingest(run, engine, watcher).limits_broken
    if "judge" in stages:
        statistics = judge(run, engine, watcher)
    if "shard" in stages:
        statistics = statistics or judge(run, engine, watcher)
        manifest = shard(run, engine, watcher, statistics)
    run.drop_scratch("ingest", "units", "adopt", "write", "shards")
    planted = _planted(run, config) if statistics is not None else None
    if statistics is not None and manifest is not None:
        write_report(run, statistics, manifest, planted)
    return BuildResult(run=run, statistics=statistics, manifest=manifest, limits_broken=limits_broken, planted=planted)


def _planted(run: Run, config: CorpusConfig) -> tuple[int, int] | None:
    if not any(source.format == "synthetic" for source in config.sources):
        return None
    return find_planted(run.store, planted_copies(config))


def write_report(run: Run, statistics: Statistics, manifest: Manifest, planted: tuple[int, int] | None) -> None:
    """Write the page of a run."""
    page = render_page(statistics, page_facts(run.store, manifest, planted))
    run.store.write(REPORT_HTML, page.encode("utf-8"))


def page_facts(store: LocalStore, manifest: Manifest, planted: tuple[int, int] | None) -> PageFacts:
    """Return what the page says beside the statistics."""
    training, evaluation = trained(store)
    return PageFacts(
        title=manifest.corpus,
        manifest_version=manifest.version,
        shards=len(manifest.shards),
        shard_bytes=sum(shard.bytes for shard in manifest.shards),
        planted_duplicates=None if planted is None else {"copied files": {"planted": planted[0], "found": planted[1]}},
        training=training,
        evaluation=evaluation,
    )


def trained(store: LocalStore) -> tuple[tuple[TrainingSummary, ...], Evaluation | None]:
    """Return the summaries of a run's finished training stages and its evaluation, as far as they are there.

    An evaluation of other weights than the stages hold now (one was trained again since) is left out.

    Raises:
        ConfigError: one of these files cannot be read.
    """
    parsed = [_parsed(store, summary_path(stage), TrainingSummary) for stage in (1, 2)]
    summaries = tuple(found for found in parsed if found is not None)
    evaluation = _parsed(store, EVALUATION_JSON, Evaluation)
    current = evaluation is not None and evaluation.is_of(summary.weights_sha256 for summary in summaries)
    return summaries, evaluation if current else None


def _parsed(store: LocalStore, path: str, model: type[Document]) -> Document | None:
    if not store.exists(path):
        return None
    try:
        return model.model_validate_json(store.read(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: cannot be read; remove it, and train or evaluate again") from error
