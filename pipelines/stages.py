"""The stages of a build around their Beam jobs: what each depends on, when it is up to date, how it is committed."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.fetching import Reach
from curation.long_videos import LONG_VIDEOS
from curation.manifests import commit_manifest, read_manifest, read_pointer
from curation.media import FramePlan, media_fingerprint
from curation.media.extras import extras_fingerprint
from curation.progress import clear, read_totals
from curation.row_spool import RowsLostError, new_key
from curation.score_cache import cache_group
from curation.scorers import Numerics, choose_numerics, load_open_clip, scorer_digest
from curation.scorers.numerics import ThisMachine
from curation.statistics import Counted, build_statistics, over_reject_limit, statistics_tables, sum_ledgers
from curation.unit_plan import ingest_facts
from curation.unit_reading import all_rejects
from pipelines.base import base_name
from pipelines.duplicates import find_duplicates
from pipelines.engine import EngineOptions
from pipelines.finished import (
    StageNotReady,
    digests,
    finished_duplicates,
    finished_ingest,
    ingest_outputs,
    scored_units,
    scorer_facts,
)
from pipelines.grouping import Grouping
from pipelines.ingest import run_ingest
from pipelines.judge import partition_bits, run_judge, whole_tables
from pipelines.judge_steps import JudgeJob
from pipelines.run_folder import Run, read_statistics
from pipelines.scoring import ScorerSpec, ScoringOptions
from pipelines.scratch import read_tables
from pipelines.shard import run_shard
from pipelines.unit_workers import IngestJob, StoredUnits, fetch_cache
from pipelines.units import ScoredUnits
from pipelines.watching import Watcher
from schemas.arrow import SELECTION
from schemas.canonical import canonical_json, digest_of, sha256_hex
from schemas.judging import TRAINING_STAGES, Balance
from schemas.manifest import MANIFEST_SCHEMA, BucketPlan, Fingerprints, Manifest, ShardFacts, SourceFacts
from schemas.reasons import Reason
from schemas.run import (
    DUPLICATES_JSON,
    STATISTICS_JSON,
    chain_fingerprint,
    clips_path,
    unit_path,
)
from schemas.shards import sidecar_path
from schemas.statistics import STATISTICS_SCHEMA, DuplicateSummary, ScorerFacts, Statistics
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


def _commits(run: Run, scorer: ScorerFacts, names: list[str]) -> list[UnitCommit]:
    units = ScoredUnits(root=run.store.address, scoring=scorer.scoring, names=tuple(names))
    return [units.read(name) for name in names]


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


def judge(run: Run, engine: EngineOptions, watcher: Watcher) -> Statistics:
    """Find duplicates, count, cut and select; reads no media.

    Up to date when its config and inputs are those of last time; a changed cut finds no duplicates anew.
    """
    started = time.monotonic()
    find_duplicates(run, engine, watcher)
    before, units, commits = finished_ingest(run)
    found = finished_duplicates(run)
    fingerprint = chain_fingerprint("judge", before.outputs, duplicates=found.outputs, config=_judge_config(run))
    done = run.state.stage("judge")
    if done is not None and done.fingerprint == fingerprint and done.outputs == _judge_outputs(run):
        return read_statistics(run.root)
    folder = run.fresh_scratch("judge")
    job = JudgeJob(config=run.config, units=units, folder=folder, partition_bits=partition_bits(commits))
    with watcher.watch(run.root, "judge"):
        run_judge(job, commits, engine)
    left = _read_scratch(run, folder)
    selection = {str(value) for name, value in left.items() if name.startswith("part-")}
    for path in list(run.store.list("selection")):
        if path not in selection:
            run.store.delete(path)
    bits = sorted(value for name, value in left.items() if name.startswith("bits-"))
    run.store.write("selection/plan.json", canonical_json(bits, indent=2))
    statistics = _write_statistics(run, commits, folder)
    run.finish("judge", fingerprint, _judge_outputs(run), time.monotonic() - started)
    return statistics


def _judge_outputs(run: Run) -> str:
    return digest_of(digests(run, "stats", "selection"))


def _judge_config(run: Run) -> dict[str, Any]:
    config = run.config
    return {
        "schema": STATISTICS_SCHEMA,
        "selection": SELECTION.names,
        "aggregation": config.scorer.aggregation,
        "cuts": {source.name: config.cuts_of(source).model_dump(mode="json") for source in config.sources},
        "origins": {source.name: [source.origin, source.licence.name] for source in config.sources},
        "rules": {source.name: config.rules_of(source).model_dump(mode="json") for source in config.sources},
        "weights": {source.name: config.weights_of(source).model_dump(mode="json") for source in config.sources},
        "balance": _balance_facts(config.balance),
        "duplicates": config.duplicates.model_dump(mode="json", exclude={"benchmarks", "index"}),
        "shards": config.shards.model_dump(mode="json", exclude={"embeddings"}),
        "corpus": config.corpus,
        "order": [source.name for source in config.sources],
    }


def _balance_facts(balance: Balance | None) -> dict[str, Any] | None:
    """Return what balancing depends on: the concepts themselves, and not where their file lies."""
    if balance is None:
        return None
    options = balance.model_dump(mode="json", exclude={"concepts"})
    return {**options, "concepts": sha256_hex(balance.concepts.read_bytes())}


def _read_scratch(run: Run, folder: str) -> dict[str, Any]:
    paths = [path for path in run.store.list(folder) if path.endswith(".json")]
    return {path.rsplit("/", 1)[1].removesuffix(".json"): json.loads(run.store.read(path)) for path in paths}


def _write_statistics(run: Run, commits: list[UnitCommit], folder: str) -> Statistics:
    tables = whole_tables(read_tables(run.store.address, folder))
    counted = Counted(tables=tables, ledgers=sum_ledgers(commits, run.config))
    found = DuplicateSummary.model_validate_json(run.store.read(DUPLICATES_JSON))
    statistics = build_statistics(run.config, counted, scorer_facts(run), found)
    run.store.write(STATISTICS_JSON, canonical_json(statistics.model_dump(mode="json"), indent=1))
    for path, data in statistics_tables(counted).items():
        run.store.write(path, data)
    # As they read back: a page of statistics just counted has the bytes of one of statistics that were there.
    return read_statistics(run.root)


def shard(run: Run, engine: EngineOptions, watcher: Watcher, statistics: Statistics) -> Manifest:
    """Pack the selection into tars and commit a manifest, last of all."""
    started = time.monotonic()
    judged, ingested = run.state.stage("judge"), run.state.stage("ingest")
    if judged is None or ingested is None:
        raise StageNotReady("this run is not judged yet; run `clipstrata judge` or `clipstrata build` first")
    moves = run.config.duplicates.move_texts
    licences = [[source.name, source.licence.model_dump(mode="json")] for source in run.config.sources]
    base = base_name(run)
    facts = {} if base is None else {"base": base}
    written = {"manifest": MANIFEST_SCHEMA, "embeddings": run.config.shards.embeddings}
    fingerprint = chain_fingerprint(
        "shard", judged.outputs, ingest=ingested.outputs, licences=licences, moves=moves, **written, **facts
    )
    current = _current_manifest(run, fingerprint)
    if current is not None:
        return current
    folder = run.fresh_scratch("shard")
    clear(run.root, "shard")
    selection = [path for path in run.store.list("selection") if path.endswith(".parquet")]
    with watcher.watch(run.root, "shard"):
        run_shard(run.config, scored_units(run), selection, engine, folder)
    shards = [ShardFacts.model_validate(value) for value in _read_scratch(run, folder).values()]
    chain = Fingerprints(ingest=ingested.fingerprint, judge=judged.fingerprint, shard=fingerprint)
    run.check_held()
    manifest = commit_manifest(run.store, _draft_manifest(run, statistics, shards, chain).model_copy(update=facts))
    run.finish("shard", fingerprint, sha256_hex(manifest.to_bytes()), time.monotonic() - started)
    return manifest


def _current_manifest(run: Run, fingerprint: str) -> Manifest | None:
    """Return the latest manifest when it is of this very selection and all its shards are there."""
    pointer, done = read_pointer(run.store), run.state.stage("shard")
    if pointer is None or done is None or done.fingerprint != fingerprint:
        return None
    manifest = read_manifest(run.store, pointer.version)
    whole = all(_is_whole(run, facts) for facts in manifest.shards)
    return manifest if whole else None


def _is_whole(run: Run, facts: ShardFacts) -> bool:
    there = run.store.exists(facts.path) and run.store.exists(sidecar_path(facts.path))
    return there and run.store.size(facts.path) == facts.bytes


def _draft_manifest(run: Run, statistics: Statistics, shards: list[ShardFacts], chain: Fingerprints) -> Manifest:
    config = run.config
    weights = {stage: config.weights.of_stage(stage).model_dump() for stage in TRAINING_STAGES}
    plan = json.loads(run.store.read("selection/plan.json"))
    return Manifest(
        corpus=config.corpus,
        version=0,
        base=None,
        scorer=statistics.scorer.digest,
        fingerprints=chain,
        sources=tuple(_source_facts(run, statistics)),
        weights_1e4={
            f"{stage}/{tier}": round(weight * 10_000) for stage, own in weights.items() for tier, weight in own.items()
        },
        plan=tuple(BucketPlan(tier=tier, source=source, shape=shape, bits=bits) for tier, source, shape, bits in plan),
        shards=tuple(sorted(shards, key=lambda facts: facts.path)),
        files=digests(run, "duplicates", "stats", "selection"),
    )


def _source_facts(run: Run, statistics: Statistics) -> list[SourceFacts]:
    facts = []
    by_name = {counted.name: counted for counted in statistics.sources}
    for source in run.config.sources:
        counted = by_name[source.name]
        facts.append(
            SourceFacts(
                name=source.name,
                origin=source.origin.value,
                licence=source.licence.name,
                basis=source.licence.basis,
                terms=source.licence.terms,
                ledger=counted.ledger,
                samples=counted.samples,
                samples_merged=counted.samples_merged,
                samples_sharded=sum(tier.samples_sharded for tier in counted.tiers),
            )
        )
    return facts
