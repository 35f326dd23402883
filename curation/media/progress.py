"""What the limited child tells while it works, so that what it finished outlives it, and how long its work may take.

The child tells each thing as soon as it is known; the sandbox's server keeps it. Where the child comes to its end, its
last message is the outcome. Where it is killed, the outcome is made of what it had told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from curation.media.linux import allow_cpu
from curation.media.tasks import CutClip, CutFailure, VideoFacts, outcome_to_json, video_failure
from schemas.media import MediaLimits
from schemas.reasons import Reason, Stage

Tell = Callable[[dict[str, Any]], None]

# `MediaLimits.frame_ms` is for frames of up to 720 lines; larger ones take more in proportion
PLAIN_PIXELS = 1280 * 720
MS_PER_S = 1000


def allowed_s(base_s: float, work_s: float, limits: MediaLimits) -> float:
    """Return what a base and the work on top of it come to: never less than the base, nor more by the work than
    `max_wall_s`."""
    return max(base_s, min(limits.max_wall_s, base_s + work_s))


def frames_s(frames: int, pixels: float, limits: MediaLimits) -> float:
    """Return the seconds that decoding or encoding some frames of a size adds to the deadline."""
    return frames * max(1.0, pixels / PLAIN_PIXELS) * limits.frame_ms / MS_PER_S


class WorkReport:
    """The child's side: collects what came of each span and tells it at once."""

    def __init__(self, limits: MediaLimits, tell: Tell) -> None:
        self._limits = limits
        self._tell = tell
        self._work_s = 0.0
        self.clips: list[CutClip] = []
        self.failures: list[CutFailure] = []

    @property
    def cpu_s(self) -> int:
        """The CPU seconds that each process may use by now."""
        return math.ceil(allowed_s(self._limits.cpu_s, self._work_s, self._limits))

    def more_work(self, frames: int, pixels: float) -> None:
        """Ask for the time that some more frames take."""
        self._work_s += frames_s(frames, pixels, self._limits)
        allow_cpu(self.cpu_s)
        self._tell({"kind": "work", "work_s": self._work_s})

    def read(self, video: VideoFacts) -> None:
        """The file was read, and is a video."""
        self._tell({"kind": "video", "video": asdict(video)})

    def planned(self, spans: Iterable[tuple[int, tuple[int, int] | None]]) -> None:
        """These are to be cut: (span_index, made_us) of each."""
        self._tell({"kind": "planned", "spans": [[index, made_us] for index, made_us in spans]})

    def cut(self, clip: CutClip) -> None:
        """A clip is finished."""
        self.clips.append(clip)
        self._tell({"kind": "clip", "clip": asdict(clip)})

    def failed(self, failure: CutFailure) -> None:
        """A span gave no clip."""
        self.failures.append(failure)
        self._tell({"kind": "failure", "failure": asdict(failure)})


@dataclass
class Told:
    """The server's side: what a child has told so far. It may be under a hostile file's rule, so nothing is believed
    that could make it live longer than the limits say.

    Attributes:
        work_s: the seconds that it asked for.
        outcome: its own, where it came to its end.
        ended: why it gave up without one.
        crash: its last words, where an error of ours ended it.
    """

    work_s: float = 0.0
    video: dict[str, Any] | None = None
    planned: list[tuple[int, list[int] | None]] = field(default_factory=list)
    clips: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    outcome: dict[str, Any] | None = None
    ended: tuple[Reason, str] | None = None
    crash: str = ""

    def take(self, message: dict[str, Any]) -> None:
        """Keep what one message tells."""
        match message:
            case {"kind": "work", "work_s": int() | float() as work_s}:
                # what is no number compares false
                self.work_s = work_s if work_s > self.work_s else self.work_s
            case {"kind": "video", "video": dict() as video}:
                self.video = video
            case {"kind": "planned", "spans": list() as spans}:
                self.planned += [(index, made_us) for index, made_us in spans]
            case {"kind": "clip", "clip": dict() as clip}:
                self.clips.append(clip)
            case {"kind": "failure", "failure": dict() as failure}:
                self.failures.append(failure)
            case {"kind": "outcome", "outcome": dict() as outcome}:
                self.outcome = outcome
            case {"kind": "ended", "reason": str() as reason, "detail": str() as detail}:
                self.ended = Reason(reason), detail
            case {"kind": "crash", "words": str() as words}:
                self.crash = words

    def partial(self, reason: Reason, detail: str) -> dict[str, Any]:
        """Return the outcome of a child that was ended: what it finished, and a failure of every span that it did not.

        Where nothing was finished, the whole video failed; spans that had failed before keep their own reasons.
        """
        whole = outcome_to_json(video_failure(reason, detail))
        if not self.clips and not any(row["made_us"] for row in self.failures):
            return {**whole, "video": self.video, "failures": [*whole["failures"], *self.failures]}
        done = {_place(row) for row in (*self.clips, *self.failures)}
        failure = {**whole["failures"][0], "stage": Stage.CUT}
        unfinished = [
            {**failure, "span_index": index, "made_us": made_us}
            for index, made_us in self.planned
            if (index, _key(made_us)) not in done
        ]
        failures = sorted([*self.failures, *unfinished], key=lambda row: (row["span_index"], _key(row["made_us"])))
        clips = sorted(self.clips, key=lambda row: row["span_index"])
        return {**whole, "video": self.video, "clips": clips, "failures": failures}


def _key(made_us: list[int] | None) -> tuple[int, ...]:
    return tuple(made_us or ())


def _place(row: dict[str, Any]) -> tuple[int, tuple[int, ...]]:
    return row["span_index"], _key(row["made_us"])
