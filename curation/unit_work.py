"""Working an ingest unit: its media, then its rows and clips to samples, texts and rejects, each in the ledgers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace

from curation.long_videos import VideosHeldError
from curation.media import CutClip, CutFailure, CutOutcome
from curation.scoring import offset_us
from curation.seen_files import Seen, changed_files, look_at, noted_before, remember
from curation.texts import sample_text, within_limits
from curation.unit_media import kept_for, media_work
from curation.unit_parts import UnitResult, finished_commit, write_unit
from curation.unit_plan import PlannedVideo, Span, UnitPlan, replay_input, with_marks, without_rows
from curation.video_work import MediaTools, clips_of
from schemas.corpus import TextLimits
from schemas.ids import clip_id, sample_id
from schemas.reasons import Reason, Stage
from schemas.records import Record, Reject, Sample, Text, make_reject
from schemas.run import unit_path
from schemas.suppression import hidden_id
from schemas.units import UnitClips, UnitCommit, VideoEntry

_NO_ANSWER = CutFailure(
    span_index=None, stage=Stage.MEDIA, reason=Reason.CHILD_CRASHED, detail="the media child said nothing of it"
)


@dataclass
class Draft:
    """A sample under way: its facts and its texts."""

    sample: Sample
    texts: list[Text] = field(default_factory=list)

    def nearness(self, text: Text) -> tuple[int, str, str]:
        """Return a key that sorts a text by how far from the clip's start its own span begins; one without is near."""
        return abs(offset_us(text.start_us, self.sample.start_us)), text.kind, text.text


@dataclass
class UnitWork:
    """What a unit has come to so far.

    Attributes:
        tellings: sample id -> what each span that leads to it came to, in the plan's order.
        told: record id -> (state, sample id) of the records ledger.
        failed: how many samples were planned and rejected.
    """

    plan: UnitPlan
    tellings: dict[str, list[_Telling]] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    failed: int = 0
    told: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    dropped_texts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Part:
    """One clip that a span gave, or why it gave none: a span may be cut as it is, or into several."""

    span: Span
    clip: CutClip | None
    failure: CutFailure

    @property
    def suppressed(self) -> bool:
        """Whether its clip must stay out."""
        return self.clip is None and self.failure.reason is Reason.SUPPRESSED


@dataclass(frozen=True)
class _Telling:
    """A sample as the records of one locator lead to it; the same bytes under another locator lead to it once more."""

    part: _Part
    records: tuple[Record, ...]
    video_sha256: str
    entry: VideoEntry


def work_unit(plan: UnitPlan, tools: MediaTools) -> UnitCommit:
    """Do what is not done yet of a unit and return its commit; done again, it writes the same bytes.

    Raises:
        VideosHeldError: it waits for pieces of long videos.
    """
    store = tools.store
    plan, clips, seen = _media(without_rows(plan, tools.suppressed.row), tools)
    remember(store, plan, seen)
    finished = finished_commit(store, plan)
    if finished is not None:
        return finished
    # The commit goes first: parts that are being replaced must not look finished.
    store.delete(unit_path(plan.name))
    return write_unit(account(plan, clips, tools.config.texts), store)


def _media(plan: UnitPlan, tools: MediaTools) -> tuple[UnitPlan, UnitClips, Seen]:
    """Return a unit's plan and clips without what turned out to be suppressed, and how its files looked before."""
    if tools.from_parts:
        seen, changed = noted_before(tools.store, plan), []
    else:
        seen, changed = look_at(plan), changed_files(tools.store, plan)
    try:
        clips = media_work(plan, tools, frozenset(changed))
    except VideosHeldError:
        # A file that is another one by the time that its pieces are cut is noticed then.
        remember(tools.store, plan, seen)
        raise
    refused = refused_records(plan, clips)
    if refused:
        plan = without_rows(plan, lambda item: item.record_id in refused)
        clips = kept_for(plan, clips, tools.store)
    held = {video.locator for video in plan.videos}
    return with_marks(plan, suppressed_marks(clips)), clips, {name: look for name, look in seen.items() if name in held}


def refused_records(plan: UnitPlan, clips: UnitClips) -> frozenset[str]:
    """Return the ids of records of which nothing is left, since their video or all that was cut for them is suppressed.

    Until a file is opened nothing tells that it may not come; afterwards its rows are as good as listed themselves.
    """
    found: set[str] = set()
    for video, entry in zip(plan.videos, clips.videos, strict=True):
        outcome = clips_of(entry)
        refused = {failure.span_index for failure in outcome.failures if failure.reason is Reason.SUPPRESSED}
        left = {clip.span_index for clip in outcome.clips}
        for index, records in enumerate(video.records):
            if refused & {None, index} and index not in left:
                found.update(record.record_id for record in records)
    return frozenset(found)


def suppressed_marks(clips: UnitClips) -> list[object]:
    """Return as JSON which clips of a unit's videos are suppressed, where others of the same row are not."""
    return [
        [place, failure.span_index, failure.made_us]
        for place, entry in enumerate(clips.videos)
        for failure in clips_of(entry).failures
        if failure.reason is Reason.SUPPRESSED
    ]


def account(plan: UnitPlan, clips: UnitClips, limits: TextLimits) -> UnitResult:
    """Return what a unit came to, from its rows and its finished media work."""
    work = UnitWork(plan=plan, rejects=list(plan.rejects))
    for record in plan.records:
        work.dropped_texts.update({f"{kind}/{reason}": count for kind, reason, count in record.dropped_texts})
    for video, entry in zip(plan.videos, clips.videos, strict=True):
        _account_video(video, entry, clips_of(entry), work)
    for sample, tellings in _suppressed_last(work.tellings):
        _account_sample(sample, tellings, work)
    _limit_texts(work, limits)
    return UnitResult(
        plan=plan,
        samples=[draft.sample for draft in work.drafts],
        texts=[
            sample_text(draft.sample.sample_id, draft.sample.source, text)
            for draft in work.drafts
            for text in draft.texts
        ],
        rejects=work.rejects,
        told=work.told,
        failed=work.failed,
        dropped_texts=dict(work.dropped_texts),
    )


def _suppressed_last(tellings: dict[str, list[_Telling]]) -> list[tuple[str, list[_Telling]]]:
    """Return samples in their order, but for those that are suppressed: no record may name one of these."""
    return sorted(tellings.items(), key=lambda item: item[1][0].part.suppressed)


def _account_video(video: PlannedVideo, entry: VideoEntry, outcome: CutOutcome, work: UnitWork) -> None:
    """Give every record of a video its place in the ledgers."""
    by_span = {failure.span_index: failure for failure in outcome.failures}
    if outcome.video is None:
        # The file could not be read, or was not opened because no span of it can be cut: no clip has an identity.
        for index, records in enumerate(video.records):
            for record in records:
                failure = by_span.get(index, by_span.get(None, _NO_ANSWER))
                work.told[record.record_id] = ("rejected", None)
                work.rejects.append(_reject(record, failure, entry, None))
        return
    for index, records in enumerate(video.records):
        for part in _parts(index, video.spans[index], outcome):
            sample = sample_id(work.plan.source, clip_id(outcome.video.sha256, *part.span))
            telling = _Telling(part, records, outcome.video.sha256, entry)
            work.tellings.setdefault(sample, []).append(telling)


def _parts(index: int, span: Span, outcome: CutOutcome) -> list[_Part]:
    """Return what came of a span, in order of time."""
    whole = next((failure for failure in outcome.failures if failure.span_index is None), _NO_ANSWER)
    clips = [_Part(clip.made_us or span, clip, whole) for clip in outcome.clips if clip.span_index == index]
    failures = [
        _Part(failure.made_us or span, None, failure) for failure in outcome.failures if failure.span_index == index
    ]
    return sorted([*clips, *failures], key=lambda part: part.span[0] or 0) or [_Part(span, None, whole)]


def _account_sample(sample: str, tellings: list[_Telling], work: UnitWork) -> None:
    """Keep a sample if any file with its bytes gave its clip; its first record expanded to it, the others merged."""
    records = tuple(record for telling in tellings for record in telling.records)
    work.told.setdefault(records[0].record_id, ("expanded", sample))
    for record in records[1:]:
        work.told.setdefault(record.record_id, ("merged", sample))
    for telling in tellings:
        if telling.part.clip is not None:
            draft = Draft(_sample(sample, telling, telling.part.clip, work.plan))
            _tell(draft, records)
            work.drafts.append(draft)
            return
    work.failed += 1
    failure, entry = tellings[0].part.failure, tellings[0].entry
    if tellings[0].part.suppressed:
        work.rejects.append(replace(_reject(records[0], failure, entry, hidden_id(sample)), input="{}"))
    else:
        work.rejects.append(_reject(records[0], failure, entry, sample))


def _sample(sample: str, telling: _Telling, cut: CutClip, plan: UnitPlan) -> Sample:
    span = telling.part.span
    return Sample(
        sample_id=sample,
        source=plan.source,
        clip_id=clip_id(telling.video_sha256, *span),
        video_sha256=telling.video_sha256,
        start_us=span[0],
        end_us=span[1],
        locator=telling.records[0].locator,
        record_ids=(),
        media_sha256=cut.media_sha256,
        media_bytes=cut.media_bytes,
        content_sha256=cut.content_sha256,
        duration_us=cut.duration_us,
        frames=cut.frames,
        fps_1e3=cut.fps_1e3,
        width_px=cut.width_px,
        height_px=cut.height_px,
        signals=cut.signals,
        rights=_rights(plan, telling.entry),
    )


def _rights(plan: UnitPlan, entry: VideoEntry) -> str:
    licence = {"licence": plan.licence["name"], "basis": plan.licence["basis"], "terms": plan.licence["terms"]}
    return json.dumps({**entry.rights, **licence}, sort_keys=True, ensure_ascii=False)


def _tell(draft: Draft, records: tuple[Record, ...]) -> None:
    """Add what further records say of a sample: their ids and their texts, each text once."""
    ids = (*draft.sample.record_ids, *(record.record_id for record in records))
    draft.sample = replace(draft.sample, record_ids=tuple(sorted(ids)))
    known = {(text.kind, text.text) for text in draft.texts}
    for text in (text for record in records for text in record.texts):
        if (text.kind, text.text) not in known:
            known.add((text.kind, text.text))
            draft.texts.append(text)


def _reject(record: Record, failure: CutFailure, entry: VideoEntry, sample: str | None) -> Reject:
    reject = make_reject(
        record,
        failure.stage,
        failure.reason,
        failure.detail,
        sample_id=sample,
        replay_input=replay_input(record),
    )
    return replace(reject, attempts=entry.attempts)


def _limit_texts(work: UnitWork, limits: TextLimits) -> None:
    """Keep as many texts of each sample as it may hold; of its speech what begins nearest to the clip."""
    for draft in work.drafts:
        draft.texts, surplus = within_limits(sorted(draft.texts, key=draft.nearness), limits)
        work.dropped_texts.update(f"{text.kind}/{Reason.TEXT_SURPLUS.value}" for text in surplus)
