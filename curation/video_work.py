"""The work on one video: it is fetched, spans of it are cut, and the clips are stored by content.

What comes of it is kept as JSON without times and places of this machine, so that it is the same wherever it was done.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.fetching import Fetched, Fetcher, FetchError
from curation.media import CutClip, CutFailure, CutOutcome, CutTask, FramePlan
from curation.media.tasks import HeldSpan, outcome_from_json, outcome_to_json
from curation.progress import Reporter
from curation.store import Store, file_sha256
from curation.suppression import NOTHING, Suppressed, refused_video
from curation.unit_plan import Span
from schemas.corpus import CorpusConfig
from schemas.ids import clip_id
from schemas.media import Cutting
from schemas.reasons import Stage
from schemas.run import frames_path, media_path
from schemas.units import VideoEntry

# ffmpeg names its parts by their address in memory: `[mov,mp4 @ 0x55d0c0ffee00]`.
_ADDRESS = re.compile(r" ?@ 0x[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class MediaTools:
    """The world as media work sees it; each part can be a fake.

    Attributes:
        cut: the media sandbox's one operation, with the models that look at what it hands out.
        frames: the score frames to take on the way.
        suppressed: what must stay out.
        from_parts: the unit is made again from its own parts: what was fetched is not looked at again.
        hold_over_us: a video of which more than this is to be cut is left to pieces; None cuts whatever there is.
    """

    config: CorpusConfig
    store: Store
    fetcher: Fetcher
    cut: Callable[[CutTask], CutOutcome]
    frames: FramePlan
    reporter: Reporter
    suppressed: Suppressed = NOTHING
    from_parts: bool = False
    hold_over_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class VideoSpans:
    """What is asked of one file.

    Attributes:
        address: where it is fetched from.
        hold_over_us: as `CutTask` has it.
    """

    address: str
    spans: tuple[Span, ...]
    cutting: Cutting
    hold_over_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class WorkedVideo:
    """What came of a file.

    Attributes:
        outcome: a `CutOutcome` as JSON, as `VideoEntry` keeps it.
        rights: what the place that it was fetched from said of its use.
        held: what is to be cut and was not.
    """

    outcome: dict[str, Any]
    rights: dict[str, str]
    held: tuple[HeldSpan, ...] = ()


def clips_of(entry: VideoEntry) -> CutOutcome:
    """Return what became of a video; the paths of its clips are empty: they lie in the store by content."""
    return outcome_from_json(entry.outcome)


def is_stored(clip: CutClip, store: Store) -> bool:
    """Whether a clip lies in the store, as far as its size tells."""
    path = media_path(clip.media_sha256)
    return store.exists(path) and store.size(path) == clip.media_bytes


def work_video(asked: VideoSpans, tools: MediaTools, *, is_piece: bool = False) -> WorkedVideo:
    """Fetch a file, cut the spans asked of it and store the clips.

    Args:
        is_piece: it is a part of the work on a video, and is told as such.
    """
    scratch = tools.store.scratch("units") / uuid.uuid4().hex
    scratch.mkdir()
    try:
        fetched = tools.fetcher.fetch(asked.address, scratch)
        outcome = _cut(fetched, asked, tools, scratch)
        rights = dict(fetched.rights)
    except FetchError as error:
        outcome, rights = _not_fetched(error), {}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tools.reporter.report(
        "piece" if is_piece or outcome.held else "video",
        {
            "clips": len(outcome.clips),
            "child_cpu_s": outcome.child_cpu_us / 1e6,
            "ffmpeg_cpu_s": outcome.ffmpeg_cpu_us / 1e6,
            "wall_s": outcome.wall_us / 1e6,
        },
    )
    return WorkedVideo(outcome=timeless(outcome), rights=rights, held=outcome.held)


def _not_fetched(error: FetchError) -> CutOutcome:
    failure = CutFailure(span_index=None, stage=Stage.FETCH, reason=error.reason, detail=error.detail)
    return CutOutcome(video=None, clips=(), failures=(failure,), child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=0)


def _cut(fetched: Fetched, asked: VideoSpans, tools: MediaTools, scratch: Path) -> CutOutcome:
    folder = scratch / "clips"
    folder.mkdir()
    task = CutTask(
        path=str(fetched.path),
        spans=asked.spans,
        out_dir=str(folder),
        clip=tools.config.clip,
        limits=tools.config.media,
        frames=tools.frames,
        cutting=asked.cutting,
        hold_over_us=asked.hold_over_us,
        text_area=tools.config.signals.text_area,
    )
    if tools.suppressed and tools.suppressed.video(fetched.sha256 or file_sha256(fetched.path)):
        return refused_video()
    outcome = tools.suppressed.outcome(tools.cut(task), asked.spans)
    if outcome.video is not None:
        for clip in outcome.clips:
            _store_clip(clip, clip_id(outcome.video.sha256, *(clip.made_us or asked.spans[clip.span_index])), tools)
    failures = tuple(replace(failure, detail=stable_detail(failure.detail, task)) for failure in outcome.failures)
    return replace(outcome, failures=failures)


def _store_clip(clip: CutClip, identity: str, tools: MediaTools) -> None:
    tools.store.write(frames_path(identity, tools.frames.name), Path(clip.strip_path).read_bytes())
    tools.store.adopt(Path(clip.media_path), media_path(clip.media_sha256), clip.media_sha256)


def stable_detail(detail: str, task: CutTask) -> str:
    """Return a failure's detail without what differs from run to run: scratch and machine paths, memory addresses."""
    for path in (task.out_dir, task.path):
        detail = detail.replace(f"{path}/", "").replace(path, Path(path).name)
    return _ADDRESS.sub("", detail)


def timeless(outcome: CutOutcome) -> dict[str, Any]:
    """Return an outcome as JSON, without places on a disk, timings, and what others are to cut."""
    clips = tuple(replace(clip, media_path="", strip_path="") for clip in outcome.clips)
    told = outcome_to_json(replace(outcome, clips=clips, child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=0, held=()))
    del told["held"]
    # as it reads back: lists for tuples, plain text for reasons
    return dict(json.loads(json.dumps(told)))
