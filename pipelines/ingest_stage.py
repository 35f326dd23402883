"""The ingest stage around its Beam job: what it depends on, what it drops and how it is committed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.fetching import Reach
from curation.long_videos import LONG_VIDEOS
from curation.media import FramePlan, media_fingerprint
from curation.media.extras import extras_fingerprint
from curation.progress import clear, read_totals
from curation.row_spool import RowsLostError, new_key
from curation.score_cache import cache_group
from curation.scorers import Numerics, choose_numerics, load_open_clip, scorer_digest
from curation.scorers.numerics import ThisMachine
from curation.statistics import over_reject_limit, sum_ledgers
from curation.unit_plan import ingest_facts
from curation.unit_reading import all_rejects
from pipelines.engine import EngineOptions
from pipelines.finished import (
    ingest_outputs,
)
from pipelines.grouping import Grouping
from pipelines.ingest import run_ingest
from pipelines.run_folder import Run
from pipelines.scoring import ScorerSpec, ScoringOptions
from pipelines.unit_workers import IngestJob, StoredUnits, fetch_cache
from pipelines.units import ScoredUnits
from pipelines.watching import Watcher
from schemas.reasons import Reason
from schemas.run import (
    chain_fingerprint,
    clips_path,
    unit_path,
)
from schemas.statistics import ScorerFacts
from schemas.units import UnitCommit

# Where rows lie, encrypted, until they are in their units; gone when the job is over, however it ends.
SPOOLED = "ingest-rows"
# Folders whose files belong to ingest units, by name, and go when their unit does.
_PART_FOLDERS = ("records", "samples", "texts", "scores", "embeddings", "rejects")


class IngestStopped(RuntimeError):
    """Ingest ended early because going on would have rejected what a later run can get; what is done stays done."""


@dataclass
class BuildReport:
    """What the stages tell their caller.

    Attributes:
        limits_broken: one line per source that rejected more than its config allows.
        rejects: (source, stage, scope, reason) -> how many, where a limit is broken.
    """

    limits_broken: list[str] = field(default_factory=list)
    rejects: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)


def ingest(
    run: Run, engine: EngineOptions, watcher: Watcher, reach: Reach, stored: StoredUnits | None = None
) -> BuildReport:
    """Read, fetch, cut and score what is not committed yet; drop the parts of units that no longer exist.

    Args:
        stored: make these units of the run again from their own parts, and read no source.
    """
    started = time.monotonic()
    job = ingest_job(run, reach, stored)
    facts, scorer = job.facts, job.scorer
    with watcher.watch(run.root, "ingest"):
        read = _run_job(run, job, engine)
    kept = () if stored is None else stored.kept
    names = sorted({*kept, *(path.rsplit("/", 1)[1] for path in run.store.list(job.folder))})
    commits = _commits(run, scorer, names)
    check_rows(read, commits)
    run.check_held()
    drop_stale_units(run, commits)
    run.store.clear(LONG_VIDEOS)
    if not run.config.scorer.keep_frames:
        run.store.clear("frames")
    outputs = ingest_outputs(run.store, scorer, names)
    fingerprint = chain_fingerprint("ingest", "", facts=facts.document(), scoring=scorer.scoring, units=names)
    seconds = time.monotonic() - started
    before = run.state.stage("ingest")
    run.note_timings({"ingest_wall_s": seconds, **_ingest_timings(run)})
    if before is None or before.outputs != outputs:
        run.finish("ingest", fingerprint, outputs, seconds)
    # Judging loads no model: what it must know of the scorer lies in run.json.
    run.note_scorer(scorer)
    return _build_report(run, commits)


def ingest_job(run: Run, reach: Reach, stored: StoredUnits | None = None) -> IngestJob:
    """Return the ingest of a run, with its scratch folder empty."""
    scorer, scoring = _scoring(run)
    media: dict[str, Any] = {**media_fingerprint(), **extras_fingerprint(run.config)}
    folder = run.fresh_scratch("ingest")
    clear(run.root, "ingest")
    return IngestJob(
        config=run.config,
        root=run.store.address,
        facts=ingest_facts(run.config, media),
        frames=scoring.plan,
        scorer=scorer,
        scoring=scoring,
        folder=folder,
        reach=reach,
        grouping=Grouping(config=run.config, root=run.store.address, folder=f"tmp/{SPOOLED}", key=new_key()),
        stored=stored,
    )


def _scoring(run: Run) -> tuple[ScorerFacts, ScoringOptions]:
    """Return what defines the run's scores, and how workers come to them."""
    wanted = run.config.scorer
    model = load_open_clip(wanted.model, wanted.pretrained)
    numerics = _numerics(wanted.device, wanted.dtype)
    digest = scorer_digest(model.digest, numerics)
    frames = FramePlan(count=wanted.frames, size_px=model.image_size)
    facts = ScorerFacts(
        name=model.name,
        digest=digest,
        frame_plan=frames.name,
        aggregation=wanted.aggregation,
        prompt=wanted.prompt,
        top_k=wanted.top_k,
    )
    spec = ScorerSpec(
        model=wanted.model,
        pretrained=wanted.pretrained,
        device=numerics.device,
        dtype=numerics.dtype,
        digest=digest,
    )
    return facts, ScoringOptions(
        root=run.store.address, scorer=spec, plan=frames, prompt=wanted.prompt, top_k=wanted.top_k
    )


def _numerics(device: str, dtype: str) -> Numerics:
    """Return what workers compute with. `auto` is resolved here, once: each worker would resolve it for itself.

    What is named is not looked for here: the machine that starts a job need not have the workers' GPU.
    """
    if "auto" in (device, dtype):
        return choose_numerics(device, dtype, ThisMachine())
    return Numerics(device=device, dtype=dtype)


def _run_job(run: Run, job: IngestJob, engine: EngineOptions) -> dict[str, int]:
    """Run the Beam job; return source -> how many rows its readers found. A host that gave up is told as such.

    Raises:
        IngestStopped: a host that worked answers no more.
    """
    cache, stopped = fetch_cache(run.config, run.store, job.grouping.key), f"{job.folder}-stopped"
    run.store.delete(stopped)
    run.drop_scratch(SPOOLED)
    # What failed for a while in an earlier attempt is asked for again.
    cache.forget_failures()
    try:
        run_ingest(job, engine)
        read = job.grouping.rows_read() if job.stored is None else dict(job.stored.rows)
    except RuntimeError as error:
        if run.store.exists(stopped):
            raise IngestStopped(run.store.read(stopped).decode("utf-8")) from error
        raise
    finally:
        run.drop_scratch(SPOOLED)
    cache.clear()
    return read


def _commits(run: Run, scorer: ScorerFacts, names: list[str]) -> list[UnitCommit]:
    units = ScoredUnits(root=run.store.address, scoring=scorer.scoring, names=tuple(names))
    return [units.read(name) for name in names]


def check_rows(read: Mapping[str, int], commits: Iterable[UnitCommit]) -> None:
    """Compare the rows that readers found with those that units account for.

    Args:
        read: by source; a source without rows may be missing.

    Raises:
        RowsLostError: a source's rows are not those of its units.
    """
    held = Counter[str]()
    for commit in commits:
        held[commit.source] += commit.ledger.records_read
    for source in sorted({*read, *held}):
        if read.get(source, 0) != held[source]:
            raise RowsLostError(
                f"source {source}: {read.get(source, 0)} rows were read, and its units hold {held[source]}; run again"
            )


def drop_stale_units(run: Run, commits: list[UnitCommit]) -> None:
    """Remove what no current unit owns; commits go first, so that a kill never leaves a unit without its parts.

    Scores of another scorer stay as long as the unit does, and what a scorer has computed by content stays for good.
    """
    units = {commit.unit for commit in commits}
    current = {unit_path(unit) for unit in units} | {clips_path(commit.clips) for commit in commits}
    for path in [*run.store.list("units"), *run.store.list("clips")]:
        if path not in current:
            run.store.delete(path)
    for folder in _PART_FOLDERS:
        for path in list(run.store.list(folder)):
            if cache_group(path) is None and path.rsplit("/", 1)[1].partition(".")[0] not in units:
                run.store.delete(path)


def _ingest_timings(run: Run) -> dict[str, float]:
    totals = read_totals(run.root, "ingest")

    def amount(name: str, *events: str) -> float:
        return sum(float(totals.get(event, Counter())[name]) for event in events)

    return {
        "ingest_clips": amount("clips", "video", "piece"),
        "ingest_child_cpu_s": amount("child_cpu_s", "video", "piece"),
        "ingest_ffmpeg_cpu_s": amount("ffmpeg_cpu_s", "video", "piece"),
        "ingest_media_wall_s": amount("wall_s", "video", "piece"),
        "ingest_scoring_s": amount("seconds", "scoring"),
        "ingest_units_s": amount("seconds", "unit", "part"),
    }


def _build_report(run: Run, commits: list[UnitCommit]) -> BuildReport:
    ledgers = sum_ledgers(commits, run.config)
    if not over_reject_limit(run.config, ledgers, {}):
        return BuildReport()
    rejects = all_rejects(run.store, commits)
    suppressed = Counter[tuple[str, str]]()
    for (source, _, scope, reason), count in rejects.items():
        suppressed[source, scope] += count if reason == Reason.SUPPRESSED else 0
    broken = list(over_reject_limit(run.config, ledgers, suppressed))
    return BuildReport(limits_broken=broken, rejects=rejects if broken else Counter())
