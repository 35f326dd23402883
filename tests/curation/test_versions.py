"""Two versions of a run's shards beside each other, and old ones taken away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from curation.manifests import manifest_versions, read_manifest
from curation.store import LocalStore
from curation.verify import verify_run
from curation.versions import diff_versions, drop_versions, prune
from pipelines.run_folder import Run, open_run
from pipelines.stages import judge, shard
from pipelines.watching import Watcher
from schemas.config_file import ConfigError
from schemas.judging import Cuts
from schemas.versions import PlaceChange
from tests.builders import IN_PROCESS, built_with_fakes

QUIET = Watcher(quiet=True)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of two versions: in the second one no text is trusted, and stock has other terms."""
    run = built_with_fakes(tmp_path_factory.mktemp("versions"))
    licence = run.config.sources[0].licence.model_copy(update={"terms": "new terms"})
    sources = (run.config.sources[0].model_copy(update={"licence": licence}), *run.config.sources[1:])
    changed = run.config.model_copy(update={"cuts": Cuts(clean=1.0, high=1.0, low=0.99), "sources": sources})
    again = open_run(changed, run.root)
    shard(again, IN_PROCESS, QUIET, judge(again, IN_PROCESS, QUIET))
    return again


@pytest.fixture
def store(two: Run, tmp_path: Path) -> LocalStore:
    shutil.copytree(two.root, tmp_path / "run")
    return LocalStore(tmp_path / "run")


def test_a_diff_tells_shards_and_samples_by_tier_and_source(two: Run) -> None:
    found = diff_versions(two.store, 1, 2)
    by_place = {(place.tier, place.source): place for place in found.places}
    sizes = {path.name: path.stat().st_size for path in (two.root / "shards").rglob("*.tar")}
    written = next(facts for facts in read_manifest(two.store, 2).shards if facts.source == "stock")
    assert by_place["clean", "stock"] == PlaceChange(
        tier="clean",
        source="stock",
        shards_kept=0,
        shards_written=0,
        shards_gone=1,
        added=0,
        removed=2,
        bytes_written=0,
    )
    assert by_place["video_only", "stock"] == PlaceChange(
        tier="video_only",
        source="stock",
        shards_kept=0,
        shards_written=1,
        shards_gone=1,
        added=2,
        removed=0,
        bytes_written=sizes[written.path.rsplit("/", 1)[1]],
    )
    assert by_place["video_only", "silent"].shards_kept == 1
    assert found.moved == 2
    assert found.changed["rights of stock"] == ("CC0-1.0, own: made for a test", "CC0-1.0, own: new terms")
    assert {"fingerprint of judge", "fingerprint of shard", "rights of stock"} == set(found.changed)


def test_a_version_does_not_differ_from_itself(two: Run) -> None:
    found = diff_versions(two.store, 2, 2)
    assert (found.moved, found.changed) == (0, {})
    assert all(place.shards_written == place.added == place.removed == 0 for place in found.places)


@pytest.mark.parametrize("pair", [(1, 3), (0, 2)])
def test_a_version_that_is_not_there_is_refused(pair: tuple[int, int], two: Run) -> None:
    with pytest.raises(ConfigError, match="is not in this run; allowed: 1, 2"):
        diff_versions(two.store, *pair)


def test_pruning_removes_what_no_later_version_lists_and_nothing_else(two: Run, store: LocalStore) -> None:
    before = set(store.list(""))
    kept = {facts.path for facts in read_manifest(store, 2).shards}
    gone = {facts.path for facts in read_manifest(store, 1).shards} - kept
    removed = prune(store, keep=1)
    assert set(removed) == before - set(store.list(""))
    assert set(removed) == {"manifests/v000001.json", *gone, *(path.replace(".tar", ".json") for path in gone)}
    assert manifest_versions(store) == [2]
    report = verify_run(store, two.config)
    assert (report.problems, report.leftovers) == ([], [])


def test_keeping_as_many_as_there_are_removes_nothing(store: LocalStore) -> None:
    assert prune(store, keep=2) == prune(store, keep=9) == []


def test_the_latest_version_is_never_dropped(store: LocalStore) -> None:
    with pytest.raises(ConfigError, match="is the latest"):
        drop_versions(store, [2])
    with pytest.raises(ConfigError, match="allowed: 1 or more"):
        prune(store, keep=0)


def test_what_a_killed_pruning_leaves_is_found_and_removed(two: Run, store: LocalStore) -> None:
    store.delete("manifests/v000001.json")
    report = verify_run(store, two.config)
    assert sorted(path.rsplit(".", 1)[1] for path in report.leftovers) == ["json", "json", "tar", "tar"]
