"""What the limited child does with one video: check the file, probe it, cut all spans in one go, check every clip."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache

from curation.media.check import check_clip
from curation.media.ffmpeg_cut import CutJob, chunk_spans, clip_path, cut_command, takes_audio, wants_seek
from curation.media.ffmpeg_run import FfmpegRun, failed_reason, run_ffmpeg
from curation.media.making import WantedSpan, wanted_spans
from curation.media.probe import Probe, first_tick, probe
from curation.media.shots import find_shots
from curation.media.source_file import SourceFile, open_source
from curation.media.spans import PlannedSpan, cut_failure, plan_span, refuse_impossible
from curation.media.tasks import CutClip, CutFailure, CutOutcome, CutTask, MediaError, VideoFacts
from schemas.reasons import Reason

# reasons that speak about the whole video's budget: trying its other spans would only spend more
FATAL = frozenset({Reason.CPU_LIMIT})


class _Cutter:
    """Cuts the planned spans of one video and collects what came of each."""

    def __init__(self, job: CutJob, task: CutTask) -> None:
        self._job = job
        self._task = task
        self.clips: list[CutClip] = []
        self.failures: list[CutFailure] = []
        self.ffmpeg_cpu_us = 0

    def cut(self, spans: list[PlannedSpan]) -> None:
        """Cut all spans of a group in one process; a span that did not come out whole is tried again alone.

        Raises:
            MediaError: the video's budget is spent.
        """
        run = self._run(spans)
        for span in spans:
            try:
                self.clips.append(self._collect(span, run))
            except MediaError as error:
                self._after_failure(span, run, error, alone=len(spans) == 1)

    def _run(self, spans: list[PlannedSpan]) -> FfmpegRun:
        run = run_ffmpeg(cut_command(self._job, spans), self._task.out_dir)
        self.ffmpeg_cpu_us += run.cpu_us
        return run

    def _collect(self, span: PlannedSpan, run: FfmpegRun) -> CutClip:
        path = clip_path(self._task.out_dir, span)
        reason = failed_reason(run, self._task.limits)
        if not os.path.exists(path) or (run.code != 0 and reason is not Reason.ENCODE_FAILED):
            raise MediaError(reason, f"ffmpeg ended with {run.code}: {run.stderr.strip()}")
        # ffmpeg's exit code says little either way: the clip itself is asked
        return check_clip(path, span, self._task, has_audio=self._job.video.audio_index is not None)

    def _after_failure(self, span: PlannedSpan, run: FfmpegRun, error: MediaError, *, alone: bool) -> None:
        path = clip_path(self._task.out_dir, span)
        if os.path.exists(path):
            os.unlink(path)
        if error.reason in FATAL:
            raise error
        if run.code != 0 and not alone:
            self.cut([span])
            return
        said = run.stderr.strip()
        detail = f"{error.detail}; ffmpeg: {said}" if said and said not in error.detail else error.detail
        self.failures.append(cut_failure(span.index, MediaError(error.reason, detail), span.made_us))


def cut_video(task: CutTask, ffmpeg_path: str) -> CutOutcome:
    """Do all the work on one video, in this process and the ffmpeg it starts. Only the sandbox's child calls it.

    Returns:
        the outcome with CPU of ffmpeg filled in; the server knows the rest.
    """
    alive, failures = refuse_impossible(task.spans, task.clip, task.cutting)
    if not alive:
        return _outcome(None, [], failures, 0)
    facts: VideoFacts | None = None
    cutter: _Cutter | None = None
    try:
        source = open_source(task.path, task.limits)
        video = probe(source, task.limits)
        facts = _facts(source, video)
        alive = _without_cut_ends(alive, task, source, failures)
        planned = _plan(_wanted(alive, task, source, video, failures), task, video, failures)
        groups = chunk_spans(planned, video, task.clip, task.limits)
        sought = takes_audio(video, task.clip) or any(wants_seek(video, group) for group in groups)
        tick = first_tick(source, task.limits) if sought else None
        cutter = _Cutter(_job(task, ffmpeg_path, video, tick), task)
        for group in groups:
            cutter.cut(group)
    except MediaError as error:
        failures.append(CutFailure(span_index=None, stage=error.stage, reason=error.reason, detail=error.detail))
        return _outcome(facts, [], failures, cutter.ffmpeg_cpu_us if cutter else 0)
    return _outcome(facts, cutter.clips, failures + cutter.failures, cutter.ffmpeg_cpu_us)


def _job(task: CutTask, ffmpeg_path: str, video: Probe, tick: int | None) -> CutJob:
    return CutJob(
        ffmpeg_path=ffmpeg_path,
        source_path=task.path,
        folder=task.out_dir,
        video=video,
        clip=task.clip,
        limits=task.limits,
        first_tick=tick,
    )


def _without_cut_ends(alive: list[int], task: CutTask, source: SourceFile, failures: list[CutFailure]) -> list[int]:
    """Return the spans left when those to the end of a file that has lost its end are failures."""
    if not source.cut_off:
        return alive
    to_the_end = [index for index in alive if task.spans[index][1] is None]
    error = MediaError(Reason.TRUNCATED, "the file ends inside a fragment")
    failures.extend(cut_failure(index, error) for index in to_the_end)
    return [index for index in alive if index not in to_the_end]


def _wanted(
    alive: list[int], task: CutTask, source: SourceFile, video: Probe, failures: list[CutFailure]
) -> list[WantedSpan]:
    """Return what is to be cut; a span of which nothing long enough can be made is a failure."""

    @cache
    def shots_us() -> list[int]:
        return find_shots(source, video, task.limits, task.cutting.shot_threshold)

    asked = [(index, task.spans[index]) for index in alive]
    wanted = wanted_spans(asked, video.end_us, (task.cutting, task.clip), shots_us)
    for index in sorted(set(alive) - {span.index for span in wanted}):
        error = MediaError(Reason.TOO_SHORT, f"nothing of {task.clip.min_s} s or more in {video.end_us} us")
        failures.append(cut_failure(index, error))
    return wanted


def _plan(wanted: list[WantedSpan], task: CutTask, video: Probe, failures: list[CutFailure]) -> list[PlannedSpan]:
    planned: list[PlannedSpan] = []
    for one in wanted:
        made_us = (one.span[0] or 0, one.span[1] or 0) if one.made else None
        try:
            span = plan_span(one.index, one.span, video, task.clip, task.limits)
            planned.append(replace(span, made_us=made_us))
        except MediaError as error:
            failures.append(cut_failure(one.index, error, made_us))
    return planned


def _facts(source: SourceFile, video: Probe) -> VideoFacts:
    return VideoFacts(
        sha256=source.sha256,
        bytes=source.bytes,
        container=source.container,
        codec=video.codec,
        width_px=video.width_px,
        height_px=video.height_px,
        duration_us=video.end_us,
        fps_1e3=video.fps_1e3,
    )


def _outcome(
    facts: VideoFacts | None, clips: list[CutClip], failures: list[CutFailure], ffmpeg_cpu_us: int
) -> CutOutcome:
    return CutOutcome(
        video=facts,
        clips=tuple(sorted(clips, key=lambda clip: clip.span_index)),
        failures=tuple(sorted(failures, key=lambda failure: -1 if failure.span_index is None else failure.span_index)),
        child_cpu_us=0,
        ffmpeg_cpu_us=ffmpeg_cpu_us,
        wall_us=0,
    )
