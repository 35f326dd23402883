from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from curation.seen_files import changed_files, look_at, remember
from curation.store import LocalStore
from curation.unit_plan import UnitPlan, plan_unit
from schemas.corpus import load_corpus
from tests.builders import fake_facts, unit_inputs, work_with_fakes, write_corpus


@pytest.fixture
def plan(tmp_path: Path) -> UnitPlan:
    config = load_corpus(write_corpus(tmp_path / "in"))
    return plan_unit(unit_inputs(config)[0], config.sources[0], fake_facts(config))


def test_files_as_they_were_are_believed(plan: UnitPlan, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    assert changed_files(store, plan) == []
    remember(store, plan, look_at(plan))
    assert changed_files(store, plan) == []


@pytest.mark.parametrize("change", ["content", "time", "gone"])
def test_a_file_that_changed_behind_its_path_is_named(change: str, plan: UnitPlan, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    remember(store, plan, look_at(plan))
    video = plan.videos[0]
    path = Path(video.address)
    if change == "content":
        path.write_bytes(b"another film altogether")
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    assert changed_files(store, plan) == [video.locator]


def at(plan: UnitPlan, *addresses: str) -> UnitPlan:
    """Return the plan with its first videos at other addresses, under the locators that they had."""
    own = [replace(video, address=address) for video, address in zip(plan.videos, addresses, strict=False)]
    return replace(plan, videos=(*own, *plan.videos[len(own) :]))


def moved(plan: UnitPlan, folder: Path, content: bytes) -> UnitPlan:
    """Return the plan with its first file below another folder, of the same size and time."""
    before = Path(plan.videos[0].address)
    folder.mkdir()
    (folder / before.name).write_bytes(content)
    os.utime(folder / before.name, ns=(before.stat().st_mtime_ns,) * 2)
    return at(plan, str(folder / before.name))


def worked(plan: UnitPlan, store: LocalStore) -> None:
    """Work on a unit, which notes what its files looked like."""
    work_with_fakes(plan, load_corpus(store.root.parent / "in" / "corpus.yaml"), store)


def test_another_folder_with_other_content_of_one_size_and_time_is_named(plan: UnitPlan, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    worked(plan, store)
    assert changed_files(store, moved(plan, tmp_path / "b", b"VIDEO A")) == [plan.videos[0].locator]


def test_a_folder_that_was_moved_is_the_same_one(plan: UnitPlan, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    worked(plan, store)
    content = Path(plan.videos[0].address).read_bytes()
    assert changed_files(store, moved(plan, tmp_path / "b", content)) == []


# name -> (address before, address now, whether it is another file)
PLACES = {
    "another bucket": ("s3://one/a.mp4", "s3://two/a.mp4", True),
    "another host": ("https://one.test/a.mp4", "https://two.test/a.mp4", True),
    "a bucket now": ("/nowhere/a.mp4", "s3://one/a.mp4", True),
    "another login": ("https://u:p@one.test/a.mp4", "https://w:q@one.test/a.mp4", False),
    "another signature": (
        "https://one.test/a.mp4?Policy=p&Signature=f00&Key-Pair-Id=k",
        "https://one.test/a.mp4?Policy=q&Signature=ba5&Key-Pair-Id=k",
        False,
    ),
    "another token": ("https://one.test/a.mp4?token=1", "https://one.test/a.mp4?token=2", True),
    "another tar": ("tar:s3://one/1.tar!a.mp4", "tar:s3://one/2.tar!a.mp4", True),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_is_told_by_its_address_without_secrets(case: str, plan: UnitPlan, tmp_path: Path) -> None:
    before, now, other = PLACES[case]
    store = LocalStore(tmp_path / "run")
    remember(store, at(plan, before), look_at(at(plan, before)))
    assert changed_files(store, at(plan, now)) == ([plan.videos[0].locator] if other else [])
    (note,) = store.list("progress/seen")
    assert b"one.test" not in store.read(note) and b"u:p" not in store.read(note)


def test_a_tar_that_changed_is_seen_at_its_members(plan: UnitPlan, tmp_path: Path) -> None:
    store, tar = LocalStore(tmp_path / "run"), tmp_path / "1.tar"
    tar.write_bytes(b"a tar")
    member = at(plan, f"tar:{tar}!a.mp4")
    remember(store, member, look_at(member))
    assert changed_files(store, member) == []
    tar.write_bytes(b"another tar")
    assert changed_files(store, member) == [plan.videos[0].locator]


def test_a_file_is_known_from_the_unit_that_its_clips_are_taken_over_from(plan: UnitPlan, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    worked(plan, store)
    # One more row: the same files under another name of the unit.
    grown = replace(plan, media_name=plan.media_name[:-8] + "0" * 8)
    assert changed_files(store, grown) == []
    Path(plan.videos[0].address).write_bytes(b"another film")
    assert changed_files(store, grown) == [plan.videos[0].locator]
    remember(store, grown, look_at(grown))
    assert changed_files(store, grown) == [], "its own note comes before a neighbour's"
