"""The media work of a unit: each video fetched once and cut once, and what came of it kept in `clips/<unit>.json`.

Texts and scorers have no part in it, so another text column or another model never cuts a clip again.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.fetching import Fetched, Fetcher, FetchError
from curation.media import CutClip, CutFailure, CutOutcome, CutTask, FramePlan
from curation.media.tasks import outcome_from_json, outcome_to_json
from curation.progress import Reporter
from curation.store import Store, file_sha256
from curation.suppression import NOTHING, Suppressed, refused_video
from curation.unit_plan import PlannedVideo, Span, UnitPlan
from schemas.corpus import CorpusConfig
from schemas.ids import clip_id
from schemas.media import Cutting
from schemas.reasons import Stage
from schemas.run import clips_path, frames_path, media_path
from schemas.units import UnitClips, VideoEntry, neighbour_units

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
    """

    config: CorpusConfig
    store: Store
    fetcher: Fetcher
    cut: Callable[[CutTask], CutOutcome]
    frames: FramePlan
    reporter: Reporter
    suppressed: Suppressed = NOTHING
    from_parts: bool = False


def read_clips(store: Store, name: str) -> UnitClips | None:
    """Return the finished media work of a unit, or None."""
    path = clips_path(name)
    return UnitClips.model_validate_json(store.read(path)) if store.exists(path) else None


def clips_of(entry: VideoEntry) -> CutOutcome:
    """Return what became of a video; the paths of its clips are empty: they lie in the store by content."""
    return outcome_from_json(entry.outcome)


def media_work(plan: UnitPlan, tools: MediaTools, changed: frozenset[str] = frozenset()) -> UnitClips:
    """Return a unit's clips, working on what is not there yet: done twice, it does nothing the second time.

    Videos of an earlier unit that had the same spans and settings are taken over as they are.

    Args:
        changed: locators whose files are not what they were.
    """
    found = read_clips(tools.store, plan.media_name)
    known = EarlierEntries(_earlier(plan, found, tools.store))
    passed = _passed(plan, found, tools)
    entries = []
    for video in plan.videos:
        entry = None if video.locator in changed else known.of(video)
        finished = _finished(video, plan.cutting, entry, tools)
        entries.append(_allowed(finished, tools.suppressed, by_looks=passed.get(video.locator) != finished))
    clips = _unit_clips(plan, entries)
    if tools.suppressed.looks:
        tools.store.write(_looks_note(plan.media_name), tools.suppressed.looks_digest.encode("ascii"))
    if clips != found:
        tools.store.write(clips_path(plan.media_name), clips.to_bytes())
    return clips


def kept_for(plan: UnitPlan, clips: UnitClips, store: Store) -> UnitClips:
    """Return the media work of a plan with fewer rows than the one that it was done for; it takes its place."""
    known = EarlierEntries(clips.videos)
    kept = _unit_clips(plan, [entry for video in plan.videos if (entry := known.of(video)) is not None])
    store.write(clips_path(kept.unit), kept.to_bytes())
    if clips.unit != kept.unit:
        store.delete(clips_path(clips.unit))
    return kept


def _unit_clips(plan: UnitPlan, entries: Sequence[VideoEntry]) -> UnitClips:
    return UnitClips(
        unit=plan.media_name,
        source=plan.source,
        fingerprint=plan.media_fingerprint,
        facts=plan.media_facts,
        videos=tuple(entries),
    )


def _passed(plan: UnitPlan, found: UnitClips | None, tools: MediaTools) -> dict[str, VideoEntry]:
    """Return by locator the entries of a unit whose clips were compared with these very looks of removed ones."""
    path = _looks_note(plan.media_name)
    if found is None or not tools.suppressed.looks or not tools.store.exists(path):
        return {}
    same = tools.store.read(path) == tools.suppressed.looks_digest.encode("ascii")
    return {entry.locator: entry for entry in found.videos} if same else {}


def _looks_note(unit: str) -> str:
    # Comparing costs time and no digest: the note may go with the rest of progress/ at any time.
    return f"progress/looks/{unit}"


def _allowed(entry: VideoEntry, suppressed: Suppressed, *, by_looks: bool) -> VideoEntry:
    """Return an entry without what must stay out, also where an earlier ingest let it in."""
    before = clips_of(entry)
    after = suppressed.outcome(before, entry.spans, by_looks=by_looks)
    return entry if after is before else entry.model_copy(update={"outcome": _timeless(after)})


class EarlierEntries:
    """Entries of videos by locator and spans; one that had more spans than are asked for serves without the others."""

    def __init__(self, entries: Iterable[VideoEntry]) -> None:
        self._exact: dict[tuple[str, tuple[Span, ...]], VideoEntry] = {}
        self._all: dict[str, list[VideoEntry]] = {}
        for entry in entries:
            self._exact[entry.locator, entry.spans] = entry
            self._all.setdefault(entry.locator, []).append(entry)

    def of(self, video: PlannedVideo) -> VideoEntry | None:
        """Return the entry of a video, or None."""
        exact = self._exact.get((video.locator, video.spans))
        if exact is not None:
            return exact
        wider = [entry for entry in self._all.get(video.locator, ()) if set(video.spans) <= set(entry.spans)]
        return _narrowed(wider[-1], video.spans) if wider else None


def _narrowed(entry: VideoEntry, spans: tuple[Span, ...]) -> VideoEntry:
    """Return an entry as it is for some of its spans: each span is cut by itself, whatever else is asked for."""
    places = {entry.spans.index(span): place for place, span in enumerate(spans)}
    outcome = dict(entry.outcome)
    for kind in ("clips", "failures"):
        outcome[kind] = [
            row if row["span_index"] is None else {**row, "span_index": places[row["span_index"]]}
            for row in entry.outcome[kind]
            if row["span_index"] is None or row["span_index"] in places
        ]
    again = tuple(sorted(places[index] for index in entry.again if index in places))
    return entry.model_copy(update={"spans": spans, "again": again, "outcome": outcome})


def _earlier(plan: UnitPlan, found: UnitClips | None, store: Store) -> Iterator[VideoEntry]:
    """Yield entries to draw on, the unit's own last; a source that grew may have been split another way."""
    for prefix in neighbour_units(plan.media_name):
        for path in store.list_prefix(f"clips/{prefix}"):
            other = UnitClips.model_validate_json(store.read(path))
            if other.facts == plan.media_facts and other.unit != plan.media_name:
                yield from other.videos
    if found is not None:
        yield from found.videos


def _finished(video: PlannedVideo, cutting: Cutting, entry: VideoEntry | None, tools: MediaTools) -> VideoEntry:
    """Return a video's entry with nothing left to do."""
    if entry is None:
        outcome, rights = _work(video, video.spans, cutting, tools)
        return VideoEntry(locator=video.locator, spans=video.spans, outcome=outcome, rights=rights)
    chosen = _unfinished(entry, tools.store)
    if not chosen:
        tools.reporter.report("resumed", {"videos": 1})
        return entry
    outcome, rights = _work(video, tuple(one.span for one in chosen), cutting, tools)
    if _is_other_file(entry.outcome, outcome):
        # Clips of two files must not stand under one digest.
        chosen = [_Again(index, span, made=False) for index, span in enumerate(video.spans)]
        outcome, rights = _work(video, video.spans, cutting, tools)
    attempts = entry.attempts + (1 if entry.again else 0)
    merged = _merged(entry.outcome, outcome, chosen)
    return entry.model_copy(update={"again": (), "attempts": attempts, "outcome": merged, "rights": rights})


@dataclass(frozen=True)
class _Again:
    """A span to be worked on again: `index` of the entry's, or one that was `made` of it."""

    index: int
    span: Span
    made: bool

    def is_told_by(self, row: dict[str, Any]) -> bool:
        """Whether a clip or failure of the entry tells of it."""
        same = row["span_index"] == self.index
        return same and (not self.made or row["made_us"] == list(self.span))


def _unfinished(entry: VideoEntry, store: Store) -> list[_Again]:
    """Return the marked spans, and those whose clips are gone; of a span that some made clips are left of, the rest."""
    outcome = clips_of(entry)
    stored = [_is_stored(clip, store) for clip in outcome.clips]
    again = {*entry.again, *(clip.span_index for clip, kept in zip(outcome.clips, stored, strict=True) if not kept)}
    chosen = []
    for index in sorted(again):
        told = [(clip, kept) for clip, kept in zip(outcome.clips, stored, strict=True) if clip.span_index == index]
        failures = [failure for failure in outcome.failures if failure.span_index == index]
        rest = [*(clip.made_us for clip, kept in told if not kept), *(failure.made_us for failure in failures)]
        made = [made_us for made_us in rest if made_us is not None]
        if made and any(kept and clip.made_us for clip, kept in told):
            chosen += [_Again(index, made_us, made=True) for made_us in made]
        else:
            chosen.append(_Again(index, entry.spans[index], made=False))
    return chosen


def _is_other_file(before: dict[str, Any], after: dict[str, Any]) -> bool:
    known = before["video"] is not None and after["video"] is not None
    return known and before["video"]["sha256"] != after["video"]["sha256"]


def _is_stored(clip: CutClip, store: Store) -> bool:
    path = media_path(clip.media_sha256)
    return store.exists(path) and store.size(path) == clip.media_bytes


def _work(
    video: PlannedVideo, spans: tuple[Span, ...], cutting: Cutting, tools: MediaTools
) -> tuple[dict[str, Any], dict[str, str]]:
    """Fetch a video, cut `spans` of it and store the clips; returns the outcome as JSON and the rights found."""
    scratch = tools.store.scratch("units") / uuid.uuid4().hex
    scratch.mkdir()
    try:
        fetched = tools.fetcher.fetch(video.address, scratch)
        outcome = _cut(fetched, spans, cutting, tools, scratch)
        rights = dict(fetched.rights)
    except FetchError as error:
        outcome, rights = _not_fetched(error), {}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tools.reporter.report(
        "video",
        {
            "clips": len(outcome.clips),
            "child_cpu_s": outcome.child_cpu_us / 1e6,
            "ffmpeg_cpu_s": outcome.ffmpeg_cpu_us / 1e6,
            "wall_s": outcome.wall_us / 1e6,
        },
    )
    return _timeless(outcome), rights


def _not_fetched(error: FetchError) -> CutOutcome:
    failure = CutFailure(span_index=None, stage=Stage.FETCH, reason=error.reason, detail=error.detail)
    return CutOutcome(video=None, clips=(), failures=(failure,), child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=0)


def _cut(fetched: Fetched, spans: tuple[Span, ...], cutting: Cutting, tools: MediaTools, scratch: Path) -> CutOutcome:
    folder = scratch / "clips"
    folder.mkdir()
    task = CutTask(
        path=str(fetched.path),
        spans=spans,
        out_dir=str(folder),
        clip=tools.config.clip,
        limits=tools.config.media,
        frames=tools.frames,
        cutting=cutting,
        text_area=tools.config.signals.text_area,
    )
    if tools.suppressed and tools.suppressed.video(fetched.sha256 or file_sha256(fetched.path)):
        return refused_video()
    outcome = tools.suppressed.outcome(tools.cut(task), spans)
    if outcome.video is not None:
        for clip in outcome.clips:
            _store_clip(clip, clip_id(outcome.video.sha256, *(clip.made_us or spans[clip.span_index])), tools)
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


def _timeless(outcome: CutOutcome) -> dict[str, Any]:
    clips = tuple(replace(clip, media_path="", strip_path="") for clip in outcome.clips)
    told = outcome_to_json(replace(outcome, clips=clips, child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=0))
    # as it reads back: lists for tuples, plain text for reasons
    return dict(json.loads(json.dumps(told)))


def _merged(before: dict[str, Any], after: dict[str, Any], chosen: list[_Again]) -> dict[str, Any]:
    """Return an outcome in which the spans `chosen` are told as `after` has them, the others as before."""
    merged = dict(after)
    if after["video"] is None:
        merged["video"] = before["video"]
    for kind in ("clips", "failures"):
        kept = [
            row
            for row in before[kind]
            if row["span_index"] is not None and not any(one.is_told_by(row) for one in chosen)
        ]
        moved = [told for row in after[kind] for told in _moved(row, chosen)]
        merged[kind] = sorted(
            [*kept, *moved],
            key=lambda told: (-1 if told["span_index"] is None else told["span_index"], tuple(told["made_us"] or ())),
        )
    return merged


def _moved(row: dict[str, Any], chosen: list[_Again]) -> list[dict[str, Any]]:
    """Return a row that counts its spans in `chosen` with the entry's own count; what befell the whole video befell
    each span that was made."""
    if row["span_index"] is None:
        made = [{**row, "span_index": one.index, "made_us": list(one.span)} for one in chosen if one.made]
        return made if len(made) == len(chosen) else [row, *made]
    one = chosen[row["span_index"]]
    return [{**row, "span_index": one.index, "made_us": list(one.span) if one.made else row["made_us"]}]
