"""Takedown: what an ids file names goes from a run, with everything that was made of it, and does not come back.

The order, so that one that was killed goes on when it is run again: what it is about is noted in progress/; the list
that keeps it out is written; the units that hold something of it are made again from their own parts, without it;
later stages are brought up to date; what held it in old versions is found out and noted; then all else that holds
something of it is removed; the receipt is written, and the note goes last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curation.fetching import Reach
from curation.manifests import manifest_versions, read_manifest, read_pointer
from curation.store import Store
from curation.stores import open_store
from curation.suppression import suppressed_of
from curation.takedown.asked import Asked, read_asked
from curation.takedown.purge import (
    checkpoints_of,
    gone_of,
    labels_of,
    purge_cache,
    purge_duplicates,
    purge_handoff,
    purge_labels,
    purge_media,
    purge_notes,
    purge_shards,
    versions_that_hold,
)
from curation.takedown.resolve import Resolution, resolve
from curation.unit_parts import read_commit
from curation.versions import drop_versions
from pipelines.engine import EngineOptions
from pipelines.finished import finished_ingest
from pipelines.ingest_stage import ingest
from pipelines.results import write_page
from pipelines.run_folder import Run, only_build, open_run, read_run
from pipelines.stages import judge, shard
from pipelines.unit_workers import StoredUnits
from pipelines.watching import Watcher
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.manifest import Manifest
from schemas.run import RECEIPTS_FOLDER, SUPPRESSED_FOLDER, TAKEDOWN_JSON, RunAddress, receipt_path, suppressed_path
from schemas.suppression import Affected, Copies, FoundOut, Pending, Receipt, VersionFacts
from schemas.units import UnitCommit, unit_place


@dataclass(frozen=True, kw_only=True)
class TakedownRequest:
    """What a caller asks for.

    Attributes:
        ids: a file with one id a line (`curation.takedown.asked`).
        copies: what becomes of the other members of duplicate groups: `promote` lets the next one stand for the group,
            `remove` takes them down too.
        time: written into the receipt as it is.
    """

    ids: Path
    copies: Copies = "promote"
    time: str | None = None


MakeAgain = Callable[[Run, StoredUnits], None]


def preview(root: RunAddress, request: TakedownRequest) -> Resolution:
    """Return what a takedown would touch; nothing is written.

    Raises:
        ConfigError: there is no such run, its ingest is not finished, or the ids file cannot be read.
    """
    run = _opened(root, save=False)
    return resolve(run.store, _finished_units(run), read_asked(request.ids), request.copies)


def takedown(
    root: RunAddress,
    request: TakedownRequest,
    engine: EngineOptions,
    watcher: Watcher | None = None,
    make_again: MakeAgain | None = None,
) -> Receipt:
    """Take down what a file names; one that was stopped before is ended first.

    Args:
        make_again: makes units of the run again from their parts; None does it by Beam, with the media child.

    Raises:
        ConfigError: there is no such run, its ingest is not finished, the ids file cannot be read, or a build is at
            work in the run.
    """
    watcher = watcher or Watcher()
    asked, ids_sha256 = read_asked(request.ids), sha256_hex(request.ids.read_bytes())
    run = _opened(root, save=True)
    engine = engine.of_run(run.root)
    work = make_again or (lambda run, stored: _ingest_again(run, stored, engine, watcher))
    with only_build(run.store) as run.held:
        stopped = _pending(run.store)
        if stopped is not None:
            receipt = _finish(run, stopped, engine, watcher, work)
            if (stopped.ids_sha256, stopped.copies) == (ids_sha256, request.copies):
                return receipt
        found = resolve(run.store, _finished_units(run), asked, request.copies)
        done = _done_before(run, found, asked, ids_sha256)
        if done is not None:
            return done
        pending = _begun(run, request, found, asked, ids_sha256)
        run.store.write(TAKEDOWN_JSON, pending.to_bytes())
        return _finish(run, pending, engine, watcher, work)


def _opened(root: RunAddress, *, save: bool) -> Run:
    state = read_run(root)
    config = CorpusConfig.model_validate(state.config)
    return open_run(config, root) if save else Run(config=config, store=open_store(root), state=state)


def _pending(store: Store) -> Pending | None:
    return Pending.model_validate_json(store.read(TAKEDOWN_JSON)) if store.exists(TAKEDOWN_JSON) else None


def _finished_units(run: Run) -> list[UnitCommit]:
    try:
        return finished_ingest(run)[2]
    except ValueError as error:
        raise ConfigError(f"RUN is {run.root}: {error}") from error


def _done_before(run: Run, found: Resolution, asked: tuple[Asked, ...], ids_sha256: str) -> Receipt | None:
    """Return the receipt of the same ids file where nothing of it is left to do."""
    known = suppressed_of(run.store, ()).entries
    listed = all(known.intersection(one.entries()) for one in asked if one.entries())
    receipts = (Receipt.model_validate_json(run.store.read(path)) for path in run.store.list(RECEIPTS_FOLDER))
    if found.touched or not listed:
        return None
    return next((receipt for receipt in receipts if receipt.ids_sha256 == ids_sha256), None)


def _begun(run: Run, request: TakedownRequest, found: Resolution, asked: tuple[Asked, ...], ids_sha256: str) -> Pending:
    latest = _latest(run.store)
    stages = tuple(done.stage for done in run.state.stages)
    return Pending(
        number=1 + len(list(run.store.list(SUPPRESSED_FOLDER))),
        time=request.time,
        copies=request.copies,
        ids_sha256=ids_sha256,
        asked=len(asked),
        found=len(found.found),
        stages=(*stages, "judge", "shard") if latest is not None else stages,
        suppression=found.suppression,
        units=_units_on_disk(run.store),
        touched=found.touched,
        affected=found.affected,
        counts={"copies_removed": found.copies_removed, "copies_spared": found.copies_spared},
        before=None if latest is None else _facts(latest),
        shards_before=() if latest is None else tuple(facts.sha256 for facts in latest.shards),
    )


def _finish(run: Run, pending: Pending, engine: EngineOptions, watcher: Watcher, work: MakeAgain) -> Receipt:
    """Do what is left of a takedown; done twice, it ends in the same place."""
    store = run.store
    store.create(suppressed_path(pending.number), pending.suppression.to_bytes())
    work(run, _stored_units(store, pending))
    if "judge" in pending.stages:
        statistics = judge(run, engine, watcher)
        if "shard" in pending.stages:
            shard(run, engine, watcher, statistics)
    else:
        purge_duplicates(store)
    units = _finished_units(run)
    gone = gone_of(store, units, pending.affected)
    latest = _latest(store)
    if pending.found_out is None:
        pending = pending.model_copy(update={"found_out": _found_out(store, latest, gone)})
        store.write(TAKEDOWN_JSON, pending.to_bytes())
    assert pending.found_out is not None
    run.check_held()
    drop_versions(store, {held.version for held in pending.found_out.held}.intersection(manifest_versions(store)))
    purge_shards(store)
    purge_media(store, gone)
    purge_cache(store, pending.touched, gone)
    purge_labels(store, gone)
    purge_handoff(store)
    if latest is not None:
        write_page(run.root, None)
    receipt = _receipt(store, pending, pending.found_out, gone, latest)
    store.write(receipt_path(pending.number), receipt.to_bytes())
    purge_notes(store, units)
    store.delete(TAKEDOWN_JSON)
    return receipt


def _stored_units(store: Store, pending: Pending) -> StoredUnits:
    """Return which units are to be made again: until all are, those that were there when it began are there still."""
    on_disk = _units_on_disk(store)
    if set(on_disk).issuperset(pending.units):
        again = pending.touched
        kept = tuple(name for name in pending.units if name not in set(again))
    else:
        # Ingest is removing the old ones, or has: each was made again before the first one went.
        fresh = {_place(name) for name in on_disk if name not in pending.units}
        again = ()
        kept = tuple(name for name in on_disk if name not in pending.units or _place(name) not in fresh)
    rows: Counter[str] = Counter()
    for name in (*again, *kept):
        commit = read_commit(store, name)
        assert commit is not None
        rows[commit.source] += commit.ledger.records_read
    return StoredUnits(again=again, kept=kept, rows=rows)


def _units_on_disk(store: Store) -> tuple[str, ...]:
    return tuple(path.rsplit("/", 1)[1].removesuffix(".json") for path in store.list("units"))


def _place(unit: str) -> tuple[str, tuple[int, int]]:
    return unit.rsplit("-", 2)[0], unit_place(unit)


def _ingest_again(run: Run, stored: StoredUnits, engine: EngineOptions, watcher: Watcher) -> None:
    ingest(run, engine, watcher, Reach(), stored)


def _latest(store: Store) -> Manifest | None:
    pointer = read_pointer(store)
    return None if pointer is None else read_manifest(store, pointer.version)


def _facts(manifest: Manifest) -> VersionFacts:
    return VersionFacts(version=manifest.version, sha256=sha256_hex(manifest.to_bytes()))


def _found_out(store: Store, latest: Manifest | None, gone: Affected) -> FoundOut:
    held = versions_that_hold(store, latest, gone)
    return FoundOut(held=held, checkpoints=checkpoints_of(store, held), labels=labels_of(store, gone)[1])


def _receipt(store: Store, pending: Pending, found_out: FoundOut, gone: Affected, latest: Manifest | None) -> Receipt:
    before = set(pending.shards_before)
    after = set() if latest is None else {facts.sha256 for facts in latest.shards}
    counts = {name: len(ids) for name, ids in gone.model_dump().items()}
    return Receipt(
        number=pending.number,
        time=pending.time,
        copies=pending.copies,
        asked=pending.asked,
        found=pending.found,
        ids_sha256=pending.ids_sha256,
        list_sha256=store.sha256(suppressed_path(pending.number)),
        before=pending.before,
        after=None if latest is None else _facts(latest),
        counts={**pending.counts, **counts, "units": len(pending.touched), "labels": found_out.labels},
        shards_removed=tuple(sorted(before - after)),
        shards_written=tuple(sorted(after - before)),
        shards_untouched=len(before & after),
        versions_pruned=found_out.held,
        checkpoints=found_out.checkpoints,
    )
