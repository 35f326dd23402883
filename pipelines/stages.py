"""The stages of a build around their Beam jobs: what each depends on, when it is up to date, how it is committed."""

from __future__ import annotations

import json
import time
from typing import Any

from curation.manifests import commit_manifest, read_manifest, read_pointer
from curation.progress import clear
from curation.statistics import Counted, build_statistics, statistics_tables, sum_ledgers
from pipelines.base import base_name
from pipelines.duplicates import find_duplicates
from pipelines.engine import EngineOptions
from pipelines.finished import (
    StageNotReady,
    digests,
    finished_duplicates,
    finished_ingest,
    scored_units,
    scorer_facts,
)
from pipelines.judge import partition_bits, run_judge, whole_tables
from pipelines.judge_steps import JudgeJob
from pipelines.run_folder import Run, read_statistics
from pipelines.scratch import read_tables
from pipelines.shard import ShardJob, run_shard
from pipelines.watching import Watcher
from schemas.arrow import SELECTION
from schemas.canonical import canonical_json, digest_of, sha256_hex
from schemas.judging import TRAINING_STAGES, Balance
from schemas.manifest import MANIFEST_SCHEMA, BucketPlan, Fingerprints, Manifest, ShardFacts, SourceFacts
from schemas.run import (
    DUPLICATES_JSON,
    STATISTICS_JSON,
    chain_fingerprint,
)
from schemas.shards import sidecar_path
from schemas.statistics import STATISTICS_SCHEMA, DuplicateSummary, Statistics
from schemas.units import UnitCommit


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
    with watcher.watch(run.root, "shard"):
        run_shard(shard_job(run), engine, folder)
    shards = [ShardFacts.model_validate(value) for value in _read_scratch(run, folder).values()]
    chain = Fingerprints(ingest=ingested.fingerprint, judge=judged.fingerprint, shard=fingerprint)
    run.check_held()
    manifest = commit_manifest(run.store, _draft_manifest(run, statistics, shards, chain).model_copy(update=facts))
    run.finish("shard", fingerprint, sha256_hex(manifest.to_bytes()), time.monotonic() - started)
    return manifest


def shard_job(run: Run) -> ShardJob:
    """Return what of a judged run goes into shards."""
    selection = tuple(path for path in run.store.list("selection") if path.endswith(".parquet"))
    return ShardJob(config=run.config, units=scored_units(run), selection=selection)


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
