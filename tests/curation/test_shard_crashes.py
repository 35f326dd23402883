"""The writer of shards and manifests, killed at every step that it takes: what another attempt ends in is the same."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from curation.disk import Disk
from curation.manifests import commit_manifest, manifest_versions, read_manifest, read_pointer
from curation.packing import PackedSample
from curation.shard_writing import write_shard
from curation.store import LocalStore, file_sha256
from schemas.manifest import Fingerprints, Manifest
from schemas.run import media_path
from schemas.shards import ShardPlace, sidecar_path
from tests.failing_disk import FailingDisk, Killed

CLIPS = {hashlib.sha256(data).hexdigest(): data for data in (f"clip {place}".encode() * 60 for place in range(27))}
CORPUS = "tiny"


def samples(bucket: int, *, text: str) -> list[PackedSample]:
    return [
        PackedSample(
            sample_id=f"{'abcdefg'[bucket]}{place:025d}",
            facts=b'{"facts":1}\n',
            text=text,
            media_sha256=digest,
            media_bytes=len(CLIPS[digest]),
            duration_us=1_000_000,
            weights_1e4={"stage1": 10_000, "stage2": 5_000},
        )
        for place, digest in enumerate(sorted(CLIPS))
    ]


def build(store: LocalStore) -> None:
    """Write two versions of seven shards, of which one changes, and commit each with its manifest."""
    committed = manifest_versions(store)
    for version in (1, 2):
        if committed and version < committed[-1]:
            continue
        shards = []
        for bucket in range(7):
            text = "another" if (bucket, version) == (1, 2) else "a dog"
            place = ShardPlace(tier="clean", source="stock", bucket=bucket)
            shards.append(write_shard(samples(bucket, text=text), store, CORPUS, place).facts)
        draft = Manifest(
            corpus=CORPUS,
            version=0,
            base=None,
            scorer="s",
            fingerprints=Fingerprints(ingest="i", judge="j", shard=str(version)),
            sources=(),
            weights_1e4={},
            plan=(),
            shards=tuple(shards),
            files={},
        )
        commit_manifest(store, draft)


def new_store(root: Path, disk: Disk) -> LocalStore:
    for digest, data in CLIPS.items():
        path = root / media_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return LocalStore(root, disk)


def digests(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): file_sha256(path) for path in sorted(root.rglob("*")) if path.is_file()}


def finished(root: Path) -> dict[str, str]:
    """Build to the end and take away unfinished work, as a build does."""
    build(LocalStore(root, FailingDisk()))
    shutil.rmtree(root / "tmp", ignore_errors=True)
    return digests(root)


def refuse_half_done(store: LocalStore) -> None:
    """Fail unless what a reader can find is whole: the pointer's manifest, and every shard of every manifest."""
    pointer = read_pointer(store)
    if pointer is not None:
        assert store.sha256(pointer.path) == pointer.sha256
    for version in manifest_versions(store):
        for facts in read_manifest(store, version).shards:
            assert store.sha256(facts.path) == facts.sha256
            assert store.sha256(sidecar_path(facts.path)) == facts.sidecar_sha256


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], list[str]]:
    root, disk = tmp_path_factory.mktemp("undisturbed"), FailingDisk()
    build(new_store(root, disk))
    return finished(root), disk.steps


def test_the_steps_are_five_hundred_and_of_every_kind(undisturbed: tuple[dict[str, str], list[str]]) -> None:
    _, steps = undisturbed
    assert len(steps) >= 500
    assert {"create", "write", "flush", "rename", "link", "remove"} == set(steps)


def test_killed_at_each_step_in_turn_it_ends_the_same(
    undisturbed: tuple[dict[str, str], list[str]], tmp_path: Path
) -> None:
    expected, steps = undisturbed
    for dies_at in range(len(steps)):
        root = tmp_path / "run"
        with pytest.raises(Killed):
            build(new_store(root, FailingDisk(dies_at)))
        refuse_half_done(LocalStore(root))
        assert finished(root) == expected, f"step {dies_at}: {steps[dies_at]}"
        shutil.rmtree(root)
