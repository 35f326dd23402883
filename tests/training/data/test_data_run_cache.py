"""The decoded cache of a run: made once, opened after that, refused for anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.media import FramePlan
from training.data import CacheRefused, ensure_cache, read_frames, read_run_manifest, shard_samples

PLAN = FramePlan(count=2, size_px=16)


def test_it_is_made_once_and_holds_the_frames_of_every_sample(world_run: Path, tmp_path: Path) -> None:
    manifest = read_run_manifest(world_run)
    told: list[int] = []
    cache = ensure_cache(tmp_path / "cache", world_run, manifest, PLAN, on_sample=told.append)
    assert told == list(range(1, len(cache.samples) + 1))
    first = next(iter(shard_samples(world_run, manifest)))
    assert cache.samples[0].key == first.key and cache.samples[0].text == first.text
    assert np.array_equal(cache.frames([0])[0], read_frames(first.media, PLAN, first.facts["frames"]))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    again = ensure_cache(tmp_path / "cache", world_run, manifest, PLAN, on_sample=told.append)
    assert again.samples == cache.samples and len(told) == len(cache.samples)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == times


def test_a_cache_of_other_tiers_is_another_cache(world_run: Path, tmp_path: Path) -> None:
    manifest = read_run_manifest(world_run)
    clean = ensure_cache(tmp_path / "clean", world_run, manifest, PLAN, ["clean"])
    assert {sample.tier for sample in clean.samples} == {"clean"}
    with pytest.raises(CacheRefused, match="is a cache of something else"):
        ensure_cache(tmp_path / "clean", world_run, manifest, PLAN)
