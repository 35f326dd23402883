"""Files that lie, cost much or are rare: each ends as a clip or as a reject with its reason, in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.media import CutOutcome, MediaSandbox
from schemas.reasons import Reason
from tests.curation.media.conftest import make_task
from tests.curation.media.make import write_test_video
from tests.curation.media.odd_media import make_odd_media

MAX_WALL_S = 15.0
"""Of any file here, on a busy machine; the deadline is 60 s."""

Found = tuple[dict[str, Reason | None], dict[str, CutOutcome]]


@pytest.fixture(scope="module")
def found(sandbox: MediaSandbox, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is expected of each file, and what came of it."""
    folder = tmp_path_factory.mktemp("odd")
    good = write_test_video(folder / "good.mp4").read_bytes()
    expected = make_odd_media(folder, good)
    outs = tmp_path_factory.mktemp("outs")
    return expected, {name: sandbox.cut(make_task(folder / name, outs / name)) for name in expected}


def test_every_file_ends_as_expected(found: Found) -> None:
    expected, outcomes = found
    told = {name: outcome.failures[0].reason if outcome.failures else None for name, outcome in outcomes.items()}
    assert told == expected
    assert all(len(outcome.clips) + len(outcome.failures) == 1 for outcome in outcomes.values())


def test_none_takes_long(found: Found) -> None:
    slow = {name: outcome.wall_us / 1e6 for name, outcome in found[1].items() if outcome.wall_us > MAX_WALL_S * 1e6}
    assert slow == {}


def test_black_and_static_are_signals_and_no_rejects(found: Found) -> None:
    black, static = (found[1][name].clips[0].signals for name in ("black.mp4", "static.mp4"))
    assert (black.black_share_1e4, static.black_share_1e4) == (10_000, 0)
    assert (black.static_share_1e4, static.static_share_1e4) == (10_000, 10_000)


FRAMES = {
    "twice.mp4": 50,
    "duration.mp4": 50,
    "dimensions.mp4": 50,
    "fast.mp4": 1000,
    "negative.mkv": 50,
    "vfr.mp4": 23,
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_clip_holds_what_was_decoded_and_not_what_was_claimed(name: str, found: Found) -> None:
    (clip,) = found[1][name].clips
    assert clip.frames == FRAMES[name]


def test_a_whole_span_of_a_fragmented_file_that_is_cut_off_survives(sandbox: MediaSandbox, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    good = write_test_video(folder / "good.mp4").read_bytes()
    make_odd_media(folder, good)
    outcome = sandbox.cut(make_task(folder / "fragments_cut.mp4", tmp_path / "out", (0, 500_000), (0, None)))
    assert [clip.span_index for clip in outcome.clips] == [0]
    assert [(failure.span_index, failure.reason) for failure in outcome.failures] == [(1, Reason.TRUNCATED)]
