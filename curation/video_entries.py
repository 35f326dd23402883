"""Entries of videos: which of them serves for what is asked now, what of one is to be done again, and how it is joined.

An entry tells of each span what came of it, and each span is cut by itself: so entries can be narrowed to some spans,
and what is worked on again takes its place among what stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from curation.store import Store
from curation.unit_plan import PlannedVideo, Span
from curation.video_work import clips_of, is_stored
from schemas.units import VideoEntry


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


@dataclass(frozen=True)
class Again:
    """A span to be worked on again: `index` of the entry's, or one that was `made` of it."""

    index: int
    span: Span
    made: bool

    def is_told_by(self, row: dict[str, Any]) -> bool:
        """Whether a clip or failure of the entry tells of it."""
        same = row["span_index"] == self.index
        return same and (not self.made or row["made_us"] == list(self.span))


def unfinished(entry: VideoEntry, store: Store) -> list[Again]:
    """Return the marked spans, and those whose clips are gone; of a span that some made clips are left of, the rest."""
    outcome = clips_of(entry)
    stored = [is_stored(clip, store) for clip in outcome.clips]
    again = {*entry.again, *(clip.span_index for clip, kept in zip(outcome.clips, stored, strict=True) if not kept)}
    chosen = []
    for index in sorted(again):
        told = [(clip, kept) for clip, kept in zip(outcome.clips, stored, strict=True) if clip.span_index == index]
        failures = [failure for failure in outcome.failures if failure.span_index == index]
        rest = [*(clip.made_us for clip, kept in told if not kept), *(failure.made_us for failure in failures)]
        made = [made_us for made_us in rest if made_us is not None]
        if made and any(kept and clip.made_us for clip, kept in told):
            chosen += [Again(index, made_us, made=True) for made_us in made]
        else:
            chosen.append(Again(index, entry.spans[index], made=False))
    return chosen


def is_other_file(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether two outcomes tell of two files."""
    known = before["video"] is not None and after["video"] is not None
    return known and before["video"]["sha256"] != after["video"]["sha256"]


def merged_outcome(before: dict[str, Any], after: dict[str, Any], chosen: list[Again]) -> dict[str, Any]:
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


def _moved(row: dict[str, Any], chosen: list[Again]) -> list[dict[str, Any]]:
    """Return a row that counts its spans in `chosen` with the entry's own count; what befell the whole video befell
    each span that was made."""
    if row["span_index"] is None:
        made = [{**row, "span_index": one.index, "made_us": list(one.span)} for one in chosen if one.made]
        return made if len(made) == len(chosen) else [row, *made]
    one = chosen[row["span_index"]]
    return [{**row, "span_index": one.index, "made_us": list(one.span) if one.made else row["made_us"]}]
