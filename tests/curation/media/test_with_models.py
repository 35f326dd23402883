"""Cutting with a model that looks at what the child hands out: with fakes, and in the sandbox."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.media import MediaSandbox
from curation.media.shot_frames import SHOT_FRAME
from curation.media.tasks import CutFailure, CutOutcome, CutTask, VideoFacts
from curation.media.text_area import RapidTextFinder
from curation.media.with_models import ModelCut
from schemas.media import Cutting
from schemas.reasons import Reason, Stage
from tests.curation.media.conftest import make_task
from tests.curation.media.lettering import SUBTITLE, scene, with_text
from tests.curation.media.make import write_pictures
from tests.fakes import fake_clip_facts


class LeavesPictures:
    """A cutter whose clips of 4 x 4 leave these bytes as their pictures."""

    def __init__(self, *left: bytes | None) -> None:
        self.left = left

    def __call__(self, task: CutTask) -> CutOutcome:
        clips = []
        for index, data in enumerate(self.left):
            media = Path(task.out_dir) / f"{index}.mp4"
            if data is not None:
                media.with_suffix(".rgb").write_bytes(data)
            clips.append(fake_clip_facts(index, media_path=str(media)))
        return CutOutcome(video=None, clips=tuple(clips), failures=(), child_cpu_us=1, ffmpeg_cpu_us=1, wall_us=1)


def half(picture: np.ndarray) -> np.ndarray:
    """Finds a text over the left half of every picture."""
    assert picture.shape == (4, 4, 3)
    return np.array([[[0, 0], [1, 0], [1, 3], [0, 3]]], np.float32)


def task(tmp_path: Path, *, text_area: bool = True) -> CutTask:
    made = make_task(tmp_path / "v.mp4", tmp_path / "out")
    return CutTask(**{**vars(made), "text_area": text_area})


def test_each_clip_gets_its_area_and_its_pictures_go(tmp_path: Path) -> None:
    outcome = ModelCut(LeavesPictures(bytes(48), bytes(96)), half)(task(tmp_path))
    assert [clip.signals.text_area_1e4 for clip in outcome.clips] == [5_000, 5_000]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("left", [None, b"", bytes(47)])
def test_a_clip_without_its_pictures_is_a_failure_and_takes_no_other_down(tmp_path: Path, left: bytes | None) -> None:
    outcome = ModelCut(LeavesPictures(left, bytes(48)), half)(task(tmp_path))
    assert [(clip.span_index, clip.signals.text_area_1e4) for clip in outcome.clips] == [(1, 5_000)]
    (failure,) = outcome.failures
    assert (failure.span_index, failure.stage, failure.reason) == (0, Stage.CUT, Reason.CHILD_CRASHED)


def test_nobody_looks_where_nobody_asked(tmp_path: Path) -> None:
    outcome = ModelCut(LeavesPictures(bytes(48)), half)(task(tmp_path, text_area=False))
    assert [clip.signals.text_area_1e4 for clip in outcome.clips] == [None]


def test_a_task_for_a_model_that_is_not_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no text finder"):
        ModelCut(LeavesPictures(bytes(48)))(task(tmp_path))


class HandsOutFrames:
    """A cutter that leaves these bytes as the video's frames, and then cuts the shots that it is told."""

    def __init__(self, left: bytes, *failures: CutFailure) -> None:
        self.left = left
        self.failures = failures
        self.tasks: list[CutTask] = []

    def __call__(self, task: CutTask) -> CutOutcome:
        self.tasks.append(task)
        if task.shot_frames:
            (Path(task.out_dir) / "shots-00000000.rgb").write_bytes(self.left)
        video = VideoFacts(
            sha256="0" * 64, bytes=1, container="mov", codec="h264", width_px=4, height_px=4, duration_us=1, fps_1e3=1
        )
        return CutOutcome(video=video, clips=(), failures=self.failures, child_cpu_us=2, ffmpeg_cpu_us=3, wall_us=5)


def frames(count: int) -> bytes:
    """Frames 40 ms apart."""
    told = np.zeros(count, SHOT_FRAME)
    told["time_us"] = np.arange(count) * 40_000
    return told.tobytes()


def tenth_of_each(window: np.ndarray) -> np.ndarray:
    """Says of the 10th frame in the middle of each window that it is a transition."""
    return (np.arange(100) == 25 + 9).astype(np.float32)


def shots_task(tmp_path: Path, *spans: tuple[int | None, int | None]) -> CutTask:
    rules = Cutting(no_span="shots", shot_detector="transnetv2")
    return make_task(tmp_path / "v.mp4", tmp_path / "out", *spans, cutting=rules)


def test_the_child_hands_out_frames_and_cuts_the_shots_found_in_them(tmp_path: Path) -> None:
    cutter = HandsOutFrames(frames(70))
    outcome = ModelCut(cutter, predict_shots=tenth_of_each)(shots_task(tmp_path))
    assert [(task.shot_frames, task.shots_us) for task in cutter.tasks] == [
        (True, None),
        (False, (10 * 40_000, 60 * 40_000)),
    ]
    assert (outcome.child_cpu_us, outcome.ffmpeg_cpu_us, outcome.wall_us) == (4, 3, 10)
    assert list((tmp_path / "out").iterdir()) == []


def test_no_frames_are_handed_out_where_spans_are_given(tmp_path: Path) -> None:
    cutter = HandsOutFrames(b"")
    ModelCut(cutter)(shots_task(tmp_path, (0, 1_000_000)))
    assert [task.shot_frames for task in cutter.tasks] == [False]


def test_frames_that_are_none_fail_the_video(tmp_path: Path) -> None:
    cutter = HandsOutFrames(frames(2)[:-1])
    (failure,) = ModelCut(cutter, predict_shots=tenth_of_each)(shots_task(tmp_path)).failures
    assert (failure.span_index, failure.reason, len(cutter.tasks)) == (None, Reason.CHILD_CRASHED, 1)


def test_a_video_that_fails_while_it_is_looked_at_is_not_cut(tmp_path: Path) -> None:
    failed = CutFailure(span_index=None, stage=Stage.MEDIA, reason=Reason.TIMEOUT, detail="")
    cutter = HandsOutFrames(b"", failed)
    assert ModelCut(cutter, predict_shots=tenth_of_each)(shots_task(tmp_path)).failures == (failed,)
    assert len(cutter.tasks) == 1


def test_shots_of_a_network_that_is_not_here_are_refused(tmp_path: Path, sandbox: MediaSandbox) -> None:
    task = shots_task(tmp_path)
    with pytest.raises(ValueError, match="TransNetV2, which is not here"):
        ModelCut(HandsOutFrames(b""))(task)
    with pytest.raises(ValueError, match="not in the child; cut it with ModelCut"):
        sandbox.cut(task)


def film(path: Path, text: str | None) -> Path:
    pictures = [scene(2 * place) for place in range(25)]
    return write_pictures(path, [with_text(one, text, top=250, px=18) if text else one for one in pictures])


def test_subtitles_in_a_video(sandbox: MediaSandbox, tmp_path: Path) -> None:
    cut = ModelCut(sandbox.cut, RapidTextFinder())
    areas = []
    for name, text in (("none", None), ("short", "He said"), ("long", SUBTITLE)):
        made = make_task(film(tmp_path / f"{name}.mp4", text), tmp_path / name)
        (clip,) = cut(CutTask(**{**vars(made), "text_area": True})).clips
        assert clip.signals.text_area_1e4 is not None
        areas.append(clip.signals.text_area_1e4)
    assert areas[0] == 0
    assert 50 <= areas[1] < areas[2] <= 900


def test_a_text_that_is_shown_half_the_time_counts_half(sandbox: MediaSandbox, tmp_path: Path) -> None:
    always = [with_text(scene(), SUBTITLE, top=250, px=18)] * 24
    cut = ModelCut(sandbox.cut, RapidTextFinder())
    areas = []
    for name, pictures in (("always", always), ("half", always[:12] + [scene()] * 12)):
        made = make_task(write_pictures(tmp_path / f"{name}.mp4", pictures), tmp_path / name)
        (clip,) = cut(CutTask(**{**vars(made), "text_area": True})).clips
        areas.append(clip.signals.text_area_1e4 or 0)
    assert areas[1] == pytest.approx(areas[0] / 2, rel=0.1)
