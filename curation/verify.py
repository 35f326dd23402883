"""Verify: everything on disk is what the manifest says, recomputed from the bytes and not from what was reported."""

from __future__ import annotations

from collections.abc import Sequence

from curation.manifests import manifest_versions
from curation.score_cache import cache_group
from curation.statistics import sum_ledgers
from curation.store import Store
from curation.unit_parts import read_unit
from curation.unit_reading import read_part
from curation.verify_duplicates import duplicate_problems
from curation.verify_index import verify_index
from curation.verify_report import VerifyReport
from curation.verify_selection import verify_decoding, verify_selection
from curation.verify_shards import told, verify_shards
from curation.verify_suppressed import suppressed_problems
from schemas.arrow import RECORDS, SAMPLES, SELECTION, read_rows
from schemas.canonical import sha256_hex
from schemas.corpus import CorpusConfig
from schemas.ledger import Ledger, LedgerError
from schemas.manifest import LatestPointer, Manifest, shard_files
from schemas.reasons import Scope
from schemas.run import LATEST_JSON, RUN_JSON, STATISTICS_JSON, RunState, clips_path, manifest_path, unit_path
from schemas.statistics import Statistics
from schemas.units import UnitCommit, UnitScores


def verify_run(store: Store, config: CorpusConfig, decode: int = 0) -> VerifyReport:
    """Recompute digests, sizes, counts, keys, texts and ledgers of a whole run.

    Args:
        decode: how many clips of the last version are decoded as well, chosen by hash; ALL_CLIPS is every one.
    """
    report = VerifyReport()
    commits = _verify_units(store, _scoring(store, report), report)
    units_are_whole = not report.problems
    _verify_media(store, commits, report)
    verify_index(store, report)
    manifests = _verify_manifests(store, config, report)
    damaged = bool(report.problems)
    if manifests:
        _verify_ledgers(store, config, commits, manifests[-1], report)
        if units_are_whole:
            report.problems.extend(duplicate_problems(store, commits, config.duplicates))
            report.problems.extend(told(list(suppressed_problems(store, commits, config.suppress))))
            verify_decoding(store, commits, decode, report)
    if damaged:
        # What a damaged unit or manifest owned cannot be known: nothing but unfinished work may be called left over.
        report.leftovers = list(store.list("tmp"))
        unlisted = _unlisted_shards(store, manifests)
        report.problems.extend(f"{path}: a shard that no manifest lists" for path in unlisted)
        return report
    _find_leftovers(store, commits, manifests, report)
    return report


def _scoring(store: Store, report: VerifyReport) -> str:
    """Return the name of the scoring that the run was judged by; none that fits where run.json does not say."""
    state = report.parsed(store, RUN_JSON, RunState)
    return "" if state is None or state.scorer is None else state.scorer.scoring


def remove_leftovers(store: Store, report: VerifyReport) -> int:
    """Remove the leftovers that a report lists; returns how many."""
    for path in report.leftovers:
        store.delete(path)
    return len(report.leftovers)


def _verify_units(store: Store, scoring: str, report: VerifyReport) -> list[UnitCommit]:
    """Return the whole units, each with its scores under `scoring`."""
    _verify_scores(store, report)
    commits = []
    for path in store.list("units"):
        own = report.parsed(store, path, UnitCommit)
        if own is None:
            continue
        report.count("units")
        if path != unit_path(own.unit):
            report.problems.append(f"{path}: says that it is unit {own.unit}")
        _verify_clips(store, own, report)
        whole = [report.check_file(store, part.path, part.bytes, part.sha256) for part in own.parts.values()]
        if not all(whole):
            continue
        _verify_unit_counts(store, own, report)
        commit = read_unit(store, own.unit, scoring)
        if commit is None:
            report.problems.append(f"unit {own.unit}: has no scores under {scoring}; run ingest again")
        else:
            commits.append(commit)
    return commits


def _verify_clips(store: Store, commit: UnitCommit, report: VerifyReport) -> None:
    path = clips_path(commit.clips)
    report.count("files")
    if not store.exists(path):
        report.problems.append(f"{path}: missing")
    elif store.sha256(path) != commit.clips_sha256:
        report.problems.append(f"{path}: is not what unit {commit.unit} stands on; run ingest again")


def _verify_scores(store: Store, report: VerifyReport) -> None:
    """Check the scores of every scoring, the run's own and those of earlier scorers."""
    for path in store.list("scores"):
        if not path.endswith(".json"):
            continue
        scores = report.parsed(store, path, UnitScores)
        if scores is None:
            continue
        for part in scores.parts.values():
            report.check_file(store, part.path, part.bytes, part.sha256)
        unit = unit_path(scores.unit)
        if not store.exists(unit) or store.sha256(unit) != scores.unit_sha256:
            report.problems.append(f"{path}: is not of the unit that is there; run ingest again")


def _verify_unit_counts(store: Store, commit: UnitCommit, report: VerifyReport) -> None:
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


def _verify_media(store: Store, commits: Sequence[UnitCommit], report: VerifyReport) -> None:
    wanted = {}
    for commit in commits:
        for row in read_rows(store.read(commit.parts["samples"].path), SAMPLES):
            wanted[row["media_sha256"]] = row["media_bytes"]
    for digest in sorted(wanted):
        report.count("clips")
        report.check_file(store, f"media/{digest[:2]}/{digest}.mp4", wanted[digest], digest)


def _verify_manifests(store: Store, config: CorpusConfig, report: VerifyReport) -> list[Manifest]:
    paths = [manifest_path(version) for version in manifest_versions(store)]
    parsed = [report.parsed(store, path, Manifest) for path in paths]
    manifests = [manifest for manifest in parsed if manifest is not None]
    if not store.exists(LATEST_JSON):
        report.problems.append(f"{LATEST_JSON}: missing; the run has no finished shards; run build again")
        return manifests
    pointer = report.parsed(store, LATEST_JSON, LatestPointer)
    if pointer is None:
        return manifests
    if not store.exists(pointer.path) or sha256_hex(store.read(pointer.path)) != pointer.sha256:
        report.problems.append(f"{pointer.path}: is not what manifests/latest.json points to")
    verify_shards(store, manifests, config.scorer.aggregation, report)
    for path, digest in manifests[-1].files.items() if manifests else ():
        report.count("files")
        if not store.exists(path) or store.sha256(path) != digest:
            report.problems.append(f"{path}: is not what {manifest_path(manifests[-1].version)} says")
    return manifests


def _verify_ledgers(
    store: Store,
    config: CorpusConfig,
    commits: Sequence[UnitCommit],
    manifest: Manifest,
    report: VerifyReport,
) -> None:
    ledgers = sum_ledgers(commits, config)
    statistics = report.parsed(store, STATISTICS_JSON, Statistics)
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
    verify_selection(store, manifest, statistics, report)


def _find_leftovers(
    store: Store, commits: Sequence[UnitCommit], manifests: Sequence[Manifest], report: VerifyReport
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


def _unlisted_shards(store: Store, manifests: Sequence[Manifest]) -> list[str]:
    listed = {path for manifest in manifests for facts in manifest.shards for path in shard_files(facts)}
    return [path for path in store.list("shards") if path not in listed]


def find_planted(store: Store, copies: Sequence[tuple[str, str]]) -> tuple[int, int]:
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
