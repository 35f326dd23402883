"""Each guarantee of `verify` with the fault planted once."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.manifests import read_manifest
from curation.store import LocalStore
from curation.unit_parts import finished_commit
from curation.unit_plan import UnitInput, plan_unit
from curation.verify import find_planted, remove_leftovers, verify_run
from pipelines.run_folder import Run
from schemas.arrow import RECORDS, SAMPLES, parquet_bytes, read_rows
from schemas.canonical import canonical_json, sha256_hex
from schemas.corpus import SourceConfig
from schemas.manifest import LatestPointer, Manifest
from schemas.run import INDEX_JSON, LATEST_JSON, STATISTICS_JSON, manifest_path, suppressed_path
from schemas.shards import sidecar_path
from schemas.suppression import EntryKind, SuppressionList, listed
from schemas.units import UnitCommit, UnitScores
from tests.builders import built_with_fakes, fake_facts, unit_inputs


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return built_with_fakes(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def store(pristine: Run, tmp_path: Path) -> LocalStore:
    shutil.copytree(pristine.root, tmp_path / "run")
    return LocalStore(tmp_path / "run")


def first(store: LocalStore, folder: str) -> str:
    return next(path for path in store.list(folder) if folder != "shards" or path.endswith(".tar"))


def flip(store: LocalStore, path: str) -> None:
    data = bytearray(store.read(path))
    data[len(data) // 2] ^= 1
    store.write(path, bytes(data))


def rewrite_manifest(store: LocalStore, **changes: object) -> None:
    """Commit a lie: a changed manifest with a pointer that fits it."""
    manifest = read_manifest(store, 1).model_copy(update=changes)
    store.write(manifest_path(1), manifest.to_bytes())
    pointer = LatestPointer(version=1, path=manifest_path(1), sha256=sha256_hex(manifest.to_bytes()))
    store.write(LATEST_JSON, pointer.to_bytes())


def fewer_samples_claimed(store: LocalStore) -> None:
    shards = read_manifest(store, 1).shards
    lie = shards[0].model_copy(update={"samples": shards[0].samples + 1})
    rewrite_manifest(store, shards=(lie, *shards[1:]))


def one_shard_twice(store: LocalStore) -> None:
    shards = read_manifest(store, 1).shards
    twin = shards[0].path.replace(".tar", "-twin.tar")
    store.write(twin, store.read(shards[0].path))
    store.write(sidecar_path(twin), store.read(sidecar_path(shards[0].path)))
    rewrite_manifest(store, shards=(*shards, shards[0].model_copy(update={"path": twin})))


def lost_row(store: LocalStore) -> None:
    """Drop a sample from its unit, digest and all: only counting again can see it."""
    for path in store.list("units"):
        commit = UnitCommit.model_validate_json(store.read(path))
        part = commit.parts["samples"]
        if part.rows:
            data = parquet_bytes(read_rows(store.read(part.path), SAMPLES)[1:], SAMPLES)
            store.write(part.path, data)
            changes = {"bytes": len(data), "sha256": sha256_hex(data), "rows": part.rows - 1}
            parts = {**commit.parts, "samples": part.model_copy(update=changes)}
            store.write(path, commit.model_copy(update={"parts": parts}).to_bytes())
            return


def lost_unit(store: LocalStore) -> None:
    store.delete(first(store, "units"))


def score_commit(store: LocalStore) -> str:
    return next(path for path in store.list("scores") if path.endswith(".json"))


def scores_of_another(store: LocalStore) -> None:
    path = score_commit(store)
    scores = UnitScores.model_validate_json(store.read(path))
    store.write(path, scores.model_copy(update={"unit_sha256": "0" * 64}).to_bytes())


def changed_statistics(store: LocalStore) -> None:
    document = json.loads(store.read(STATISTICS_JSON))
    document["sources"][0]["ledger"]["records_read"] += 1
    store.write(STATISTICS_JSON, json.dumps(document).encode())


def left_out_that_lies(store: LocalStore) -> None:
    """Say of the statistics and of the manifest alike that one duplicate less was left out."""
    document = json.loads(store.read(STATISTICS_JSON))
    guilty = next(source for source in document["sources"] if source["left_out_as_duplicate"])
    guilty["left_out_as_duplicate"] -= 1
    data = json.dumps(document).encode()
    store.write(STATISTICS_JSON, data)
    rewrite_manifest(store, files={**read_manifest(store, 1).files, STATISTICS_JSON: sha256_hex(data)})


def foreign_member(store: LocalStore) -> None:
    shards = read_manifest(store, 1).shards
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/passwd"), io.BytesIO(b""))
    data = buffer.getvalue()
    store.write(shards[0].path, data)
    lie = shards[0].model_copy(update={"bytes": len(data), "sha256": sha256_hex(data), "samples": 1})
    rewrite_manifest(store, shards=(lie, *shards[1:]))


Members = dict[str, bytes]


def rewritten_shard(change: Callable[[Members], Members]) -> Callable[[LocalStore], None]:
    """Return what changes members of the first shard, with a manifest that fits."""

    def plant(store: LocalStore) -> None:
        shards = read_manifest(store, 1).shards
        with tarfile.open(fileobj=io.BytesIO(store.read(shards[0].path))) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar}
        changed = change(members)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in changed.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        data = buffer.getvalue()
        store.write(shards[0].path, data)
        keys = {name.split(".")[0] for name in changed}
        told = {"samples": len(keys), "bytes": len(data), "sha256": sha256_hex(data)}
        rewrite_manifest(store, shards=(shards[0].model_copy(update=told), *shards[1:]))

    return plant


def with_facts(change: Callable[[dict], object]) -> Callable[[Members], Members]:
    """Return what changes the facts of a shard's first sample."""

    def changed(members: Members) -> Members:
        name = next(iter(members))
        facts = json.loads(members[name])
        change(facts)
        return {**members, name: json.dumps(facts).encode()}

    return changed


def other_words(members: Members) -> Members:
    return {name: b"other words" if name.endswith(".txt") else data for name, data in members.items()}


def other_words_everywhere(members: Members) -> Members:
    return other_words(with_facts(lambda facts: [text.update(text="other words") for text in facts["texts"]])(members))


def without_first(members: Members) -> Members:
    key = next(iter(members)).split(".")[0]
    return {name: data for name, data in members.items() if not name.startswith(key)}


def without_media(members: Members) -> Members:
    lost = next(name for name in members if name.endswith(".mp4"))
    return {name: data for name, data in members.items() if name != lost}


def changed_sidecar(change: Callable[[dict], object]) -> Callable[[LocalStore], None]:
    """Return what changes the first side-car, with a manifest that fits."""

    def plant(store: LocalStore) -> None:
        shards = read_manifest(store, 1).shards
        path = sidecar_path(shards[0].path)
        document = json.loads(store.read(path))
        change(document)
        data = canonical_json(document)
        store.write(path, data)
        rewrite_manifest(store, shards=(shards[0].model_copy(update={"sidecar_sha256": sha256_hex(data)}), *shards[1:]))

    return plant


def one_block_on(document: dict) -> None:
    document["offsets"] = [offset + 512 for offset in document["offsets"]]


def another_bucket(store: LocalStore) -> None:
    shards = read_manifest(store, 1).shards
    rewrite_manifest(store, shards=(shards[0].model_copy(update={"bucket": 7}), *shards[1:]))


def changed_document(change: Callable[[dict], object]) -> Callable[[LocalStore], None]:
    """Return what changes the statistics, with a manifest that fits."""

    def plant(store: LocalStore) -> None:
        document = json.loads(store.read(STATISTICS_JSON))
        change(document)
        data = json.dumps(document).encode()
        store.write(STATISTICS_JSON, data)
        rewrite_manifest(store, files={**read_manifest(store, 1).files, STATISTICS_JSON: sha256_hex(data)})

    return plant


def one_more_in_a_bin(document: dict) -> None:
    best = next(one for one in document["sources"][0]["histograms"] if one["text_kind"] == "best")
    best["counts"][0][1] += 1


def suppressed(kind: EntryKind, value: Callable[[LocalStore], str]) -> Callable[[LocalStore], None]:
    """Return what puts something of the run on a suppression list behind the run's back."""

    def plant(store: LocalStore) -> None:
        entries = (listed(kind, value(store)),)
        store.write(suppressed_path(1), SuppressionList(entries=entries).to_bytes())

    return plant


def first_of(folder: str, column: str) -> Callable[[LocalStore], str]:
    schema = {"samples": SAMPLES, "records": RECORDS}[folder]
    return lambda store: next(
        str(row[column]) for path in store.list(folder) for row in read_rows(store.read(path), schema)
    )


FAULTS: dict[str, tuple[Callable[[LocalStore], None], str]] = {
    "a bit of a shard": (lambda store: flip(store, first(store, "shards")), "its bytes changed"),
    "a bit of a clip": (lambda store: flip(store, first(store, "media")), "its bytes changed"),
    "a bit of a part": (lambda store: flip(store, first(store, "texts")), "its bytes changed"),
    "a bit of the selection": (lambda store: flip(store, "selection/plan.json"), "is not what manifests/v000001.json"),
    "a torn unit commit": (lambda store: tear(store, first(store, "units")), "cannot be read"),
    "a torn manifest": (lambda store: tear(store, manifest_path(1)), "cannot be read"),
    "a torn pointer": (lambda store: tear(store, LATEST_JSON), "cannot be read"),
    "torn statistics": (lambda store: tear(store, STATISTICS_JSON), "is not what manifests/v000001.json"),
    "ledgers of two sources swapped in the manifest": (lambda store: swapped_ledgers(store), "the manifest's ledger"),
    "a truncated shard": (
        lambda store: store.write(first(store, "shards"), store.read(first(store, "shards"))[:-512]),
        "bytes; written were",
    ),
    "a missing shard": (lambda store: store.delete(first(store, "shards")), ": missing"),
    "a missing clip": (lambda store: store.delete(first(store, "media")), ": missing"),
    "an unlisted shard": (lambda store: store.write("shards/clean/stock/x.tar", b""), "a shard that no manifest lists"),
    "a manifest without its pointer": (lambda store: store.delete(LATEST_JSON), "latest.json: missing"),
    "a changed manifest": (lambda store: flip_name(store), "is not what manifests/latest.json points to"),
    "a sample count that lies": (fewer_samples_claimed, "the manifest says"),
    "a key in two shards": (one_shard_twice, "stands in another shard too"),
    "a member of another kind": (foreign_member, "is not of the shard contract"),
    "a row lost inside a unit": (lost_row, "its ledger is"),
    "a unit lost with its ledger": (lost_unit, "stats say otherwise"),
    "a bit of a unit's media work": (lambda store: flip(store, first(store, "clips")), "is not what unit"),
    "media work that is gone": (lambda store: store.delete(first(store, "clips")), ": missing"),
    "scores of another unit": (scores_of_another, "is not of the unit that is there"),
    "scores that are gone": (lambda store: store.delete(score_commit(store)), "has no scores under"),
    "a bit of a side-car": (lambda store: flip(store, sidecar_path(first(store, "shards"))), "its bytes changed"),
    "a missing side-car": (lambda store: store.delete(sidecar_path(first(store, "shards"))), ".json: missing"),
    "offsets that are off": (changed_sidecar(one_block_on), "its offsets are not those of"),
    "a side-car of other samples": (
        changed_sidecar(lambda document: document.update(keys=["a" * 26, *document["keys"][1:]])),
        "names other samples than",
    ),
    "a side-car of other sizes": (
        changed_sidecar(lambda document: document["sizes"].update(txt=[1] * len(document["keys"]))),
        "other members than",
    ),
    "a side-car of other weights": (
        changed_sidecar(lambda document: document["weights_1e4"].update(stage1=[7] * len(document["keys"]))),
        "tells of other weights than",
    ),
    "a shard of another bucket": (another_bucket, "is selected for"),
    "a text that was not chosen": (rewritten_shard(other_words), "has a text that is not the one that was chosen"),
    "a chosen text with other words": (rewritten_shard(other_words_everywhere), "has other words under the text"),
    "a chosen text that is gone": (
        rewritten_shard(with_facts(lambda facts: facts.update(texts=[]))),
        "that was chosen for it",
    ),
    "a score of its own": (
        rewritten_shard(with_facts(lambda facts: [text["scores_1e4"].update(mean=1) for text in facts["texts"]])),
        "has another score for the text",
    ),
    "facts of another choice": (
        rewritten_shard(with_facts(lambda facts: facts.update(score_1e4=1))),
        "its facts name another text or score",
    ),
    "another tier in the facts": (
        rewritten_shard(with_facts(lambda facts: facts.update(tier="noisy_low"))),
        "disagree with the shard in ['tier']",
    ),
    "another source in the facts": (
        rewritten_shard(with_facts(lambda facts: facts.update(source="mined"))),
        "disagree with the shard in ['source']",
    ),
    "a sample that is in no shard": (rewritten_shard(without_first), "and no shard holds it"),
    "a sample without its clip": (rewritten_shard(without_media), "has the members"),
    "a tier that lies": (
        changed_document(lambda document: document["sources"][0]["tiers"][0].update(media_bytes=1)),
        "the selection has (samples, sharded, us, bytes)",
    ),
    "hours that lie": (
        changed_document(lambda document: document["sources"][0].update(duration_us=1)),
        "its samples come to",
    ),
    "a histogram that lies": (changed_document(one_more_in_a_bin), "its histogram is not that of the scores"),
    "a suppressed record": (suppressed("record", first_of("records", "record_id")), "is on a suppression list;"),
    "a suppressed place": (suppressed("locator", first_of("records", "locator")), "is on a suppression list;"),
    "a suppressed video": (suppressed("video", first_of("samples", "video_sha256")), "list by its video"),
    "a suppressed clip": (suppressed("clip", first_of("samples", "clip_id")), "list by its clip"),
    "suppressed bytes": (suppressed("media", first_of("samples", "media_sha256")), "list by its media"),
    "suppressed pictures": (suppressed("content", first_of("samples", "content_sha256")), "list by its content"),
    "statistics that lie": (changed_statistics, "stats say otherwise"),
    "statistics that lie about what is left out": (left_out_that_lies, "samples are left out; the statistics say"),
}


def tear(store: LocalStore, path: str) -> None:
    store.write(path, store.read(path)[:-40])


def swapped_ledgers(store: LocalStore) -> None:
    one, other, *rest = read_manifest(store, 1).sources
    ledgers = {"ledger": other.ledger}, {"ledger": one.ledger}
    rewrite_manifest(store, sources=(one.model_copy(update=ledgers[0]), other.model_copy(update=ledgers[1]), *rest))


def flip_name(store: LocalStore) -> None:
    manifest: Manifest = read_manifest(store, 1)
    store.write(manifest_path(1), manifest.model_copy(update={"corpus": "tina"}).to_bytes())


def test_a_run_as_it_was_built_has_no_problem(pristine: Run) -> None:
    report = verify_run(pristine.store, pristine.config)
    assert (report.problems, report.leftovers) == ([], [])
    assert report.checked["shards"] == 4 and report.checked["ledgers"] == 6


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, pristine: Run, store: LocalStore) -> None:
    plant, message = FAULTS[fault]
    plant(store)
    problems = verify_run(store, pristine.config).problems
    assert any(message in problem for problem in problems), problems


def test_leftovers_are_listed_and_removed_and_nothing_else(pristine: Run, store: LocalStore) -> None:
    before = set(store.list(""))
    for path in ("tmp/units/x/clip.mp4", "media/00/orphan.mp4", "texts/stale.parquet"):
        store.write(path, b"left over")
    report = verify_run(store, pristine.config)
    assert len(report.leftovers) == 3 and report.problems == []
    remove_leftovers(store, report)
    assert set(store.list("")) == before


def test_a_damaged_unit_keeps_its_clips_and_is_mended_by_the_next_build(pristine: Run, store: LocalStore) -> None:
    path = first(store, "records")
    before = set(store.list("media"))
    store.write(path, store.read(path)[:-1])
    remove_leftovers(store, verify_run(store, pristine.config))
    assert set(store.list("media")) == before != set()
    plans = [
        plan_unit(unit, source_of(pristine, unit), fake_facts(pristine.config)) for unit in unit_inputs(pristine.config)
    ]
    whole = [plan.name for plan in plans if finished_commit(store, plan)]
    assert len(whole) == len(plans) - 1, "the damaged unit, and only it, is worked on again"


def source_of(run: Run, unit: UnitInput) -> SourceConfig:
    return next(source for source in run.config.sources if source.name == unit.source)


def test_planted_copies_are_counted_as_found_only_when_they_share_a_clip(pristine: Run) -> None:
    copies = [("v/copy.mp4", "v/a.mp4"), ("v/d.mp4", "v/a.mp4"), ("absent.mp4", "v/a.mp4")]
    assert find_planted(pristine.store, copies) == (3, 1)


INDEX_FAULTS: dict[str, tuple[Callable[[LocalStore, str], None], str]] = {
    "a changed byte": (flip, "its bytes changed"),
    "a lost array": (lambda store, path: store.delete(path), "missing"),
    "an array that nobody wrote": (
        lambda store, path: store.write("duplicates/index/postings/corpus/00099-value.npy", store.read(path)),
        "does not name it",
    ),
    "no list of them": (lambda store, path: store.delete(INDEX_JSON), f"there is no {INDEX_JSON}"),
    "another list of them": (
        lambda store, path: store.write(INDEX_JSON, store.read(INDEX_JSON).replace(b'"bits": 0', b'"bits": 1')),
        f"{INDEX_JSON}: is not what",
    ),
}


@pytest.mark.parametrize("fault", INDEX_FAULTS)
def test_a_fault_in_the_index_is_found(fault: str, store: LocalStore, pristine: Run) -> None:
    plant, wanted = INDEX_FAULTS[fault]
    assert verify_run(store, pristine.config).problems == []
    plant(store, "duplicates/index/postings/corpus/00000-value.npy")
    assert any(wanted in line for line in verify_run(store, pristine.config).problems)
