from __future__ import annotations

from pathlib import Path

import pytest

from curation.handoff.tar_index import sample_places
from curation.store import LocalStore
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.manifest import ShardFacts
from schemas.shards import Sidecar, sidecar_path
from tests.curation.handoff.manifests import shard


def written(folder: Path) -> tuple[LocalStore, ShardFacts]:
    """Write a shard whose tar is never read, and its side-car: two samples, of which the first has a text."""
    facts = shard("clean", "web", 0, 2)
    sidecar = Sidecar(
        shard=facts.path,
        shard_bytes=facts.bytes,
        sha256=facts.sha256,
        content="c" * 64,
        duration_us=facts.duration_us,
        keys=("aa", "bb"),
        offsets=(0, 3584),
        weights_1e4={"stage1": (10_000, 10_000), "stage2": (10_000, 10_000)},
        sizes={"json": (2, 2), "mp4": (513, 0), "txt": (3, None)},
    )
    store = LocalStore(folder)
    store.write(facts.path, b"\0" * facts.bytes)
    store.write(sidecar_path(facts.path), sidecar.to_bytes())
    return store, facts.model_copy(update={"sidecar_sha256": sha256_hex(sidecar.to_bytes())})


def test_samples_lie_one_after_the_other(tmp_path: Path) -> None:
    found = sample_places(*written(tmp_path))
    # aa: three headers, bodies of 1, 2 and 1 blocks; bb: two headers, a body of one block, and none.
    assert [(own.key, own.start, own.end) for own in found] == [("aa", 0, 7 * 512), ("bb", 7 * 512, 10 * 512)]
    assert [(suffix, own.start, own.size) for suffix, own in found[0].members.items()] == [
        ("json", 512, 2),
        ("mp4", 1536, 513),
        ("txt", 3072, 3),
    ]
    assert list(found[1].members) == ["json", "mp4"]


@pytest.mark.parametrize("change", [{"bytes": 1}, {"path": "shards/absent.tar"}])
def test_another_size_or_no_shard_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    store, facts = written(tmp_path)
    with pytest.raises(ConfigError, match="missing or not of"):
        sample_places(store, facts.model_copy(update=change))


@pytest.mark.parametrize("fault", ["missing", "changed"])
def test_another_side_car_is_refused(tmp_path: Path, fault: str) -> None:
    store, facts = written(tmp_path)
    store.delete(sidecar_path(facts.path))
    if fault == "changed":
        store.write(sidecar_path(facts.path), b"{}")
    with pytest.raises(ConfigError, match="is missing or not the one that the manifest lists"):
        sample_places(store, facts)
