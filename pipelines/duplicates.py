"""The duplicates stage: scored units -> edges between clips -> groups. It knows nothing of tiers, cuts or rules."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import polars as pl

from curation.displays import LOG
from curation.duplicates import tasks
from curation.duplicates.benchmarks import read_hashes
from curation.duplicates.cells import SAMPLE_PER_CELL, fit_cells
from curation.duplicates.clips import as_vectors, node_signatures, read_embeddings
from curation.duplicates.components import partition_bits as label_bits
from curation.duplicates.edges import EdgeKind
from curation.duplicates.semantic import cell_count
from curation.judging.rows import SAMPLES_PER_GROUP, UnitGroup, group_units
from curation.judging.sums import pack, unpack
from pipelines import scratch
from pipelines.base import Base, base_name, open_bases
from pipelines.components import ROWS_PER_PARTITION, Components, EdgeFile, find_components
from pipelines.duplicate_index import (
    CELLS,
    CELLS_ARRAYS,
    cell_facts,
    finish_index,
    index_is_whole,
    posting_facts,
    write_indexed,
)
from pipelines.duplicate_job import CELLS_FILE, EDGE_ROWS, DuplicatesJob, Place, base_group
from pipelines.duplicate_steps import (
    FindPairs,
    LabelNodes,
    TellBase,
    TellClips,
    VerifyPairs,
    WriteMembers,
    tell_signatures,
)
from pipelines.engine import EngineOptions, running
from pipelines.finished import duplicates_outputs, finished_ingest
from pipelines.run_folder import Run
from pipelines.units import ScoredUnits
from pipelines.watching import Watcher
from schemas.canonical import canonical_json
from schemas.duplicate_index import DuplicateIndex
from schemas.duplicates import DuplicatePolicy
from schemas.run import DUPLICATES_JSON, chain_fingerprint
from schemas.statistics import DuplicateSummary
from schemas.units import UnitCommit

# Clips that one task compares, about: some 20 hashes of each in 8 postings of 24 bytes.
CLIPS_PER_PART = 50_000
MAX_BITS = 10
# Before the name of a benchmark, where groups of units have the name of theirs: no source has a + in its name.
BENCHMARK = "benchmark+"
GROUP_KINDS = ("duplicate", "near")


class FindEdges(beam.PTransform):
    """Groups of units of the run and of its base, and places that benchmarks told -> edges in the scratch folder, and
    counts as files there."""

    def __init__(self, job: DuplicatesJob) -> None:
        super().__init__()
        self.job = job

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> None:
        """Wire the job."""
        job = self.job
        told = inputs["groups"] | "TellClips" >> beam.ParDo(TellClips(job)).with_outputs("counts", main="told")
        known = inputs["base"] | "TellBase" >> beam.ParDo(TellBase(job)).with_outputs("counts", main="told")
        found = (
            (told.told, known.told, inputs["places"])
            | "AllPlaces" >> beam.Flatten()
            | "ByTask" >> beam.GroupByKey()
            | "FindPairs" >> beam.ParDo(FindPairs(job)).with_outputs("counts", "pairs", main="nothing")
        )
        verified = (
            found.pairs
            | "ByGroup" >> beam.GroupByKey()
            | "VerifyPairs" >> beam.ParDo(VerifyPairs(job)).with_outputs("counts", main="nothing")
        )
        _ = (
            (told.counts, known.counts, found.counts, verified.counts)
            | "AllCounts" >> beam.Flatten()
            | "AddCounts" >> beam.CombinePerKey(sum)
            | "WriteCounts"
            >> beam.MapTuple(lambda name, count: scratch.write_scratch(job.root, f"{job.folder}/counts", name, count))
        )


def find_duplicates(run: Run, engine: EngineOptions, watcher: Watcher, group_samples: int = SAMPLES_PER_GROUP) -> None:
    """Find edges and groups; up to date when its policy and inputs are those of last time.

    Args:
        group_samples: of a group of units, about; judging takes the same.
    """
    started = time.monotonic()
    before, units, commits = finished_ingest(run)
    facts = policy_facts(run.config.duplicates)
    base = base_name(run)
    if base is not None:
        facts["base"] = base
    fingerprint = chain_fingerprint("duplicates", before.outputs, **facts)
    done = run.state.stage("duplicates")
    same = done is not None and done.fingerprint == fingerprint and done.outputs == duplicates_outputs(run)
    if same and index_is_whole(run.store):
        return
    for path in list(run.store.list("duplicates")):
        run.store.delete(path)
    bases = open_bases(run)
    with watcher.watch(run.root, "duplicates"):
        summary = _find(run, bases, units, group_units(commits, group_samples), engine)
    # One that was built again meanwhile was read in two states.
    open_bases(run)
    run.store.write(DUPLICATES_JSON, canonical_json(summary.model_dump(mode="json"), indent=1))
    run.finish("duplicates", fingerprint, duplicates_outputs(run), time.monotonic() - started)


def policy_facts(policy: DuplicatePolicy) -> dict[str, object]:
    """Return what edges and groups depend on: what weights and texts become of them is judged later."""
    told = policy.model_dump(mode="json", exclude={"move_texts", "benchmarks"})
    for kind in ("semantic", "texts"):
        del told[kind]["min_weight"]
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "polars", "datasketch")}
    benchmarks = [[own.name, hashlib.sha256(own.hashes.read_bytes()).hexdigest()] for own in policy.benchmarks]
    return {"policy": told, "libraries": libraries, "benchmarks": benchmarks}


def _find(
    run: Run, bases: tuple[Base, ...], units: ScoredUnits, groups: Sequence[UnitGroup], engine: EngineOptions
) -> DuplicateSummary:
    policy, folder = run.config.duplicates, run.fresh_scratch("duplicates")
    if policy.scope == "off":
        return DuplicateSummary(counts={}, groups={}, thresholds=())
    hashes = {own.name: read_hashes(own.hashes) for own in policy.benchmarks}
    commits = [units.read(name) for group in groups for name in group.units]
    samples = sum(commit.ledger.samples_kept for commit in commits) + sum(base.clips for base in bases)
    known = [(place, group) for place, base in enumerate(bases) for group in base.groups]
    job = DuplicatesJob(
        policy=policy,
        units=units,
        folder=folder,
        groups=(
            *(group.name for group in groups),
            *(base_group(place, group) for place, group in known),
            *(f"{BENCHMARK}{name}" for name in hashes),
        ),
        benchmarks=len(hashes),
        bits=min(MAX_BITS, label_bits(samples, CLIPS_PER_PART)),
        bases=bases,
    )
    _tell_without_index(job)
    if policy.semantic.action != "off":
        _write_cells(job, commits)
    places = list(_tell_benchmarks(job, hashes, {job.scope(group.source) for group in groups}))
    with running(engine) as pipeline:
        inputs = {
            "groups": pipeline | "Groups" >> beam.Create(list(groups), reshuffle=True),
            "base": pipeline | "Base" >> beam.Create(known, reshuffle=True),
            "places": pipeline | "Benchmarks" >> beam.Create(places, reshuffle=True),
        }
        inputs | "FindEdges" >> FindEdges(job)
    if policy.index:
        _finish_index(job, groups)
    labels = {kind: _components(job, kind, engine) for kind in GROUP_KINDS}
    facts = _label_facts(job, labels, tasks.benchmark_nodes(hashes))
    job.store.write(f"{folder}/label_facts.arrow", pack(facts))
    _label(job, labels, engine)
    return _summary(job, labels, hashes, facts)


def _tell_without_index(job: DuplicatesJob) -> None:
    """Say which bases are read anew, and how to mend that: it costs as much as comparing their clips did."""
    kinds = [kind for kind in ("perceptual", "semantic") if getattr(job.policy, kind).action != "off"]
    for place, base in enumerate(job.bases):
        found = {"perceptual": base.hash_index, "semantic": job.cell_index(place)}
        lacking = [kind for kind in kinds if found[kind] is None]
        if lacking:
            LOG.warning(
                "base %s: has no index that serves for %s duplicates, so its %d clips are read anew; to mend that, "
                "build it again with index: true, at a min_cosine no higher than here",
                *(base.name, " and ".join(lacking), base.clips),
            )


def _finish_index(job: DuplicatesJob, groups: Sequence[UnitGroup]) -> None:
    perceptual = None if job.policy.perceptual.action == "off" else posting_facts()
    names = tuple(group.name for group in groups)
    threshold = tasks.search_options(job.policy.semantic).threshold_1e4
    semantic = cell_facts(threshold) if job.store.exists(f"{job.folder}/{CELLS_FILE}") else None
    index = DuplicateIndex(bits=job.bits, groups=names, perceptual=perceptual, semantic=semantic, files={})
    finish_index(job.store, job.folder, index)


def _tell_benchmarks(job: DuplicatesJob, hashes: Mapping[str, pl.DataFrame], scopes: set[str]) -> Iterator[Place]:
    """Write the frame hashes of benchmarks as if they were groups of units; yields what `TellClips` does."""
    for name, clips in hashes.items():
        group = f"{BENCHMARK}{name}"
        job.write_nodes(group, clips["content_sha256"])
        signatures = node_signatures(clips, job.number[group])
        for scope in sorted(scopes):
            told = tell_signatures(job, group, scope, signatures)
            yield from (place for place in told if not isinstance(place, beam.pvalue.TaggedOutput))


def _write_cells(job: DuplicatesJob, commits: Sequence[UnitCommit]) -> None:
    """Fit the cells of embeddings to those of some units of the run and its bases, chosen by a hash of their names.

    A base whose own cells are kept has no part in it.
    """
    if not any(commit.parts["embeddings"].rows for commit in commits):
        return
    told = [(job.store, commit) for commit in commits]
    anew = [base for place, base in enumerate(job.bases) if job.cell_index(place) is None]
    told += [(base.units.store, base.units.read(name)) for base in anew for name in base.units.names]
    clips = sum(commit.parts["embeddings"].rows for _, commit in told)
    options = tasks.search_options(job.policy.semantic)
    count = cell_count(clips, options)
    taken: list[np.ndarray] = []
    # equal names keep their order: the run's own unit, then its bases'
    for store, commit in sorted(told, key=lambda own: hashlib.sha256(own[1].unit.encode()).digest()):
        if sum(map(len, taken)) >= count * SAMPLE_PER_CELL:
            break
        taken.append(tasks.steps_of(as_vectors(read_embeddings(store, [commit])["vector"])))
    sample = np.concatenate([steps for steps in taken if len(steps)])
    cells = fit_cells(sample, count, options.seed)
    job.store.write(f"{job.folder}/{CELLS_FILE}", cells.to_bytes())
    if job.policy.index:
        for name in CELLS_ARRAYS:
            write_indexed(job.root, job.folder, f"{CELLS}/{name}", getattr(cells, name))


def edge_files(job: DuplicatesJob) -> list[EdgeFile]:
    """Return the files of edges that the first job left."""
    files = []
    for path in job.store.list(f"{job.folder}/edge_files"):
        part, _, name = path.rsplit("/", 1)[1].removesuffix(".json").partition("-")
        rows = json.loads(job.store.read(path))
        files.append(EdgeFile(path=f"{job.folder}/spool/{EDGE_ROWS}/{part}/{name}.arrow", rows=rows))
    return files


def _components(job: DuplicatesJob, kind: str, engine: EngineOptions) -> Components:
    joins = [edge.value for edge in EdgeKind if (kind == "duplicate") == job.policy.groups(edge.value)]
    return find_components(job.root, f"{job.folder}/{kind}", edge_files(job), joins, engine)


def _label_facts(job: DuplicatesJob, labels: Mapping[str, Components], benchmarks: Mapping[str, str]) -> pl.DataFrame:
    """Return LABEL_FACTS of all labels that something is to be known of, and of the benchmarks' nodes."""
    shown = [("node", node, 1, name) for node, name in benchmarks.items()]
    frames = [pl.DataFrame(shown, schema=tasks.LABEL_FACTS, orient="row")]
    for kind, found in labels.items():
        told = (unpack(job.store.read(path)) for path in found.files)
        frames.extend(tasks.label_facts(kind, told, benchmarks, sizes=kind == "near"))
    return tasks.add_label_facts(frames)


def _label(job: DuplicatesJob, labels: dict[str, Components], engine: EngineOptions) -> None:
    bits = label_bits(2 * sum(file.rows for file in edge_files(job)), ROWS_PER_PARTITION)
    files = {kind: (found.files, bits) for kind, found in labels.items()}
    with running(engine) as pipeline:
        _ = (
            pipeline
            | "Parts" >> beam.Create(range(1 << job.bits), reshuffle=True)
            | "LabelNodes" >> beam.ParDo(LabelNodes(job, files))
            | "ByGroup" >> beam.GroupByKey()
            | "WriteMembers" >> beam.ParDo(WriteMembers(job))
        )


def _summary(
    job: DuplicatesJob, labels: Mapping[str, Components], hashes: Mapping[str, pl.DataFrame], facts: pl.DataFrame
) -> DuplicateSummary:
    counts = {
        path.rsplit("/", 1)[1].removesuffix(".json"): int(json.loads(job.store.read(path)))
        for path in job.store.list(f"{job.folder}/counts")
    }
    edges = (unpack(job.store.read(file.path)) for file in edge_files(job))
    return DuplicateSummary(
        counts=counts,
        groups={kind: found.groups for kind, found in labels.items()},
        benchmarks={
            name: (clips.height, facts.filter((pl.col("kind") == "duplicate") & (pl.col("benchmark") == name)).height)
            for name, clips in hashes.items()
        },
        thresholds=tuple(tasks.threshold_yields(edges, job.policy)),
    )
