"""What a child tells, and what is left of it when the child is killed."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest

from curation.media.framing import MessageBuffer, PeerGoneError
from curation.media.progress import Told, WorkReport, allowed_s, frames_s
from curation.media.tasks import CutFailure, outcome_from_json
from schemas.media import MediaLimits
from schemas.reasons import RETRYABLE, Reason, Stage
from tests.fakes import fake_clip_facts, fake_video_facts

LIMITS = MediaLimits(wall_s=60, cpu_s=120, frame_ms=20, max_wall_s=600)

ALLOWED = {
    "no work": ((60, 0.0), 60.0),
    "some work": ((60, 100.0), 160.0),
    "more than the most": ((60, 10_000.0), 600.0),
    "a base over the most stays": ((900, 10_000.0), 900.0),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_the_deadline_grows_with_the_work_up_to_the_most(case: str) -> None:
    (base_s, work_s), wanted = ALLOWED[case]
    assert allowed_s(base_s, work_s, LIMITS) == wanted


SIZES = {"720p": (1280 * 720, 2.0), "smaller counts as 720p": (64 * 64, 2.0), "4K": (3840 * 2160, 18.0)}


@pytest.mark.parametrize("case", SIZES)
def test_large_frames_take_longer(case: str) -> None:
    pixels, wanted_s = SIZES[case]
    assert frames_s(100, pixels, LIMITS) == wanted_s


def test_ten_minutes_with_a_hundred_spans_may_take_ten_minutes() -> None:
    messages: list[dict[str, Any]] = []
    report = WorkReport(MediaLimits(), messages.append)
    report.more_work(15_000, 1280 * 720)
    report.more_work(12_500, 512 * 288)
    assert report.cpu_s == 120 + 550
    assert messages[-1] == {"kind": "work", "work_s": 550.0}


LIMITED = {
    "no limit stays none": ((-1, -1), -1),
    "a limit is raised": ((60, 900), 670),
    "no further than the ceiling": ((60, 500), 500),
}


@pytest.mark.parametrize("case", LIMITED)
def test_more_work_raises_a_limit_and_sets_none(case: str) -> None:
    (soft, ceiling), wanted = LIMITED[case]
    code = (
        "import resource\n"
        "from curation.media.progress import WorkReport\n"
        "from schemas.media import MediaLimits\n"
        f"resource.setrlimit(resource.RLIMIT_CPU, ({soft}, {ceiling}))\n"
        "report = WorkReport(MediaLimits(), lambda message: None)\n"
        "report.more_work(15_000, 1280 * 720)\n"
        "report.more_work(12_500, 512 * 288)\n"
        "print(resource.getrlimit(resource.RLIMIT_CPU)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == wanted


HOSTILE = {
    "less than before": -5,
    "not a number": math.nan,
    "text": "9",
    "a list": [1],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_time_buys_none(case: str) -> None:
    told = Told()
    told.take({"kind": "work", "work_s": HOSTILE[case]})
    assert told.work_s == 0.0


def test_endless_work_buys_the_most_there_is() -> None:
    told = Told()
    told.take({"kind": "work", "work_s": math.inf})
    assert allowed_s(60, told.work_s, LIMITS) == 600.0


def told_of(spans: list[tuple[int, tuple[int, int] | None]], clips: list[int], failures: list[CutFailure]) -> Told:
    """What a server knows of a child that read its video, planned `spans` and came to these clips and failures."""
    told = Told()
    report = WorkReport(LIMITS, told.take)
    report.read(fake_video_facts(b"video"))
    report.planned(spans)
    for index in clips:
        report.cut(fake_clip_facts(index))
    for failure in failures:
        report.failed(failure)
    return told


def as_pipe(told: Told) -> Any:
    return outcome_from_json(told.partial(Reason.TIMEOUT, "not done after 60.0 s"))


def test_finished_clips_stay_and_the_rest_may_be_tried_again() -> None:
    own = CutFailure(span_index=1, stage=Stage.CUT, reason=Reason.NO_FRAMES, detail="none")
    outcome = as_pipe(told_of([(0, None), (1, None), (2, None), (3, None)], [2, 0], [own]))
    assert outcome.video is not None
    assert [clip.span_index for clip in outcome.clips] == [0, 2]
    assert [(failure.span_index, failure.stage, failure.reason) for failure in outcome.failures] == [
        (1, Stage.CUT, Reason.NO_FRAMES),
        (3, Stage.CUT, Reason.TIMEOUT),
    ]
    assert outcome.failures[1].reason in RETRYABLE


def test_parts_that_were_made_are_told_apart() -> None:
    own = CutFailure(span_index=0, stage=Stage.CUT, reason=Reason.TOO_SHORT, detail="short", made_us=(0, 5))
    outcome = as_pipe(told_of([(0, (0, 5)), (0, (5, 9)), (1, (0, 5))], [], [own]))
    assert [(failure.span_index, failure.made_us, failure.reason) for failure in outcome.failures] == [
        (0, (0, 5), Reason.TOO_SHORT),
        (0, (5, 9), Reason.TIMEOUT),
        (1, (0, 5), Reason.TIMEOUT),
    ]


def test_where_nothing_was_finished_the_whole_video_failed() -> None:
    own = CutFailure(span_index=1, stage=Stage.CUT, reason=Reason.SPAN_EMPTY, detail="none")
    outcome = as_pipe(told_of([(0, None)], [], [own]))
    assert outcome.clips == ()
    assert [(failure.span_index, failure.stage, failure.reason) for failure in outcome.failures] == [
        (None, Stage.MEDIA, Reason.TIMEOUT),
        (1, Stage.CUT, Reason.SPAN_EMPTY),
    ]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_come_out_of_any_pieces(size: int) -> None:
    bodies = [b'{"kind": "work"}', b'{"a": 1}']
    data = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    buffer = MessageBuffer(1_000)
    found = [message for piece in pieces(data, size) for message in buffer.feed(piece)]
    assert found == [{"kind": "work"}, {"a": 1}]


BAD_PIECES = {"too much": b"x" * 51, "no JSON": b"\0\0\0\2{x", "no object": b"\0\0\0\2[]"}


@pytest.mark.parametrize("case", BAD_PIECES)
def test_what_is_no_message_ends_it(case: str) -> None:
    with pytest.raises(PeerGoneError):
        MessageBuffer(50).feed(BAD_PIECES[case])
