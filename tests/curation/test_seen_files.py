from __future__ import annotations

import os
from pathlib import Path

import pytest

from curation.seen_files import changed_files, look_at, remember
from curation.store import LocalStore
from curation.unit_plan import UnitPlan, plan_unit
from schemas.corpus import load_corpus
from tests.builders import fake_facts, unit_inputs, write_corpus


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
