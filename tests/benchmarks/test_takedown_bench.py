from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.takedown import clip_ids, packed_small
from curation.store import LocalStore
from curation.verify import verify_run
from tests.builders import built_with_fakes
from training.data import read_run_manifest


def test_a_run_is_packed_into_as_many_shards_and_clips_are_of_different_ones(tmp_path: Path) -> None:
    root = built_with_fakes(tmp_path).root
    samples = sum(facts.samples for facts in read_run_manifest(root).shards)
    run = packed_small(root, samples)
    shards = read_run_manifest(root).shards
    assert len(shards) == sum(facts.samples for facts in shards) == samples == 5
    assert verify_run(LocalStore(root), run.config).problems == []
    found = clip_ids(root, samples)
    assert len(set(found)) == samples
    assert clip_ids(root, 2) == clip_ids(root, 2)


def test_more_clips_than_shards_are_refused(tmp_path: Path) -> None:
    root = built_with_fakes(tmp_path).root
    with pytest.raises(ValueError, match="allowed: up to"):
        clip_ids(root, 6)
