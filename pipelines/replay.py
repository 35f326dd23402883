"""Replay: the rejects of a run again, and only those; the result is merged and judged and sharded as before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from curation.replay import Marked, mark_rejects, mark_unscored
from curation.unit_reading import all_rejects
from pipelines.build import BuildResult, build
from pipelines.engine import EngineOptions
from pipelines.finished import scored_units
from pipelines.run_folder import Run, only_build, open_run, read_run
from pipelines.watching import Watcher
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.reasons import Reason
from schemas.run import RunAddress

RejectKey = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What a replay came to.

    Attributes:
        marked: what was worked on again.
        before, after: (source, stage, reason) -> rejects of the run.
        built: the build that did the work; None when there was nothing to do.
    """

    marked: Marked
    before: Counter[RejectKey]
    after: Counter[RejectKey]
    built: BuildResult | None


def replay(root: RunAddress, reason: str | None, engine: EngineOptions, watcher: Watcher | None = None) -> ReplayResult:
    """Work on a run's rejects again and bring every stage that was finished up to date.

    Args:
        reason: a reason code; None is all that a second attempt may cure.

    Raises:
        ConfigError: there is no such run or reason, or the run's ingest is not finished.
    """
    wanted = _reason(reason)
    state = read_run(root)
    if state.stage("ingest") is None:
        raise ConfigError(
            f"RUN is {root}: its ingest is not finished; allowed: an ingested run; run `clipstrata build`"
        )
    config = CorpusConfig.model_validate(state.config)
    run = open_run(config, root)
    before = _rejects(run)
    with only_build(run.store) as run.held:
        marked = mark_rejects(run.store, wanted)
        mark_unscored(run.store, scored_units(run).scoring, wanted, marked)
    if not marked.spans:
        return ReplayResult(marked=marked, before=before, after=before, built=None)
    stages = tuple(done.stage for done in state.stages)
    built = build(config, root, engine, stages=stages, watcher=watcher)
    return ReplayResult(marked=marked, before=before, after=_rejects(built.run), built=built)


def _reason(code: str | None) -> Reason | None:
    if code is None:
        return None
    try:
        return Reason(code)
    except ValueError:
        known = ", ".join(sorted(reason.value for reason in Reason))
        raise ConfigError(f"--reason is {code!r}; allowed: {known}; `clipstrata stats RUN` shows the run's") from None


def _rejects(run: Run) -> Counter[RejectKey]:
    units = scored_units(run)
    counts: Counter[RejectKey] = Counter()
    for (source, stage, scope, reason), count in all_rejects(units.store, map(units.read, units.names)).items():
        if scope != "text":
            counts[source, stage, reason] += count
    return counts
