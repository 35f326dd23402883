"""The stages of a build around their Beam jobs: what each depends on, when it is up to date, how it is committed."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from curation.manifests import commit_manifest, read_manifest, read_pointer
from curation.media import FramePlan, media_fingerprint
from curation.progress import clear, read_totals
from curation.scorers import load_open_clip
from curation.statistics import Counted, build_statistics, histogram_rows, over_reject_limit, sum_ledgers
from curation.unit_parts import read_commit
from curation.unit_plan import ingest_facts
from pipelines.engine import EngineOptions
from pipelines.ingest import run_ingest
from pipelines.judge import run_judge
from pipelines.run_folder import Run
from pipelines.shard import run_shard
from pipelines.watching import Watcher
from schemas.arrow import HISTOGRAMS, parquet_bytes
from schemas.canonical import canonical_json, digest_of, sha256_hex
from schemas.manifest import BucketPlan, Fingerprints, Manifest, ShardFacts, SourceFacts
from schemas.run import HISTOGRAMS_PARQUET, STATISTICS_JSON, StageState, chain_fingerprint, unit_path
from schemas.statistics import ScoreHistogram, ScorerFacts, Statistics
from schemas.units import UnitCommit

# Folders whose files belong to ingest units and go when their unit does.
_PART_FOLDERS = ("records", "samples", "texts", "scores", "rejects")


class StageNotReady(ValueError):
    """A stage was asked for before the one that it stands on."""


@dataclass
class BuildReport:
    """What the stages tell their caller.

    Attributes:
        limits_broken: one line per source that rejected more than its config allows.
    """

    limits_broken: list[str] = field(default_factory=list)


def ingest(run: Run, engine: EngineOptions, watcher: Watcher) -> BuildReport:
    """Read, cut and score what is not committed yet; drop the parts of units that no longer exist."""
    started = time.monotonic()
    config = run.config
    scorer = load_open_clip(config.scorer.model, config.scorer.pretrained)
    media: dict[str, Any] = media_fingerprint()
    facts = ingest_facts(config, scorer.digest, media)
    folder = run.fresh_scratch("ingest")
    clear(run.root, "ingest")
    with watcher.watch(run.root, "ingest"):
        run_ingest(config, str(run.root), facts, engine, folder)
    names = sorted(path.rsplit("/", 1)[1] for path in run.store.list(folder))
    commits = _commits(run, names)
    _drop_stale_units(run, commits)
    outputs = ingest_outputs(run, names)
    fingerprint = chain_fingerprint("ingest", "", facts=facts, units=names)
    seconds = time.monotonic() - started
    before = run.state.stage("ingest")
    run.note_timings({"ingest_wall_s": seconds, **_ingest_timings(run)})
    if before is None or before.outputs != outputs:
        run.finish("ingest", fingerprint, outputs, seconds)
    frames = FramePlan(count=config.scorer.frames, size_px=scorer.image_size)
    facts_of_scorer = ScorerFacts(
        name=scorer.name,
        digest=scorer.digest,
        frame_plan=frames.name,
        aggregation=config.scorer.aggregation,
        prompt=config.scorer.prompt,
    )
    # Judging loads no model: what it must know of the scorer lies in run.json.
    run.note_scorer(facts_of_scorer)
    return BuildReport(limits_broken=list(over_reject_limit(config, sum_ledgers(commits, config))))


def ingest_outputs(run: Run, units: list[str]) -> str:
    """Return the digest of what ingest wrote: each unit's commit, which holds the digests of its parts."""
    return digest_of([[unit, sha256_hex(run.store.read(unit_path(unit)))] for unit in sorted(units)])


def _commits(run: Run, names: list[str]) -> list[UnitCommit]:
    commits = [read_commit(run.store, name) for name in names]
    missing = [name for name, commit in zip(names, commits, strict=True) if commit is None]
    if missing:
        raise FileNotFoundError(f"units {missing[:3]} are not committed; run ingest again")
    return [commit for commit in commits if commit is not None]


def committed_units(run: Run) -> list[UnitCommit]:
    """Return the commits of the run's units, by name."""
    names = [path.rsplit("/", 1)[1].removesuffix(".json") for path in run.store.list("units")]
    return _commits(run, names)


def _drop_stale_units(run: Run, commits: list[UnitCommit]) -> None:
    """Remove what no current unit owns; commits go first, so that a kill never leaves a unit without its parts."""
    current = {unit_path(commit.unit) for commit in commits}
    for path in list(run.store.list("units")):
        if path not in current:
            run.store.delete(path)
    parts = {part.path for commit in commits for part in commit.parts.values()}
    for folder in _PART_FOLDERS:
        for path in list(run.store.list(folder)):
            if path not in parts:
                run.store.delete(path)


def _ingest_timings(run: Run) -> dict[str, float]:
    totals = read_totals(run.root, "ingest")
    video, unit = totals.get("video", Counter()), totals.get("unit", Counter())
    return {
        "ingest_clips": float(video["clips"]),
        "ingest_child_cpu_s": float(video["child_cpu_s"]),
        "ingest_ffmpeg_cpu_s": float(video["ffmpeg_cpu_s"]),
        "ingest_media_wall_s": float(video["wall_s"]),
        "ingest_scoring_s": float(unit["scoring_s"]),
        "ingest_units_s": float(unit["seconds"]),
    }


def judge(run: Run, engine: EngineOptions, watcher: Watcher) -> Statistics:
    """Count, cut, group and select; reads no media. Up to date when its config and inputs are those of last time."""
    started = time.monotonic()
    commits = committed_units(run)
    before = _matching_ingest(run, commits)
    fingerprint = chain_fingerprint("judge", before.outputs, config=_judge_config(run))
    done = run.state.stage("judge")
    if done is not None and done.fingerprint == fingerprint and done.outputs == _judge_outputs(run):
        return read_statistics(run)
    folder = run.fresh_scratch("judge")
    with watcher.watch(run.root, "judge"):
        run_judge(run.config, str(run.root), [commit.unit for commit in commits], engine, folder)
    left = _read_scratch(run, folder)
    selection = {str(value) for name, value in left.items() if name.startswith("part-")}
    for path in list(run.store.list("selection")):
        if path not in selection:
            run.store.delete(path)
    bits = sorted(value for name, value in left.items() if name.startswith("bits-"))
    run.store.write("selection/plan.json", canonical_json(bits, indent=2))
    statistics = _write_statistics(run, commits, left)
    run.finish("judge", fingerprint, _judge_outputs(run), time.monotonic() - started)
    return statistics


def _matching_ingest(run: Run, commits: list[UnitCommit]) -> StageState:
    """Return the finished ingest that the units on disk are of.

    Raises:
        StageNotReady: there is none, it was stopped half way, or the corpus has other sources now.
    """
    before = run.state.stage("ingest")
    if before is None:
        raise StageNotReady("this run has no finished ingest; run `clipstrata ingest` or `clipstrata build` first")
    strangers = {commit.source for commit in commits} - {source.name for source in run.config.sources}
    if strangers or before.outputs != ingest_outputs(run, [commit.unit for commit in commits]):
        raise StageNotReady(
            "the units on disk are not those of the last finished ingest (it was stopped, or the sources changed); run "
            "`clipstrata ingest` or `clipstrata build`"
        )
    return before


def _judge_outputs(run: Run) -> str:
    return digest_of(_digests(run, "stats", "selection"))


def _judge_config(run: Run) -> dict[str, Any]:
    config = run.config
    return {
        "aggregation": config.scorer.aggregation,
        "cuts": {source.name: config.cuts_of(source).model_dump(mode="json") for source in config.sources},
        "origins": {source.name: [source.origin, source.licence.name] for source in config.sources},
        "weights": config.weights.model_dump(mode="json"),
        "duplicates": config.duplicates.model_dump(mode="json"),
        "shards": config.shards.model_dump(mode="json"),
        "corpus": config.corpus,
        "order": [source.name for source in config.sources],
    }


def _read_scratch(run: Run, folder: str) -> dict[str, Any]:
    paths = run.store.list(folder)
    return {path.rsplit("/", 1)[1].removesuffix(".json"): json.loads(run.store.read(path)) for path in paths}


def _scorer_facts(run: Run) -> ScorerFacts:
    if run.state.scorer is None:
        raise StageNotReady("this run names no scorer; run `clipstrata ingest` or `clipstrata build` first")
    return run.state.scorer.model_copy(update={"aggregation": run.config.scorer.aggregation})


def _write_statistics(run: Run, commits: list[UnitCommit], left: dict[str, Any]) -> Statistics:
    pairs = [pair for name, value in left.items() if name.startswith("tallies-") for pair in value]
    histograms = {}
    for name, value in left.items():
        if name.startswith("histogram-"):
            source, kind, aggregation = name.removeprefix("histogram-").split("-")
            histograms[source, kind, aggregation] = ScoreHistogram.model_validate(value)
    counted = Counted(
        tallies={tuple(key): value for key, value in pairs},
        histograms=histograms,
        ledgers=sum_ledgers(commits, run.config),
    )
    statistics = build_statistics(run.config, counted, _scorer_facts(run))
    run.store.write(STATISTICS_JSON, canonical_json(statistics.model_dump(mode="json"), indent=1))
    run.store.write(HISTOGRAMS_PARQUET, parquet_bytes(histogram_rows(histograms), HISTOGRAMS))
    return statistics


def read_statistics(run: Run) -> Statistics:
    """Return the statistics of a judged run."""
    return Statistics.model_validate_json(run.store.read(STATISTICS_JSON))


def _digests(run: Run, *folders: str) -> dict[str, str]:
    return {path: run.store.sha256(path) for folder in folders for path in run.store.list(folder)}


def shard(run: Run, engine: EngineOptions, watcher: Watcher, statistics: Statistics) -> Manifest:
    """Pack the selection into tars and commit a manifest, last of all."""
    started = time.monotonic()
    judged, ingested = run.state.stage("judge"), run.state.stage("ingest")
    if judged is None or ingested is None:
        raise StageNotReady("this run is not judged yet; run `clipstrata judge` or `clipstrata build` first")
    licences = [[source.name, source.licence.model_dump(mode="json")] for source in run.config.sources]
    fingerprint = chain_fingerprint("shard", judged.outputs, ingest=ingested.outputs, licences=licences)
    current = _current_manifest(run, fingerprint)
    if current is not None:
        return current
    folder = run.fresh_scratch("shard")
    clear(run.root, "shard")
    selection = [path for path in run.store.list("selection") if path.endswith(".parquet")]
    with watcher.watch(run.root, "shard"):
        units = [commit.unit for commit in committed_units(run)]
        run_shard(run.config.corpus, str(run.root), units, selection, engine, folder)
    shards = [ShardFacts.model_validate(value) for value in _read_scratch(run, folder).values()]
    chain = Fingerprints(ingest=ingested.fingerprint, judge=judged.fingerprint, shard=fingerprint)
    manifest = commit_manifest(run.store, _draft_manifest(run, statistics, shards, chain))
    run.finish("shard", fingerprint, sha256_hex(manifest.to_bytes()), time.monotonic() - started)
    return manifest


def _current_manifest(run: Run, fingerprint: str) -> Manifest | None:
    """Return the latest manifest when it is of this very selection and all its shards are there."""
    pointer, done = read_pointer(run.store), run.state.stage("shard")
    if pointer is None or done is None or done.fingerprint != fingerprint:
        return None
    manifest = read_manifest(run.store, pointer.version)
    whole = all(run.store.exists(facts.path) and run.store.size(facts.path) == facts.bytes for facts in manifest.shards)
    return manifest if whole else None


def _draft_manifest(run: Run, statistics: Statistics, shards: list[ShardFacts], chain: Fingerprints) -> Manifest:
    config = run.config
    weights = config.weights.model_dump()
    plan = json.loads(run.store.read("selection/plan.json"))
    return Manifest(
        corpus=config.corpus,
        version=0,
        base=None,
        scorer=statistics.scorer.digest,
        fingerprints=chain,
        sources=tuple(_source_facts(run, statistics)),
        weights_1e4={tier: round(weight * 10_000) for tier, weight in weights.items()},
        plan=tuple(BucketPlan(tier=tier, source=source, bits=bits) for tier, source, bits in plan),
        shards=tuple(sorted(shards, key=lambda facts: facts.path)),
        files=_digests(run, "stats", "selection"),
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
