"""What goes into the media sandbox and what comes out: frozen records, and their JSON for the pipe to the child."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.media import ClipFormat, Cutting, MediaLimits
from schemas.reasons import Reason, Stage
from schemas.records import Signals

MAX_STDERR_BYTES = 2_048
MAX_DETAIL_CHARS = 2_000

Span = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class FramePlan:
    """Which frames of a clip are scored: `count` uniform ones, squares of `size_px` pixels."""

    count: int
    size_px: int

    @property
    def name(self) -> str:
        """The plan's name in scores and file names, for example `u8-64`."""
        return f"u{self.count}-{self.size_px}"


@dataclass(frozen=True, kw_only=True)
class CutTask:
    """All the work on one video.

    Attributes:
        path: the original file; relative paths are resolved against the caller's working directory.
        spans: half-open microseconds counted from the video's first presentation time; None is its own start or end.
        out_dir: an existing private folder; everything that is written goes there.
        cutting: what is made of a span that is not given, or too long.
        shots_us: where new shots begin, found before; with TransNetV2 it is not the child that finds them.
        shot_frames: cut nothing, and leave the video's frames for that (`curation.media.shot_frames`).
        text_area: leave pictures of each clip for the text finder (`curation.media.text_frames`).
        hold_over_us: where more than this is to be cut, all spans together, cut nothing and say what: it can be shared.
    """

    path: str
    spans: tuple[Span, ...]
    out_dir: str
    clip: ClipFormat
    limits: MediaLimits
    frames: FramePlan
    cutting: Cutting = field(default_factory=Cutting)
    shots_us: tuple[int, ...] | None = None
    shot_frames: bool = False
    text_area: bool = False
    hold_over_us: int | None = None

    @property
    def lacks_shots(self) -> bool:
        """Whether shots must be found by a model before spans can be made."""
        return self.cutting.by_model and self.shots_us is None and (None, None) in self.spans


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """Facts of an original file.

    Attributes:
        container: the demuxer that reads it, for example `mov` or `matroska`.
        width_px, height_px: as stored, before rotation and before square pixels.
        duration_us: of the video stream; None where the container states none and no span asked for it.
        fps_1e3: average frame rate in thousandths as the container states it; 0 where unknown.
    """

    sha256: str
    bytes: int
    container: str
    codec: str
    width_px: int
    height_px: int
    duration_us: int | None
    fps_1e3: int


@dataclass(frozen=True, kw_only=True)
class CutClip:
    """One clip in the corpus's own format, decoded once from start to end before it is reported.

    Attributes:
        span_index: which of the task's spans.
        media_path, strip_path: files inside the task's `out_dir`.
        content_sha256: of the decoded pictures (`curation.media.content`).
        made_us: the span that was made of the one asked for; None where that one was cut as it is.
        duration_us: last frame's end minus first frame's start; frames: decoded count; fps_1e3: frames per 1,000 s.
    """

    span_index: int
    media_path: str
    media_sha256: str
    media_bytes: int
    content_sha256: str
    duration_us: int
    frames: int
    fps_1e3: int
    width_px: int
    height_px: int
    signals: Signals
    strip_path: str
    made_us: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class CutFailure:
    """Why a span, or one that was made of it, or the whole video (`span_index` None), gave no clip."""

    span_index: int | None
    stage: Stage
    reason: Reason
    detail: str
    made_us: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class HeldSpan:
    """A span that is to be cut, or one that was made of it, and was left to others; `length_us` of its frames."""

    span_index: int
    made_us: tuple[int, int] | None
    length_us: int


@dataclass(frozen=True, kw_only=True)
class CutOutcome:
    """Everything one video came to: each span is in `clips`, `failures` or `held`, or the whole video failed.

    Attributes:
        child_cpu_us: CPU of the Python child; ffmpeg_cpu_us: of ffmpeg and all that it started.
        wall_us: from the call to the answer.
    """

    video: VideoFacts | None
    clips: tuple[CutClip, ...]
    failures: tuple[CutFailure, ...]
    child_cpu_us: int
    ffmpeg_cpu_us: int
    wall_us: int
    held: tuple[HeldSpan, ...] = ()


class MediaError(Exception):
    """Inside the child: work on the video, or on one span of it, cannot go on for `reason`."""

    def __init__(self, reason: Reason, detail: str, stage: Stage = Stage.MEDIA) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:MAX_DETAIL_CHARS]
        self.stage = stage


def video_failure(reason: Reason, detail: str, *, wall_us: int = 0) -> CutOutcome:
    """Return the outcome of a video that failed as a whole."""
    failure = CutFailure(span_index=None, stage=Stage.MEDIA, reason=reason, detail=detail[:MAX_DETAIL_CHARS])
    return CutOutcome(video=None, clips=(), failures=(failure,), child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=wall_us)


def task_to_json(task: CutTask, ffmpeg_path: str) -> dict[str, Any]:
    """Return the request to the sandbox server."""
    return {
        "path": task.path,
        "spans": [list(span) for span in task.spans],
        "out_dir": task.out_dir,
        "clip": task.clip.model_dump(),
        "limits": task.limits.model_dump(),
        "frames": asdict(task.frames),
        "cutting": task.cutting.model_dump(),
        "shots_us": task.shots_us,
        "shot_frames": task.shot_frames,
        "text_area": task.text_area,
        "hold_over_us": task.hold_over_us,
        "ffmpeg_path": ffmpeg_path,
    }


def task_from_json(row: dict[str, Any]) -> CutTask:
    """Return the task of a request; the reverse of `task_to_json`."""
    return CutTask(
        path=row["path"],
        spans=tuple((start, end) for start, end in row["spans"]),
        out_dir=row["out_dir"],
        clip=ClipFormat.model_validate(row["clip"]),
        limits=MediaLimits.model_validate(row["limits"]),
        frames=FramePlan(**row["frames"]),
        cutting=Cutting.model_validate(row["cutting"]),
        shots_us=None if row["shots_us"] is None else tuple(row["shots_us"]),
        shot_frames=row["shot_frames"],
        text_area=row["text_area"],
        hold_over_us=row["hold_over_us"],
    )


def outcome_to_json(outcome: CutOutcome) -> dict[str, Any]:
    """Return the answer of the child."""
    return asdict(outcome)


def _signals(row: dict[str, Any]) -> Signals:
    return Signals(**{**row, "cuts_us": tuple(row["cuts_us"])})


def _span(row: list[int] | None) -> tuple[int, int] | None:
    return None if row is None else (row[0], row[1])


def outcome_from_json(row: dict[str, Any]) -> CutOutcome:
    """Return the outcome of an answer, or of an entry, which holds nothing back; the reverse of `outcome_to_json`."""
    return CutOutcome(
        video=None if row["video"] is None else VideoFacts(**row["video"]),
        clips=tuple(
            CutClip(**{**clip, "signals": _signals(clip["signals"]), "made_us": _span(clip["made_us"])})
            for clip in row["clips"]
        ),
        failures=tuple(
            CutFailure(
                span_index=failure["span_index"],
                stage=Stage(failure["stage"]),
                reason=Reason(failure["reason"]),
                detail=failure["detail"],
                made_us=_span(failure["made_us"]),
            )
            for failure in row["failures"]
        ),
        child_cpu_us=row["child_cpu_us"],
        ffmpeg_cpu_us=row["ffmpeg_cpu_us"],
        wall_us=row["wall_us"],
        held=tuple(HeldSpan(**{**held, "made_us": _span(held["made_us"])}) for held in row.get("held", ())),
    )
