"""What a takedown touches, told from a run of fakes: which records, samples and copies, and what its list names."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from curation.store import LocalStore
from curation.takedown.asked import Asked
from curation.takedown.resolve import Resolution, resolve
from curation.unit_parts import read_commit
from schemas.arrow import RECORDS, SELECTION, parquet_bytes, read_rows
from schemas.ids import clip_id, sample_id
from schemas.suppression import Copies, listed
from schemas.units import UnitCommit
from tests.builders import ingest_with_fakes, write_corpus

VIDEO_A = hashlib.sha256(b"video a").hexdigest()
VIDEO_D = hashlib.sha256(b"video d").hexdigest()
CLIP_A0, CLIP_A2 = clip_id(VIDEO_A, 0, 2_000_000), clip_id(VIDEO_A, 2_000_000, 4_000_000)
CLIP_D = clip_id(VIDEO_D, None, None)
STOCK_A0, MINED_A0 = sample_id("stock", CLIP_A0), sample_id("mined", CLIP_A0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ingested")
    ingest_with_fakes(write_corpus(folder / "in"), folder / "run")
    return folder / "run"


def units(root: Path) -> list[UnitCommit]:
    store = LocalStore(root)
    found = [read_commit(store, path.rsplit("/", 1)[1].removesuffix(".json")) for path in store.list("units")]
    return [commit for commit in found if commit is not None]


def record_ids(root: Path) -> dict[str, str]:
    """Return the first text, or else the locator, of each record -> its id."""
    rows = [row for path in sorted((root / "records").iterdir()) for row in read_rows(path.read_bytes(), RECORDS)]
    return {row["texts"][0]["text"] if row["texts"] else row["locator"]: row["record_id"] for row in rows}


@dataclass(frozen=True)
class Found:
    """What is to be found: texts or locators of records that go, clips that go, samples that go or lose a text."""

    records: frozenset[str]
    clips: frozenset[str]
    samples: int
    removed: int


A0 = frozenset({"a red circle", "a circle that is red", "shop now"})
TABLE: dict[str, tuple[Asked, Found]] = {
    "a record whose clip another one tells too": (
        Asked("record", "a circle that is red"),
        Found(frozenset({"a circle that is red"}), frozenset(), 1, 0),
    ),
    "a sample": (
        Asked("sample", STOCK_A0),
        Found(frozenset({"a red circle", "a circle that is red"}), frozenset(), 1, 1),
    ),
    "a clip": (Asked("id", CLIP_A0), Found(A0, frozenset({CLIP_A0}), 2, 2)),
    "a video": (Asked("digest", VIDEO_A), Found(A0 | {"a blue square"}, frozenset({CLIP_A0, CLIP_A2}), 3, 3)),
    "a place": (Asked("place", "v/copy.mp4"), Found(frozenset({"shop now"}), frozenset(), 1, 1)),
    "the name of a source video": (Asked("place", "c"), Found(frozenset({"v/c.mp4"}), frozenset(), 1, 1)),
    "a video that gave no clip": (Asked("place", "broken"), Found(frozenset({"never seen"}), frozenset(), 0, 0)),
    "what is not there": (Asked("digest", "0" * 64), Found(frozenset(), frozenset(), 0, 0)),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_is_asked_leads_to_records_and_clips(case: str, run: Path) -> None:
    asked, wanted = TABLE[case]
    ids = record_ids(run)
    if asked.kind == "record":
        asked = Asked("record", ids[asked.value])
    found = resolve(LocalStore(run), units(run), [asked], "promote")
    assert set(found.affected.records) == {ids[name] for name in wanted.records}
    assert {entry for entry in found.suppression.entries if entry in {listed("record", ids[n]) for n in ids}} == {
        listed("record", ids[name]) for name in wanted.records
    }
    assert {clip for clip in (CLIP_A0, CLIP_A2, CLIP_D) if listed("clip", clip) in found.suppression.entries} == (
        wanted.clips
    )
    assert (len(found.affected.samples), found.removed_samples) == (wanted.samples, wanted.removed)
    assert (found.found == {asked}) is bool(wanted.records)
    assert bool(found.touched) is bool(wanted.records)


def grouped(run: Path, folder: Path) -> Path:
    """Return a copy of the run in which the clips of two videos are one duplicate group."""
    shutil.copytree(run, folder / "run")
    other = sample_id("mined", CLIP_D)
    rows = [
        {
            **dict.fromkeys(SELECTION.names),
            "sample_id": sample,
            "source": "mined",
            "tier": "clean",
            "keeper": sample,
            "duplicate_group": "g" * 26,
            "text_copies": 1,
        }
        for sample in (MINED_A0, other)
    ]
    (folder / "run" / "selection").mkdir()
    (folder / "run" / "selection" / "mined-00000.parquet").write_bytes(parquet_bytes(rows, SELECTION))
    return folder / "run"


POLICIES: dict[str, tuple[Asked, Copies, set[str]]] = {
    "a clip goes, and its copy stays": (Asked("clip", CLIP_A0), "promote", {CLIP_A0}),
    "a clip goes with its copies": (Asked("clip", CLIP_A0), "remove", {CLIP_A0, CLIP_D}),
    "a telling goes, and no clip": (Asked("sample", MINED_A0), "promote", set()),
    "a telling goes with its whole group": (Asked("sample", MINED_A0), "remove", {CLIP_A0, CLIP_D}),
}


@pytest.mark.parametrize("case", POLICIES)
def test_the_policy_says_what_becomes_of_copies(case: str, run: Path, tmp_path: Path) -> None:
    asked, copies, clips = POLICIES[case]
    root = grouped(run, tmp_path)
    found = resolve(LocalStore(root), units(root), [asked], copies)
    assert {clip for clip in (CLIP_A0, CLIP_A2, CLIP_D) if listed("clip", clip) in found.suppression.entries} == clips


def test_the_list_holds_digests_only(run: Path) -> None:
    found: Resolution = resolve(LocalStore(run), units(run), [Asked("video", VIDEO_A), Asked("place", "b")], "promote")
    data = found.suppression.to_bytes()
    ids = record_ids(run)
    for needle in (VIDEO_A, CLIP_A0, STOCK_A0, "v/a.mp4", "v/b.mp4", *ids, *ids.values()):
        assert needle.encode() not in data
    assert all(len(entry) == 64 for entry in found.suppression.entries)
