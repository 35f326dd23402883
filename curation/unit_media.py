"""The media work of a unit: each video fetched once and cut once, and what came of it kept in `clips/<unit>.json`.

Texts and scorers have no part in it, so another text column or another model never cuts a clip again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from curation.long_videos import LongVideo, VideosHeldError, leave_to_pieces, shared_work
from curation.media.tasks import HeldSpan
from curation.store import Store
from curation.suppression import Suppressed
from curation.unit_plan import PlannedVideo, UnitPlan
from curation.video_entries import Again, EarlierEntries, is_other_file, merged_outcome, unfinished
from curation.video_work import MediaTools, VideoSpans, clips_of, timeless, work_video
from schemas.media import Cutting
from schemas.run import clips_path
from schemas.units import UnitClips, VideoEntry, neighbour_units


def read_clips(store: Store, name: str) -> UnitClips | None:
    """Return the finished media work of a unit, or None."""
    path = clips_path(name)
    return UnitClips.model_validate_json(store.read(path)) if store.exists(path) else None


def media_work(plan: UnitPlan, tools: MediaTools, changed: frozenset[str] = frozenset()) -> UnitClips:
    """Return a unit's clips, working on what is not there yet: done twice, it does nothing the second time.

    Videos of an earlier unit that had the same spans and settings are taken over as they are.

    Args:
        changed: locators whose files are not what they were.

    Raises:
        VideosHeldError: videos are left to pieces; once these are cut, the work goes on where it was.
    """
    found = read_clips(tools.store, plan.media_name)
    shared = shared_work(tools.store, plan.media_name)
    known = EarlierEntries([*_earlier(plan, found, tools.store), *shared.entries])
    passed = _passed(plan, found, tools)
    entries, long = [], []
    for video in plan.videos:
        entry = None if video.locator in changed else known.of(video)
        finished, held = _finished(video, plan.cutting, entry, tools)
        if held:
            long.append(LongVideo(address=video.address, entry=finished, held=held))
            continue
        if finished is entry and not (tools.hold_over_us is None and video.locator in shared.told):
            tools.reporter.report("resumed", {"videos": 1})
        entries.append(_allowed(finished, tools.suppressed, by_looks=passed.get(video.locator) != finished))
    if long and tools.hold_over_us is not None:
        pieces = leave_to_pieces(tools.store, plan.media_name, entries, (long, tools.hold_over_us))
        raise VideosHeldError(pieces)
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
    return entry if after is before else entry.model_copy(update={"outcome": timeless(after)})


def _earlier(plan: UnitPlan, found: UnitClips | None, store: Store) -> Iterator[VideoEntry]:
    """Yield entries to draw on, the unit's own last; a source that grew may have been split another way."""
    for prefix in neighbour_units(plan.media_name):
        for path in store.list_prefix(f"clips/{prefix}"):
            other = UnitClips.model_validate_json(store.read(path))
            if other.facts == plan.media_facts and other.unit != plan.media_name:
                yield from other.videos
    if found is not None:
        yield from found.videos


def _finished(
    video: PlannedVideo, cutting: Cutting, entry: VideoEntry | None, tools: MediaTools
) -> tuple[VideoEntry, tuple[HeldSpan, ...]]:
    """Return a video's entry, the same object where nothing was left to do, and what of it was left to pieces.

    Only a video that nothing is known of is left to pieces.
    """
    asked = VideoSpans(address=video.address, spans=video.spans, cutting=cutting, hold_over_us=tools.hold_over_us)
    if entry is None:
        worked = work_video(asked, tools)
        entry = VideoEntry(locator=video.locator, spans=video.spans, outcome=worked.outcome, rights=worked.rights)
        return entry, worked.held
    chosen = unfinished(entry, tools.store)
    if not chosen:
        return entry, ()
    asked = replace(asked, hold_over_us=None)
    worked = work_video(replace(asked, spans=tuple(one.span for one in chosen)), tools)
    if is_other_file(entry.outcome, worked.outcome):
        # Clips of two files must not stand under one digest.
        chosen = [Again(index, span, made=False) for index, span in enumerate(video.spans)]
        worked = work_video(asked, tools)
    attempts = entry.attempts + (1 if entry.again else 0)
    merged = merged_outcome(entry.outcome, worked.outcome, chosen)
    finished = {"again": (), "attempts": attempts, "outcome": merged, "rights": worked.rights}
    return entry.model_copy(update=finished), ()
