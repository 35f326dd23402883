"""One sandbox and one folder of bad media for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curation.media import CutOutcome, CutTask, FramePlan, MediaSandbox
from curation.media.tasks import Span
from schemas.media import ClipFormat, Cutting, MediaLimits
from schemas.reasons import Reason
from tests.curation.media.bad_media import make_bad_media

PLAN = FramePlan(count=8, size_px=64)
Cut = Callable[..., CutOutcome]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[MediaSandbox]:
    """A warm sandbox."""
    with MediaSandbox() as warm:
        yield warm


@pytest.fixture(scope="session")
def bad_media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Reason | None]]:
    """The folder of bad files and what is expected of each."""
    folder = tmp_path_factory.mktemp("bad_media")
    return folder, make_bad_media(folder)


@pytest.fixture
def cut(sandbox: MediaSandbox, tmp_path: Path) -> Cut:
    """Cut a file in the shared sandbox, each time into a folder of its own."""
    calls = iter(range(1_000))

    def run(path: Path, *spans: Span, clip: ClipFormat | None = None, limits: MediaLimits | None = None) -> CutOutcome:
        return sandbox.cut(make_task(path, tmp_path / f"out{next(calls)}", *spans, clip=clip, limits=limits))

    return run


def make_task(
    path: Path,
    out_dir: Path,
    *spans: Span,
    clip: ClipFormat | None = None,
    limits: MediaLimits | None = None,
    cutting: Cutting | None = None,
) -> CutTask:
    """Return a task with a new output folder; the whole video where no span is given."""
    out_dir.mkdir()
    return CutTask(
        path=str(path),
        spans=spans or ((None, None),),
        out_dir=str(out_dir),
        clip=clip or ClipFormat(),
        limits=limits or MediaLimits(),
        frames=PLAN,
        cutting=cutting or Cutting(),
    )
