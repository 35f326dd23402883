from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from curation.handoff.tar_index import sample_places
from curation.store import LocalStore
from schemas.config_file import ConfigError
from schemas.manifest import ShardFacts
from tests.curation.handoff.manifests import shard

MEMBERS = {"aa.json": b"{}", "aa.mp4": b"x" * 513, "aa.txt": b"red", "bb.json": b"{}", "bb.mp4": b""}


def written(folder: Path, samples: int = 2) -> tuple[LocalStore, ShardFacts]:
    facts = shard("clean", "web", 0, samples)
    path = folder / facts.path
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return LocalStore(folder), facts.model_copy(update={"bytes": path.stat().st_size})


def test_members_lie_where_they_say(tmp_path: Path) -> None:
    store, facts = written(tmp_path)
    whole = store.read(facts.path)
    found = sample_places(store, facts)
    bodies = {
        f"{own.key}.{member.suffix}": whole[member.start : member.start + member.size]
        for own in found
        for member in own.members
    }
    assert bodies == MEMBERS
    # aa: three headers, bodies of 1, 2 and 1 blocks; bb: two headers, a body of one block, and none.
    assert [(own.key, own.start, own.end) for own in found] == [("aa", 0, 7 * 512), ("bb", 7 * 512, 10 * 512)]


def test_another_number_of_samples_is_refused(tmp_path: Path) -> None:
    store, facts = written(tmp_path, samples=3)
    with pytest.raises(ConfigError, match="holds 2 samples, not 3"):
        sample_places(store, facts)


@pytest.mark.parametrize("change", [{"bytes": 1}, {"path": "shards/absent.tar"}])
def test_another_size_or_no_shard_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    store, facts = written(tmp_path)
    with pytest.raises(ConfigError, match="missing or not of"):
        sample_places(store, facts.model_copy(update=change))
