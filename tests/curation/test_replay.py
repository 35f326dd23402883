"""Which rejects a replay marks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from curation.media import CutClip, CutFailure, CutOutcome, VideoFacts
from curation.replay import mark_rejects
from curation.store import LocalStore
from curation.unit_media import read_clips
from schemas.reasons import Reason, Stage
from schemas.units import UnitClips, VideoEntry
from tests.fakes import fake_clip_facts, fake_video_facts

UNIT = "stock-00000of00001-aaaaaaaa"


def entry(locator: str, clips: tuple[CutClip, ...], *failures: tuple[int | None, Reason]) -> VideoEntry:
    told = tuple(
        CutFailure(span_index=index, stage=Stage.CUT, reason=reason, detail="planted") for index, reason in failures
    )
    video: VideoFacts | None = fake_video_facts(b"video") if clips else None
    outcome = CutOutcome(video=video, clips=clips, failures=told, child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=0)
    return VideoEntry(locator=locator, spans=((0, 1), (1, 2), (2, 3)), outcome=asdict(outcome))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path)
    videos = (
        entry("cured.mp4", (fake_clip_facts(0), fake_clip_facts(1), fake_clip_facts(2))),
        entry("late.mp4", (fake_clip_facts(0),), (1, Reason.SPAN_PAST_END), (None, Reason.TIMEOUT)),
        entry("part.mp4", (fake_clip_facts(0), fake_clip_facts(1)), (1, Reason.CPU_LIMIT), (2, Reason.NO_FRAMES)),
        entry("gone.mp4", (), (0, Reason.SPAN_TOO_LONG), (None, Reason.FILE_MISSING)),
    )
    clips = UnitClips(unit=UNIT, source="stock", fingerprint="f" * 64, facts="e" * 64, videos=videos)
    store.write(f"clips/{UNIT}.json", clips.to_bytes())
    return store


CASES = {
    "one reason": (Reason.TIMEOUT, {("stock", "timeout"): 1}, [(), (2,), (), ()]),
    "what is never cured by itself": (Reason.SPAN_PAST_END, {("stock", "span_past_end"): 1}, [(), (1,), (), ()]),
    "all that may be cured": (
        None,
        {("stock", "timeout"): 1, ("stock", "cpu_limit"): 1, ("stock", "file_missing"): 2},
        [(), (2,), (1,), (1, 2)],
    ),
    "a part of a span": (Reason.CPU_LIMIT, {("stock", "cpu_limit"): 1}, [(), (), (1,), ()]),
    "a reason that nothing has": (Reason.PLAYLIST, {}, [(), (), (), ()]),
}


@pytest.mark.parametrize("case", CASES)
def test_those_and_only_those_are_marked(case: str, store: LocalStore) -> None:
    reason, spans, again = CASES[case]
    marked = mark_rejects(store, reason)
    assert marked.spans == spans
    assert marked.videos == sum(bool(places) for places in again)
    clips = read_clips(store, UNIT)
    assert clips is not None and [video.again for video in clips.videos] == again
    before = store.read(f"clips/{UNIT}.json")
    mark_rejects(store, reason)
    assert store.read(f"clips/{UNIT}.json") == before
