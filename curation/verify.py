"""Verify: everything on disk is what the manifest says, recomputed from the bytes and not from what was reported."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from curation.manifests import manifest_versions
from curation.score_cache import cache_group
from curation.statistics import sum_ledgers
from curation.store import LocalStore
from curation.unit_parts import read_unit
from curation.unit_reading import read_part
from curation.verify_duplicates import duplicate_problems
from schemas.arrow import RECORDS, SAMPLES, SELECTION, read_rows
from schemas.canonical import sha256_hex
from schemas.corpus import CorpusConfig
from schemas.ids import ID_PATTERN
from schemas.ledger import Ledger, LedgerError
from schemas.manifest import LatestPointer, Manifest, ShardFacts
from schemas.reasons import Scope
from schemas.run import LATEST_JSON, RUN_JSON, STATISTICS_JSON, RunState, clips_path, manifest_path, unit_path
from schemas.shards import FACTS_SUFFIX, MEDIA_SUFFIX, MEMBER_SUFFIXES
from schemas.statistics import Statistics
from schemas.units import UnitCommit, UnitScores

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class VerifyReport:
    """What was found.

    Attributes:
        checked: what was looked at -> how many.
        problems: one line per thing that is not as the manifest says; empty means all is well.
        leftovers: files that no manifest, unit or sample owns; `--clean` removes them.
    """

    checked: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Count something that was looked at."""
        self.checked[what] = self.checked.get(what, 0) + number


def verify_run(store: LocalStore, config: CorpusConfig) -> VerifyReport:
    """Recompute digests, sizes, counts, keys and ledgers of a whole run."""
    report = VerifyReport()
    commits = _verify_units(store, _scoring(store, report), report)
    units_are_whole = not report.problems
    _verify_media(store, commits, report)
    manifests = _verify_manifests(store, report)
    damaged = bool(report.problems)
    if manifests:
        _verify_ledgers(store, config, commits, manifests[-1], report)
        if units_are_whole:
            report.problems.extend(duplicate_problems(store, commits, config.duplicates))
    if damaged:
        # What a damaged unit or manifest owned cannot be known: nothing but unfinished work may be called left over.
        report.leftovers = list(store.list("tmp"))
        unlisted = _unlisted_shards(store, manifests)
        report.problems.extend(f"{path}: a shard that no manifest lists" for path in unlisted)
        return report
    _find_leftovers(store, commits, manifests, report)
    return report


def _scoring(store: LocalStore, report: VerifyReport) -> str:
    """Return the name of the scoring that the run was judged by; none that fits where run.json does not say."""
    state = _parsed(store, RUN_JSON, RunState, report)
    return "" if state is None or state.scorer is None else state.scorer.scoring


def _parsed(store: LocalStore, path: str, model: type[Model], report: VerifyReport) -> Model | None:
    """Return a document of the run; one that cannot be read is a problem and None."""
    try:
        return model.model_validate_json(store.read(path))
    except (ValidationError, OSError) as error:
        report.problems.append(f"{path}: cannot be read ({type(error).__name__}); build again, or restore it")
        return None


def remove_leftovers(store: LocalStore, report: VerifyReport) -> int:
    """Remove the leftovers that a report lists; returns how many."""
    for path in report.leftovers:
        store.delete(path)
    return len(report.leftovers)


def _verify_units(store: LocalStore, scoring: str, report: VerifyReport) -> list[UnitCommit]:
    """Return the whole units, each with its scores under `scoring`."""
    _verify_scores(store, report)
    commits = []
    for path in store.list("units"):
        own = _parsed(store, path, UnitCommit, report)
        if own is None:
            continue
        report.count("units")
        if path != unit_path(own.unit):
            report.problems.append(f"{path}: says that it is unit {own.unit}")
        _verify_clips(store, own, report)
        whole = [_verify_file(store, part.path, part.bytes, part.sha256, report) for part in own.parts.values()]
        if not all(whole):
            continue
        _verify_unit_counts(store, own, report)
        commit = read_unit(store, own.unit, scoring)
        if commit is None:
            report.problems.append(f"unit {own.unit}: has no scores under {scoring}; run ingest again")
        else:
            commits.append(commit)
    return commits


def _verify_clips(store: LocalStore, commit: UnitCommit, report: VerifyReport) -> None:
    path = clips_path(commit.clips)
    report.count("files")
    if not store.exists(path):
        report.problems.append(f"{path}: missing")
    elif store.sha256(path) != commit.clips_sha256:
        report.problems.append(f"{path}: is not what unit {commit.unit} stands on; run ingest again")


def _verify_scores(store: LocalStore, report: VerifyReport) -> None:
    """Check the scores of every scoring, the run's own and those of earlier scorers."""
    for path in store.list("scores"):
        if not path.endswith(".json"):
            continue
        scores = _parsed(store, path, UnitScores, report)
        if scores is None:
            continue
        for part in scores.parts.values():
            _verify_file(store, part.path, part.bytes, part.sha256, report)
        unit = unit_path(scores.unit)
        if not store.exists(unit) or store.sha256(unit) != scores.unit_sha256:
            report.problems.append(f"{path}: is not of the unit that is there; run ingest again")


def _verify_file(store: LocalStore, path: str, size: int, sha256: str, report: VerifyReport) -> bool:
    report.count("files")
    if not store.exists(path):
        report.problems.append(f"{path}: missing")
        return False
    if store.size(path) != size:
        report.problems.append(f"{path}: {store.size(path)} bytes; written were {size}")
        return False
    if store.sha256(path) != sha256:
        report.problems.append(f"{path}: its bytes changed (digest {store.sha256(path)[:12]}, written {sha256[:12]})")
        return False
    return True


def _verify_unit_counts(store: LocalStore, commit: UnitCommit, report: VerifyReport) -> None:
    """Count a unit's ledgers again from its parts."""
    records = read_part(store, commit, "records")
    rejects = read_part(store, commit, "rejects")
    samples = read_part(store, commit, "samples")
    states = [row["state"] for row in records]
    rejected = sum(row["scope"] == Scope.RECORD for row in rejects)
    lost = sum(row["scope"] == Scope.SAMPLE for row in rejects)
    counted = Ledger(
        records_read=states.count("expanded") + states.count("merged") + rejected,
        records_expanded=states.count("expanded"),
        records_merged=states.count("merged"),
        records_rejected=rejected,
        samples_planned=len(samples) + lost,
        samples_kept=len(samples),
        samples_rejected=lost,
        texts_kept=commit.parts["texts"].rows,
        texts_dropped=sum(commit.dropped_texts.values()),
    )
    if counted != commit.totals():
        report.problems.append(f"unit {commit.unit}: its ledger is {commit.totals()}, its parts say {counted}")


def _verify_media(store: LocalStore, commits: Sequence[UnitCommit], report: VerifyReport) -> None:
    wanted = {}
    for commit in commits:
        for row in read_rows(store.read(commit.parts["samples"].path), SAMPLES):
            wanted[row["media_sha256"]] = row["media_bytes"]
    for digest in sorted(wanted):
        report.count("clips")
        _verify_file(store, f"media/{digest[:2]}/{digest}.mp4", wanted[digest], digest, report)


def _verify_manifests(store: LocalStore, report: VerifyReport) -> list[Manifest]:
    paths = [manifest_path(version) for version in manifest_versions(store)]
    parsed = [_parsed(store, path, Manifest, report) for path in paths]
    manifests = [manifest for manifest in parsed if manifest is not None]
    if not store.exists(LATEST_JSON):
        report.problems.append(f"{LATEST_JSON}: missing; the run has no finished shards; run build again")
        return manifests
    pointer = _parsed(store, LATEST_JSON, LatestPointer, report)
    if pointer is None:
        return manifests
    if not store.exists(pointer.path) or sha256_hex(store.read(pointer.path)) != pointer.sha256:
        report.problems.append(f"{pointer.path}: is not what manifests/latest.json points to")
    for manifest in manifests:
        report.count("manifests")
        _verify_manifest(store, manifest, report)
    for path, digest in manifests[-1].files.items() if manifests else ():
        report.count("files")
        if not store.exists(path) or store.sha256(path) != digest:
            report.problems.append(f"{path}: is not what {manifest_path(manifests[-1].version)} says")
    return manifests


def _verify_manifest(store: LocalStore, manifest: Manifest, report: VerifyReport) -> None:
    seen: set[str] = set()
    for facts in manifest.shards:
        report.count("shards")
        if not _verify_file(store, facts.path, facts.bytes, facts.sha256, report):
            continue
        keys = list(_verify_members(store, facts, report))
        report.count("samples", len(keys))
        if len(keys) != facts.samples:
            report.problems.append(f"{facts.path}: {len(keys)} samples; the manifest says {facts.samples}")
        twice = seen.intersection(keys)
        report.problems.extend(f"{facts.path}: key {key} stands in another shard too" for key in sorted(twice)[:3])
        seen.update(keys)


def _verify_members(store: LocalStore, facts: ShardFacts, report: VerifyReport) -> Iterator[str]:
    """Yield the keys of a shard; a member that breaks the contract is a problem."""
    members: dict[str, list[str]] = {}
    with store.open(facts.path) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        for member in tar:
            key, _, suffix = member.name.partition(".")
            if not member.isreg() or suffix not in MEMBER_SUFFIXES or not ID_PATTERN.fullmatch(key):
                report.problems.append(f"{facts.path}: member {member.name!r} is not of the shard contract")
            members.setdefault(key, []).append(suffix)
    for key, suffixes in members.items():
        if suffixes[:2] != [FACTS_SUFFIX, MEDIA_SUFFIX] or len(suffixes) != len(set(suffixes)):
            report.problems.append(f"{facts.path}: sample {key} has the members {suffixes}")
        yield key


def _verify_ledgers(
    store: LocalStore,
    config: CorpusConfig,
    commits: Sequence[UnitCommit],
    manifest: Manifest,
    report: VerifyReport,
) -> None:
    ledgers = sum_ledgers(commits, config)
    statistics = _parsed(store, STATISTICS_JSON, Statistics, report)
    if statistics is None:
        return
    told = {source.name: source.ledger for source in manifest.sources}
    for source in statistics.sources:
        if told.get(source.name) != source.ledger:
            report.problems.append(f"source {source.name}: the manifest's ledger is not that of the statistics")
        report.count("ledgers", 2)
        ledger = ledgers[source.name]
        try:
            ledger.check(f"source {source.name}")
        except LedgerError as error:
            report.problems.append(str(error))
        if vars(ledger) != source.ledger.model_dump():
            report.problems.append(f"source {source.name}: the units' ledgers sum to {ledger}, stats say otherwise")
        if source.samples + source.samples_merged != ledger.samples_kept:
            report.problems.append(
                f"source {source.name}: {ledger.samples_kept} samples kept, but {source.samples} judged + "
                f"{source.samples_merged} merged"
            )
    _verify_selection(store, manifest, statistics, report)


def _verify_selection(store: LocalStore, manifest: Manifest, statistics: Statistics, report: VerifyReport) -> None:
    selected, sharded = 0, 0
    for path in store.list("selection"):
        if path.endswith(".parquet"):
            rows = read_rows(store.read(path), SELECTION, columns=("shard_bucket",))
            selected += len(rows)
            sharded += sum(row["shard_bucket"] is not None for row in rows)
    judged = sum(source.samples for source in statistics.sources)
    if selected != judged:
        report.problems.append(f"selection: {selected} rows; {judged} samples were judged")
    told = {source.name: source.left_out_by_rule + source.left_out_as_duplicate for source in statistics.sources}
    if selected - sharded != sum(told.values()):
        report.problems.append(f"selection: {selected - sharded} samples are left out; the statistics say {told}")
    packed = sum(facts.samples for facts in manifest.shards)
    if sharded != packed:
        report.problems.append(f"selection: {sharded} samples go into shards; the manifest's shards hold {packed}")


def _find_leftovers(
    store: LocalStore, commits: Sequence[UnitCommit], manifests: Sequence[Manifest], report: VerifyReport
) -> None:
    shards = _unlisted_shards(store, manifests)
    units = {commit.unit for commit in commits}
    folders = ("records", "samples", "texts", "scores", "embeddings", "rejects")
    files = [path for folder in folders for path in store.list(folder) if cache_group(path) is None]
    parts = [path for path in files if path.rsplit("/", 1)[1].partition(".")[0] not in units]
    clips = {clips_path(commit.clips) for commit in commits}
    parts += [path for path in store.list("clips") if path not in clips]
    media = {
        f"media/{row['media_sha256'][:2]}/{row['media_sha256']}.mp4"
        for commit in commits
        for row in read_rows(store.read(commit.parts["samples"].path), SAMPLES, columns=("media_sha256",))
    }
    orphans = [path for path in store.list("media") if path not in media]
    report.leftovers = [*shards, *parts, *orphans, *store.list("tmp")]
    report.problems.extend(f"{path}: a shard that no manifest lists; `verify --clean` removes it" for path in shards)


def _unlisted_shards(store: LocalStore, manifests: Sequence[Manifest]) -> list[str]:
    listed = {facts.path for manifest in manifests for facts in manifest.shards}
    return [path for path in store.list("shards") if path not in listed]


def find_planted(store: LocalStore, copies: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Return (copies planted, copies found): a copy is found when a sample of it shares a clip with its original.

    Args:
        copies: (locator of a copy, locator of its original).
    """
    clips: dict[str, set[str]] = {}
    groups: dict[str, str] = {}
    for path in store.list("selection"):
        if path.endswith(".parquet"):
            for row in read_rows(store.read(path), SELECTION, columns=("sample_id", "duplicate_group")):
                groups[row["sample_id"]] = row["duplicate_group"] or row["sample_id"]
    for path in store.list("records"):
        for row in read_rows(store.read(path), RECORDS, columns=("locator", "sample_id")):
            if row["sample_id"] in groups:
                clips.setdefault(row["locator"], set()).add(groups[row["sample_id"]])
    found = sum(bool(clips.get(copy, set()) & clips.get(original, set())) for copy, original in copies)
    return len(copies), found
