"""The sandbox's cut with what only a model can tell: the child hands out raw pictures, its caller has the model.

A model's libraries take more memory than all of a child's work, and seconds to load; raw pictures cannot hurt. So one
model per worker looks at those of all its videos, and the child's limits stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from curation.media.shot_frames import read_shot_frames
from curation.media.shot_model import Predict, find_shots_us
from curation.media.spans import cut_failure
from curation.media.tasks import CutClip, CutFailure, CutOutcome, CutTask, MediaError, video_failure
from curation.media.text_area import FindText, text_area_1e4
from curation.media.text_frames import read_text_frames, text_frames_path
from schemas.reasons import Reason

Cut = Callable[[CutTask], CutOutcome]


@dataclass(frozen=True)
class ModelCut:
    """`MediaSandbox.cut` for tasks that want a model's opinion, too.

    Attributes:
        cut: of the sandbox.
        find_text: for tasks with `text_area`.
        predict_shots: for tasks whose shots TransNetV2 finds.
    """

    cut: Cut
    find_text: FindText | None = None
    predict_shots: Predict | None = None

    def __call__(self, task: CutTask) -> CutOutcome:
        """Cut all spans of one video; whatever the media is, the outcome tells.

        Raises:
            ValueError: the task wants a model that is not here.
        """
        if task.text_area and self.find_text is None:
            raise ValueError("the task has text_area, and there is no text finder; give one, or leave text_area out")
        outcome = self._cut_shots(task) if task.lacks_shots else self.cut(task)
        return _with_text_areas(outcome, self.find_text) if task.text_area and self.find_text else outcome

    def _cut_shots(self, task: CutTask) -> CutOutcome:
        """Have the child hand out the video's frames, find the shots, and have it cut them."""
        if self.predict_shots is None:
            raise ValueError("the task wants shots by TransNetV2, which is not here; give it, or take content")
        looked = self.cut(replace(task, shot_frames=True))
        if looked.video is None or any(failure.span_index is None for failure in looked.failures):
            return looked
        try:
            shots_us = find_shots_us(read_shot_frames(task.out_dir), self.predict_shots, task.cutting.shot_probability)
        except (OSError, ValueError) as error:
            return video_failure(Reason.CHILD_CRASHED, f"no frames to look for shots in: {error}")
        outcome = self.cut(replace(task, shots_us=tuple(shots_us)))
        return replace(
            outcome,
            child_cpu_us=looked.child_cpu_us + outcome.child_cpu_us,
            wall_us=looked.wall_us + outcome.wall_us,
        )


def _with_text_areas(outcome: CutOutcome, find: FindText) -> CutOutcome:
    clips: list[CutClip] = []
    failures: list[CutFailure] = []
    for clip in outcome.clips:
        try:
            pictures = read_text_frames(clip.media_path, clip.width_px, clip.height_px)
        except (OSError, ValueError) as error:
            # the child may be under a hostile file's rule: what it left is no reason to stop
            lost = MediaError(Reason.CHILD_CRASHED, f"no pictures to look for text in: {error}")
            failures.append(cut_failure(clip.span_index, lost, clip.made_us))
            continue
        text_frames_path(clip.media_path).unlink()
        clips.append(replace(clip, signals=replace(clip.signals, text_area_1e4=text_area_1e4(pictures, find))))
    return replace(outcome, clips=tuple(clips), failures=(*outcome.failures, *failures))
