"""What still holds something of a removed clip once the units are made again, and how it goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.score_cache import PairScore, ScoreCache
from curation.store import LocalStore
from curation.takedown.purge import (
    checkpoints_of,
    labels_of,
    purge_cache,
    purge_handoff,
    purge_labels,
    purge_media,
    purge_notes,
    purge_shards,
)
from schemas.run import LABELS_JSONL
from schemas.suppression import Affected, CheckpointSeen, VersionFacts

DIGEST = "d" * 64
GONE = Affected(samples=("s" * 26,), clips=("c" * 26,), media=("ab" * 32,), texts=("t" * 26,))
UNIT = "stock-00001of00002-0123abcd"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def filled(store: LocalStore, group: str) -> None:
    vectors = np.ones((2, 4), dtype=np.float32)
    frames = {("ab" * 32, "u2-4"): vectors, ("cd" * 32, "u2-4"): vectors}
    ScoreCache(store, DIGEST).add(group, frames, {"p" * 26: PairScore(scores_1e4=(("mean", 1),), tokens_cut=0)})


GROUPS = {
    "the unit's own": (UNIT, True),
    "of an earlier name": ("stock-00001of00002-ffffffff", True),
    "the source was one unit": ("stock-00000of00001-0123abcd", True),
    "it was split into four": ("stock-00003of00004-0123abcd", True),
    "it was split into eight": ("stock-00004of00008-0123abcd", True),
    "the other half": ("stock-00000of00002-0123abcd", False),
    "another source": ("stock_2-00001of00002-0123abcd", False),
}


@pytest.mark.parametrize("case", GROUPS)
def test_the_cache_loses_clips_and_all_pairs_wherever_the_unit_was(case: str, store: LocalStore) -> None:
    group, touched = GROUPS[case]
    filled(store, group)
    purge_cache(store, [UNIT], GONE)
    known = ScoreCache(store, DIGEST).load([group])
    assert {media for media, _ in known.frames} == ({"cd" * 32} if touched else {"ab" * 32, "cd" * 32})
    assert (len(known.pairs), known.damaged) == (0 if touched else 1, ())


def test_a_damaged_segment_goes_whole(store: LocalStore) -> None:
    path = f"scores/{DIGEST[:16]}/cache/{UNIT}/clips-{'0' * 32}.parquet"
    store.write(path, b"torn")
    purge_cache(store, [UNIT], GONE)
    assert not store.exists(path)


def test_labels_of_gone_samples_and_texts_go(store: LocalStore) -> None:
    lines = [
        {"sample_id": "s" * 26, "text_id": "a" * 26},
        {"sample_id": "b" * 26, "text_id": "t" * 26},
        {"sample_id": "b" * 26, "text_id": "a" * 26},
    ]
    store.write(LABELS_JSONL, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert labels_of(store, GONE)[1] == 2
    purge_labels(store, GONE)
    assert [json.loads(line) for line in store.read(LABELS_JSONL).splitlines()] == lines[2:]


def test_media_and_frames_under_every_plan_go(store: LocalStore) -> None:
    gone = [f"media/ab/{'ab' * 32}.mp4", f"frames/cc/{'c' * 26}-u2-4.jpg", f"frames/cc/{'c' * 26}-u8-64.jpg"]
    kept = [f"media/cd/{'cd' * 32}.mp4", f"frames/cc/{'c' * 25}d-u2-4.jpg"]
    for path in (*gone, *kept):
        store.write(path, b"x")
    purge_media(store, GONE)
    assert [path for path in (*gone, *kept) if store.exists(path)] == kept


def test_shards_that_no_version_lists_go_with_their_side_cars(store: LocalStore) -> None:
    for path in ("shards/clean/stock/tiny-clean-stock-000000-0123abcd.tar", "shards/clean/stock/x.json"):
        store.write(path, b"x")
    purge_shards(store)
    assert list(store.list("shards")) == []


def test_notes_on_old_units_and_unfinished_work_go(store: LocalStore) -> None:
    for path in ("progress/seen/old.json", "tmp/fetched/x.file", "tmp/decoded/a/b", "progress/build.lock"):
        store.write(path, b"x")
    purge_notes(store, [])
    assert [path for path in store.list("") if not path.startswith("tmp/write")] == ["progress/build.lock"]


def test_checkpoints_are_known_by_the_manifest_that_they_name(store: LocalStore) -> None:
    held = VersionFacts(version=1, sha256="1" * 64)
    documents = {
        "models/stage1/checkpoints/step-00000002/checkpoint.json": {"identity": {"manifest_sha256": "1" * 64}},
        "models/stage2/summary.json": {"trained_on": "1" * 64},
        "models/stage2/other.json": {"trained_on": "2" * 64},
        "models/encoder/config.json": {"name": "1" * 64},
    }
    for path, document in documents.items():
        store.write(path, json.dumps(document).encode())
    store.write("models/stage1/torn.json", b"{")
    assert checkpoints_of(store, [held]) == tuple(
        CheckpointSeen(path=path, manifest_sha256="1" * 64) for path in list(documents)[:2]
    )


def test_the_runs_own_hand_off_goes_and_no_shard_behind_its_links(store: LocalStore) -> None:
    store.write("shards/clean/stock/a.tar", b"tar")
    store.write("handoff/sizes.json", b"{}")
    (store.root / "handoff" / "a.tar").symlink_to(store.root / "shards" / "clean" / "stock" / "a.tar")
    purge_handoff(store)
    assert list(store.list("")) == ["shards/clean/stock/a.tar"]
