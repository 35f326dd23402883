"""A takedown that is stopped anywhere and run again ends where one that was not ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.run_folder import Run
from pipelines.takedown import TakedownRequest, takedown
from pipelines.unit_workers import StoredUnits
from pipelines.watching import Watcher
from tests.builders import IN_PROCESS, built_with_fakes, counted_digests, make_again_with_fakes
from tests.fakes import fake_video_facts

VIDEO_A = fake_video_facts(b"video a").sha256
MakeAgain = Callable[[Run, StoredUnits], None]


class Stopped(Exception):
    """Stands for a kill."""


class StoppingWatcher(Watcher):
    """Stops a takedown when a stage begins."""

    def __init__(self, stage: str) -> None:
        super().__init__(quiet=True)
        self._stage = stage

    def watch(self, root: Path, stage: str) -> AbstractContextManager[None]:
        if stage == self._stage:
            raise Stopped(stage)
        return super().watch(root, stage)


def after_the_first_unit(run: Run, stored: StoredUnits) -> None:
    """Make one unit again, which leaves the old ones where they are."""
    assert len(stored.again) > 1
    before = {path: run.store.read(path) for path in run.store.list("") if not path.startswith("tmp")}
    make_again_with_fakes(run, StoredUnits(again=stored.again[:1], kept=(), rows={}))
    for path, data in before.items():
        if not run.store.exists(path):
            run.store.write(path, data)
    raise Stopped


def while_old_units_go(run: Run, stored: StoredUnits) -> None:
    """Make all units again, and stop when the commit of the first old one is gone."""
    old = {path: run.store.read(path) for path in run.store.list("units")}
    state = run.state
    make_again_with_fakes(run, stored)
    gone = [path for path in old if not run.store.exists(path)]
    assert len(gone) > 1
    for path in gone[1:]:
        run.store.write(path, old[path])
    run.state = state
    run.save()
    raise Stopped


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    built_with_fakes(folder)
    (folder / "ids.txt").write_text(VIDEO_A)
    return folder


def run_takedown(built: Path, root: Path, watcher: Watcher | None = None, work: MakeAgain | None = None) -> None:
    request = TakedownRequest(ids=built / "ids.txt", time="noon")
    takedown(root, request, IN_PROCESS, watcher or Watcher(quiet=True), work or make_again_with_fakes)


@pytest.fixture(scope="module")
def wanted(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the files of a run that a takedown went through in one go."""
    root = tmp_path_factory.mktemp("wanted") / "run"
    shutil.copytree(built / "run", root)
    run_takedown(built, root)
    found = counted_digests(root)
    run_takedown(built, root)
    assert counted_digests(root) == found, "done again, it does nothing"
    return found


STOPS: dict[str, tuple[Watcher | None, MakeAgain | None]] = {
    "after the first unit": (None, after_the_first_unit),
    "while old units go": (None, while_old_units_go),
    "before duplicates": (StoppingWatcher("duplicates"), None),
    "before the shards": (StoppingWatcher("shard"), None),
}


@pytest.mark.parametrize("stop", STOPS)
def test_it_ends_in_the_same_place(stop: str, built: Path, wanted: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(built / "run", tmp_path / "run")
    with pytest.raises(Stopped):
        run_takedown(built, tmp_path / "run", *STOPS[stop])
    assert (tmp_path / "run" / "suppressed" / "000001.json").exists(), "what is asked for is kept out from the first"
    run_takedown(built, tmp_path / "run")
    assert counted_digests(tmp_path / "run") == wanted


def test_one_that_was_stopped_while_it_removed_ends_in_the_same_place(
    built: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(built / "run", tmp_path / "run")
    page = tmp_path / "run" / "report" / "index.html"
    page.unlink(missing_ok=True)
    page.mkdir(parents=True)
    with pytest.raises(OSError, match=r"index\.html"):
        run_takedown(built, tmp_path / "run")
    page.rmdir()
    run_takedown(built, tmp_path / "run")
    assert counted_digests(tmp_path / "run") == wanted
