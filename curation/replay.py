"""Replay: rejects marked to be worked on again, those and only those; the next ingest does them and merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from curation.media import CutFailure
from curation.store import Store
from curation.video_work import clips_of
from schemas.arrow import REJECTS, read_rows
from schemas.reasons import RETRYABLE, Reason
from schemas.run import clips_path
from schemas.units import UnitClips, UnitScores, VideoEntry

MarkedKey = tuple[str, str]


@dataclass
class Marked:
    """What was marked.

    Attributes:
        spans: (source, reason code) -> spans of videos that are worked on again.
        videos: how many videos they lie in.
    """

    spans: Counter[MarkedKey] = field(default_factory=Counter)
    videos: int = 0


def mark_rejects(store: Store, reason: Reason | None) -> Marked:
    """Mark the spans that gave no clip for a reason; done twice, it marks nothing more.

    Args:
        reason: None is every reason that a second attempt may cure.
    """
    marked = Marked()
    for path in list(store.list("clips")):
        clips = UnitClips.model_validate_json(store.read(path))
        entries = tuple(_marked_entry(entry, clips.source, reason, marked) for entry in clips.videos)
        if entries != clips.videos:
            store.write(clips_path(clips.unit), clips.model_copy(update={"videos": entries}).to_bytes())
    return marked


def mark_unscored(store: Store, scoring: str, reason: Reason | None, marked: Marked) -> None:
    """Take back the scores of units in which a sample has none for a reason, so that they are scored again."""
    for path in [path for path in store.list(f"scores/{scoring}") if path.endswith(".json")]:
        scores = UnitScores.model_validate_json(store.read(path))
        rows = read_rows(store.read(scores.parts["score_rejects"].path), REJECTS, columns=("source", "reason"))
        found = [row for row in rows if _wanted(Reason(row["reason"]), reason)]
        if found:
            marked.spans.update((row["source"], row["reason"]) for row in found)
            store.delete(path)


def _marked_entry(entry: VideoEntry, source: str, reason: Reason | None, marked: Marked) -> VideoEntry:
    wanted = {index: failure for index, failure in _failures(entry) if _wanted(failure.reason, reason)}
    if not wanted:
        return entry
    marked.videos += 1
    marked.spans.update((source, failure.reason.value) for failure in wanted.values())
    return entry.model_copy(update={"again": tuple(sorted({*entry.again, *wanted}))})


def _failures(entry: VideoEntry) -> Iterator[tuple[int, CutFailure]]:
    """Yield (place of the span, why it or a part of it gave no clip).

    What befell the whole video befell each span of which nothing else is told.
    """
    outcome = clips_of(entry)
    own = [failure for failure in outcome.failures if failure.span_index is not None]
    told = {*(failure.span_index for failure in own), *(clip.span_index for clip in outcome.clips)}
    yield from ((failure.span_index, failure) for failure in own if failure.span_index is not None)
    for failure in outcome.failures:
        if failure.span_index is None:
            yield from ((index, failure) for index in range(len(entry.spans)) if index not in told)


def _wanted(found: Reason, reason: Reason | None) -> bool:
    return found in RETRYABLE if reason is None else found is reason
