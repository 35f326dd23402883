"""Working an ingest unit: videos to clips to scores to parts, committed as a whole by its last file."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from curation.media import CutClip, CutFailure, CutOutcome, CutTask, FramePlan, read_strip
from curation.progress import Reporter
from curation.scorers import Scorer
from curation.scoring import AGGREGATIONS, ScoreNotFinite, distinct, score_pairs
from curation.store import Store
from curation.texts import within_limits
from curation.unit_parts import UnitResult, write_unit
from curation.unit_plan import PlannedVideo, UnitPlan, replay_input
from schemas.corpus import CorpusConfig
from schemas.ids import clip_id, sample_id, text_id
from schemas.reasons import Reason, Stage
from schemas.records import Record, Reject, Sample, SampleText, Score, Text, make_reject
from schemas.run import frames_path, media_path
from schemas.units import UnitCommit

# Frames that one scoring call holds in memory; a whole number of clips, at least one.
FRAMES_AT_ONCE = 64
# ffmpeg names its parts by their address in memory: `[mov,mp4 @ 0x55d0c0ffee00]`.
_ADDRESS = re.compile(r" ?@ 0x[0-9a-f]+")
_NO_ANSWER = CutFailure(
    span_index=None, stage=Stage.MEDIA, reason=Reason.CHILD_CRASHED, detail="the media child said nothing of it"
)


@dataclass(frozen=True, kw_only=True)
class UnitTools:
    """The world as a unit sees it; each part can be a fake.

    Attributes:
        cut: the media sandbox's one operation.
    """

    config: CorpusConfig
    store: Store
    cut: Callable[[CutTask], CutOutcome]
    scorer: Scorer
    reporter: Reporter

    @property
    def frame_plan(self) -> FramePlan:
        """How score frames are chosen."""
        return FramePlan(count=self.config.scorer.frames, size_px=self.scorer.image_size)


@dataclass
class Draft:
    """A sample under way: its facts, its texts, and its clip in the scratch folder."""

    sample: Sample
    first_record: Record
    media_file: Path
    strip_file: Path
    texts: list[Text] = field(default_factory=list)


@dataclass
class UnitWork:
    """What a unit has come to so far.

    Attributes:
        told: record id -> (state, sample id) of the records ledger.
        failed: samples that were planned and rejected.
    """

    plan: UnitPlan
    drafts: dict[str, Draft] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    told: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    dropped_texts: Counter[str] = field(default_factory=Counter)


def work_unit(plan: UnitPlan, tools: UnitTools) -> UnitCommit:
    """Do all the work of a unit and commit it; done again, it writes the same bytes."""
    started = time.monotonic()
    scratch = tools.store.scratch("units") / f"{plan.name}-{uuid.uuid4().hex[:8]}"
    scratch.mkdir()
    work = UnitWork(plan=plan, rejects=list(plan.rejects))
    for record in plan.records:
        work.dropped_texts.update({f"{kind}/{reason}": count for kind, reason, count in record.dropped_texts})
    try:
        for number, video in enumerate(plan.videos):
            _cut_video(video, work, tools, scratch / f"{number:05d}")
        scoring_s = _score(work, tools)
        _store_media(work, tools)
        commit = write_unit(_result(work), tools.store, tools.scorer.digest)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tools.reporter.report("unit", {"seconds": time.monotonic() - started, "scoring_s": scoring_s})
    return commit


def _cut_video(video: PlannedVideo, work: UnitWork, tools: UnitTools, folder: Path) -> None:
    folder.mkdir()
    config = tools.config
    task = CutTask(
        path=video.address,
        spans=video.spans,
        out_dir=str(folder),
        clip=config.clip,
        limits=config.media,
        frames=tools.frame_plan,
    )
    outcome = tools.cut(task)
    failures = tuple(replace(failure, detail=stable_detail(failure.detail, task)) for failure in outcome.failures)
    _account(video, replace(outcome, failures=failures), work)
    tools.reporter.report(
        "video",
        {
            "clips": len(outcome.clips),
            "child_cpu_s": outcome.child_cpu_us / 1e6,
            "ffmpeg_cpu_s": outcome.ffmpeg_cpu_us / 1e6,
            "wall_s": outcome.wall_us / 1e6,
        },
    )


def stable_detail(detail: str, task: CutTask) -> str:
    """Return a failure's detail without what differs from run to run: scratch and machine paths, memory addresses."""
    for path in (task.out_dir, task.path):
        detail = detail.replace(f"{path}/", "").replace(path, Path(path).name)
    return _ADDRESS.sub("", detail)


def _account(video: PlannedVideo, outcome: CutOutcome, work: UnitWork) -> None:
    """Give every record of a video its place in the ledgers."""
    by_span = {failure.span_index: failure for failure in outcome.failures}
    if outcome.video is None:
        # The file could not be read, or was not opened because no span of it can be cut: no clip has an identity.
        for index, records in enumerate(video.records):
            for record in records:
                _reject(work, record, by_span.get(index, by_span.get(None, _NO_ANSWER)), None)
        return
    clips = {clip.span_index: clip for clip in outcome.clips}
    for index, records in enumerate(video.records):
        clip = clip_id(outcome.video.sha256, *video.spans[index])
        sample = sample_id(work.plan.source, clip)
        first, others = records[0], records[1:]
        if sample in work.drafts or sample in work.failed:
            # The same bytes under another locator of this unit: another telling of a sample already planned.
            others = records
        else:
            work.told[first.record_id] = ("expanded", sample)
            if index in clips:
                work.drafts[sample] = _draft(sample, clip, first, outcome.video.sha256, clips[index])
            else:
                work.failed.add(sample)
                _reject(work, first, by_span[index], sample)
        for record in others:
            work.told[record.record_id] = ("merged", sample)
        if sample in work.drafts:
            _tell(work.drafts[sample], records)


def _draft(sample: str, clip: str, record: Record, video_sha256: str, cut: CutClip) -> Draft:
    return Draft(
        sample=Sample(
            sample_id=sample,
            source=record.source,
            clip_id=clip,
            video_sha256=video_sha256,
            start_us=record.start_us,
            end_us=record.end_us,
            locator=record.locator,
            record_ids=(),
            media_sha256=cut.media_sha256,
            media_bytes=cut.media_bytes,
            duration_us=cut.duration_us,
            frames=cut.frames,
            fps_1e3=cut.fps_1e3,
            width_px=cut.width_px,
            height_px=cut.height_px,
            signals=cut.signals,
        ),
        first_record=record,
        media_file=Path(cut.media_path),
        strip_file=Path(cut.strip_path),
    )


def _tell(draft: Draft, records: tuple[Record, ...]) -> None:
    """Add what further records say of a sample: their ids and their texts, each text once."""
    ids = (*draft.sample.record_ids, *(record.record_id for record in records))
    draft.sample = replace(draft.sample, record_ids=tuple(sorted(ids)))
    known = {(text.kind, text.text) for text in draft.texts}
    for text in (text for record in records for text in record.texts):
        if (text.kind, text.text) not in known:
            known.add((text.kind, text.text))
            draft.texts.append(text)


def _reject(work: UnitWork, record: Record, failure: CutFailure, sample: str | None) -> None:
    if sample is None:
        work.told[record.record_id] = ("rejected", None)
    work.rejects.append(
        make_reject(
            record,
            failure.stage,
            failure.reason,
            failure.detail,
            sample_id=sample,
            replay_input=replay_input(record),
        )
    )


def _score(work: UnitWork, tools: UnitTools) -> float:
    """Score every text of every draft; returns the seconds spent in the model.

    Drafts are taken in the order of their ids and in groups of one fixed size, so that the model meets the same
    batches whatever the engine.
    """
    _limit_texts(work, tools.config)
    started = time.monotonic()
    prompt = tools.config.scorer.prompt
    texts = distinct([text.text for draft in work.drafts.values() for text in draft.texts])
    if not texts:
        return 0.0
    vectors = tools.scorer.embed_texts([prompt.replace("{}", text) for text in texts])
    cut_short = tools.scorer.truncated([prompt.replace("{}", text) for text in texts])
    index = {text: (vectors[row], cut_short[row]) for row, text in enumerate(texts)}
    group = max(1, FRAMES_AT_ONCE // tools.frame_plan.count)
    samples = sorted(sample for sample, draft in work.drafts.items() if draft.texts)
    for start in range(0, len(samples), group):
        _score_group(samples[start : start + group], index, work, tools)
    return time.monotonic() - started


def _limit_texts(work: UnitWork, config: CorpusConfig) -> None:
    for draft in work.drafts.values():
        draft.texts.sort(key=lambda text: (text.kind, text.text))
        fitting = within_limits(draft.texts, config.texts)
        surplus = draft.texts[len(fitting) :]
        work.dropped_texts.update(f"{text.kind}/{Reason.TEXT_SURPLUS.value}" for text in surplus)
        draft.texts = list(fitting)


def _score_group(
    samples: list[str], index: dict[str, tuple[np.ndarray, bool]], work: UnitWork, tools: UnitTools
) -> None:
    plan = tools.frame_plan
    strips = [read_strip(work.drafts[sample].strip_file.read_bytes(), plan) for sample in samples]
    frames = tools.scorer.embed_frames(np.concatenate(strips))
    for position, sample in enumerate(samples):
        draft = work.drafts[sample]
        own = frames[position * plan.count : (position + 1) * plan.count]
        vectors = np.stack([index[text.text][0] for text in draft.texts])
        try:
            scores = score_pairs(own, vectors)
        except ScoreNotFinite as error:
            failure = CutFailure(span_index=None, stage=Stage.SCORE, reason=Reason.SCORE_NOT_FINITE, detail=str(error))
            _reject(work, draft.first_record, failure, sample)
            work.failed.add(sample)
            del work.drafts[sample]
            continue
        for column, text in enumerate(draft.texts):
            for aggregation in AGGREGATIONS:
                work.scores.append(
                    _one_score(draft, text, (aggregation, int(scores[aggregation][column])), index[text.text][1], plan)
                )


def _one_score(draft: Draft, text: Text, score: tuple[str, int], truncated: bool, plan: FramePlan) -> Score:
    return Score(
        sample_id=draft.sample.sample_id,
        text_id=text_id(draft.sample.sample_id, text.kind, text.text),
        source=draft.sample.source,
        kind=text.kind,
        media_sha256=draft.sample.media_sha256,
        frame_plan=plan.name,
        offset_us=0,
        aggregation=score[0],
        score_1e4=score[1],
        truncated=bool(truncated),
    )


def _store_media(work: UnitWork, tools: UnitTools) -> None:
    for draft in work.drafts.values():
        sample = draft.sample
        tools.store.adopt(draft.media_file, media_path(sample.media_sha256), sample.media_sha256)
        if tools.config.scorer.keep_frames:
            tools.store.write(frames_path(sample.clip_id, tools.frame_plan.name), draft.strip_file.read_bytes())


def _result(work: UnitWork) -> UnitResult:
    return UnitResult(
        plan=work.plan,
        samples=[draft.sample for draft in work.drafts.values()],
        texts=[_sample_text(draft, text) for draft in work.drafts.values() for text in draft.texts],
        scores=work.scores,
        rejects=work.rejects,
        told=work.told,
        failed=len(work.failed),
        dropped_texts=dict(work.dropped_texts),
    )


def _sample_text(draft: Draft, text: Text) -> SampleText:
    sample = draft.sample
    return SampleText(
        text_id=text_id(sample.sample_id, text.kind, text.text),
        sample_id=sample.sample_id,
        source=sample.source,
        kind=text.kind,
        text=text.text,
        start_us=text.start_us,
        end_us=text.end_us,
    )
