"""What the limited child does with one video: check the file, probe it, cut all spans in one go, check every clip."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache

from curation.media.check import check_clip
from curation.media.ffmpeg_cut import CutJob, clip_path, cut_command
from curation.media.ffmpeg_run import FfmpegRun, failed_reason, run_ffmpeg
from curation.media.groups import (
    Group,
    can_be_shared,
    clip_pixels,
    frames_to_decode,
    group_spans,
    readable_frames,
    takes_audio,
)
from curation.media.making import WantedSpan, wanted_spans
from curation.media.probe import Probe, first_tick, probe
from curation.media.progress import Tell, WorkReport
from curation.media.shots import find_shots, leave_shot_frames
from curation.media.source_file import SourceFile, open_source
from curation.media.spans import PlannedSpan, cut_failure, plan_span, refuse_impossible
from curation.media.tasks import CutClip, CutFailure, CutOutcome, CutTask, HeldSpan, MediaError, VideoFacts
from schemas.media import ClipFormat
from schemas.reasons import Reason

# reasons that speak about the whole video's budget: trying its other spans would only spend more
FATAL = frozenset({Reason.CPU_LIMIT})
# what a seek that went too far looks like
LOST = frozenset({Reason.TRUNCATED, Reason.NO_FRAMES})


class _Cutter:
    """Cuts the planned spans of one video and reports what came of each."""

    def __init__(self, job: CutJob, task: CutTask, report: WorkReport) -> None:
        self._job = job
        self._task = task
        self._report = report
        self.ffmpeg_cpu_us = 0

    def cut(self, group: Group) -> None:
        """Cut a group in one process; a span that did not come out whole is tried again alone, and without seeking.

        Raises:
            MediaError: the video's budget is spent.
        """
        run = self._run(group)
        for span in group.spans:
            try:
                self._report.cut(self._collect(span, run, group))
            except MediaError as error:
                self._after_failure(span, run, error, group)

    def _run(self, group: Group) -> FfmpegRun:
        run = run_ffmpeg(cut_command(self._job, group), self._task.out_dir, self._report.cpu_s)
        self.ffmpeg_cpu_us += run.cpu_us
        return run

    def _collect(self, span: PlannedSpan, run: FfmpegRun, group: Group) -> CutClip:
        path = clip_path(self._task.out_dir, span)
        reason = failed_reason(run, self._report.cpu_s)
        if not os.path.exists(path) or (run.code != 0 and reason is not Reason.ENCODE_FAILED):
            raise MediaError(reason, f"ffmpeg ended with {run.code}: {run.stderr.strip()}")
        # ffmpeg's exit code says little either way: the clip itself is asked
        clip = check_clip(path, span, self._task, has_audio=self._job.video.audio_index is not None)
        counted = self._job.video.exact_times and self._task.clip.fps is None
        if group.seek_us is not None and counted and clip.frames < span.promised:
            detail = f"{clip.frames} of {span.promised} frames decoded after seeking to {group.seek_us} us"
            raise MediaError(Reason.TRUNCATED, detail)
        return clip

    def _after_failure(self, span: PlannedSpan, run: FfmpegRun, error: MediaError, group: Group) -> None:
        path = clip_path(self._task.out_dir, span)
        if os.path.exists(path):
            os.unlink(path)
        if error.reason in FATAL:
            raise error
        if run.code != 0 and len(group.spans) > 1:
            self.cut(Group((span,), group.seek_us))
            return
        if group.seek_us is not None and error.reason in LOST and not span.unreadable:
            # an index may be wrong, or a key frame none: from the start there is no doubt
            self.cut(Group((span,)))
            return
        said = run.stderr.strip()
        detail = f"{error.detail}; ffmpeg: {said}" if said and said not in error.detail else error.detail
        self._report.failed(cut_failure(span.index, MediaError(error.reason, detail), span.made_us))


def cut_video(task: CutTask, ffmpeg_path: str, tell: Tell) -> CutOutcome:
    """Do all the work on one video, in this process and the ffmpeg it starts. Only the sandbox's child calls it.

    Args:
        tell: is given, as JSON, everything that should outlive this process.

    Returns:
        the outcome with CPU of ffmpeg filled in; the server knows the rest.

    Raises:
        MediaError: the work cannot go on; what was finished until then has been told.
    """
    report = WorkReport(task.limits, tell)
    alive, impossible = refuse_impossible(task.spans, task.clip, task.cutting)
    for failure in impossible:
        report.failed(failure)
    if not alive:
        return _outcome(None, report, 0)
    source = open_source(task.path, task.limits)
    video = probe(source, task.limits)
    facts = _facts(source, video)
    report.read(facts)
    if task.shot_frames:
        report.more_work(len(video.times_us), video.width_px * video.height_px)
        leave_shot_frames(source, video, task.limits, task.out_dir)
        return _outcome(facts, report, 0)
    wanted = _wanted(alive, task, source, video, report)
    if source.cut_off:
        wanted = _without_cut_ends(wanted, video, report)
    planned = _plan(wanted, task, video, report)
    held = _held(planned, task, video)
    if held:
        return replace(_outcome(facts, report, 0), held=held)
    groups = group_spans(planned, video, task.clip, task.limits)
    _announce(groups, video, task.clip, report)
    sought = takes_audio(video, task.clip) or any(group.seek_us is not None for group in groups)
    tick = first_tick(source, task.limits) if sought else None
    cutter = _Cutter(_job(task, ffmpeg_path, video, tick), task, report)
    for group in groups:
        cutter.cut(group)
    return _outcome(facts, report, cutter.ffmpeg_cpu_us)


def _held(planned: list[PlannedSpan], task: CutTask, video: Probe) -> tuple[HeldSpan, ...]:
    """Return what others are to cut: everything, or nothing."""
    if task.hold_over_us is None or len(planned) < 2 or not can_be_shared(planned, video, task.clip):
        return ()
    held = tuple(
        HeldSpan(span_index=span.index, made_us=span.made_us, length_us=span.end_us - span.start_us)
        for span in sorted(planned, key=lambda span: (span.start_us, span.end_us, span.index))
    )
    return held if sum(span.length_us for span in held) > task.hold_over_us else ()


def _announce(groups: list[Group], video: Probe, clip: ClipFormat, report: WorkReport) -> None:
    """Say what is going to be cut, and ask for the time that it takes; a lie about the length buys none."""
    spans = [span for group in groups for span in group.spans]
    report.planned((span.index, span.made_us) for span in spans)
    decoded = sum(frames_to_decode(video, group) for group in groups)
    report.more_work(decoded, video.width_px * video.height_px)
    encoded = sum(readable_frames(video, span.start_us, span.end_us) for span in spans)
    report.more_work(encoded, clip_pixels(video, clip))


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


def _without_cut_ends(wanted: list[WantedSpan], video: Probe, report: WorkReport) -> list[WantedSpan]:
    """Return what is left when spans to the end of a file that has lost its end are failures."""
    whole = []
    for one in wanted:
        end_us = one.span[1]
        if end_us is None or (one.made and end_us >= video.end_us):
            error = MediaError(Reason.TRUNCATED, "the file ends inside a fragment or a packet")
            report.failed(cut_failure(one.index, error, _made_us(one)))
        else:
            whole.append(one)
    return whole


def _made_us(one: WantedSpan) -> tuple[int, int] | None:
    return (one.span[0] or 0, one.span[1] or 0) if one.made else None


def _wanted(alive: list[int], task: CutTask, source: SourceFile, video: Probe, report: WorkReport) -> list[WantedSpan]:
    """Return what is to be cut; a span of which nothing long enough can be made is a failure."""

    @cache
    def shots_us() -> list[int]:
        if task.shots_us is not None:
            return list(task.shots_us)
        report.more_work(len(video.times_us), video.width_px * video.height_px)
        return find_shots(source, video, task.limits, task.cutting.shot_threshold)

    asked = [(index, task.spans[index]) for index in alive]
    wanted = wanted_spans(asked, video.end_us, (task.cutting, task.clip), shots_us)
    for index in sorted(set(alive) - {span.index for span in wanted}):
        error = MediaError(Reason.TOO_SHORT, f"nothing of {task.clip.min_s} s or more in {video.end_us} us")
        report.failed(cut_failure(index, error))
    return wanted


def _plan(wanted: list[WantedSpan], task: CutTask, video: Probe, report: WorkReport) -> list[PlannedSpan]:
    planned: list[PlannedSpan] = []
    for one in wanted:
        made_us = _made_us(one)
        try:
            span = plan_span(one.index, one.span, video, task.clip, task.limits)
            planned.append(replace(span, made_us=made_us))
        except MediaError as error:
            report.failed(cut_failure(one.index, error, made_us))
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


def _outcome(facts: VideoFacts | None, report: WorkReport, ffmpeg_cpu_us: int) -> CutOutcome:
    def place(told: CutClip | CutFailure) -> tuple[int, tuple[int, ...]]:
        # Whether one process cut it all, or several a part each.
        return -1 if told.span_index is None else told.span_index, told.made_us or ()

    return CutOutcome(
        video=facts,
        clips=tuple(sorted(report.clips, key=place)),
        failures=tuple(sorted(report.failures, key=place)),
        child_cpu_us=0,
        ffmpeg_cpu_us=ffmpeg_cpu_us,
        wall_us=0,
    )
