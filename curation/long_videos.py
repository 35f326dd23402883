"""Long videos, shared out: one worker opens the file and says what is to be cut, and pieces of that go to any worker.

What the other videos of the unit came to waits beside it in `progress/long/<unit>/`, and so does what each piece came
to, until the unit is finished: an ingest that stopped in between goes on with what is there. All of it may go at any
time; then the work is done again. It costs or saves time and changes no byte: every span is cut by itself anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from curation.media.tasks import HeldSpan, outcome_from_json
from curation.store import Store
from curation.unit_plan import Span
from curation.video_entries import Again, merged_outcome
from curation.video_work import MediaTools, VideoSpans, is_stored, work_video
from schemas.canonical import sha256_hex
from schemas.ids import stable_id
from schemas.media import Cutting
from schemas.run import clips_path
from schemas.units import VideoEntry

# In a run; whoever runs the job removes it once all units are committed.
LONG_VIDEOS = "progress/long"


class _Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PieceSpan(_Note):
    """A span of a piece.

    Attributes:
        index: which of the video's spans it is, or is made of.
        made: whether the media side made it.
    """

    index: int
    span: Span
    made: bool


class VideoPiece(_Note):
    """A part of the work on a video. Its address may be signed: it lies nowhere in plain text.

    Attributes:
        unit: of the media work.
        path: where what it comes to is kept, inside the run.
        video_sha256: of the file that was opened; of another one nothing counts.
    """

    unit: str
    path: str
    address: str
    video_sha256: str
    spans: tuple[PieceSpan, ...]

    def to_line(self) -> bytes:
        """Return the piece as one line, to be spooled."""
        return self.model_dump_json().encode("utf-8")

    @classmethod
    def from_line(cls, line: bytes) -> VideoPiece:
        """Return the piece of a line."""
        return cls.model_validate_json(line)

    @property
    def asked(self) -> tuple[Span, ...]:
        """The spans to cut."""
        return tuple(one.span for one in self.spans)


class _PieceResult(_Note):
    spans: tuple[Span, ...]
    outcome: dict[str, Any]


class _SharedVideo(_Note):
    """A video whose spans lie in pieces; `entry` tells of those that were given up before."""

    entry: VideoEntry
    pieces: tuple[tuple[str, tuple[PieceSpan, ...]], ...]


class _SharedUnit(_Note):
    """A unit that waits for pieces.

    Attributes:
        clips_sha256: of its `clips/<unit>.json` then; where that is another one now, this is of no use any more.
        finished: its other videos.
    """

    clips_sha256: str | None
    finished: tuple[VideoEntry, ...]
    shared: tuple[_SharedVideo, ...]


class VideosHeldError(Exception):
    """A unit waits for pieces of its long videos to be cut; `pieces` has them."""

    def __init__(self, pieces: tuple[VideoPiece, ...]) -> None:
        super().__init__(f"{len(pieces)} pieces of long videos are to be cut first")
        self.pieces = pieces


@dataclass(frozen=True, kw_only=True)
class LongVideo:
    """A video that was opened and not cut: `entry` has its facts and the spans that were given up."""

    address: str
    entry: VideoEntry
    held: tuple[HeldSpan, ...]


@dataclass(frozen=True)
class SharedWork:
    """What lies there of a unit that waited.

    Attributes:
        entries: of its videos that are finished, those of which all pieces are cut included.
        told: locators of those that were finished before it waited, and told of.
    """

    entries: tuple[VideoEntry, ...] = ()
    told: frozenset[str] = frozenset()


def leave_to_pieces(
    store: Store, unit: str, finished: Sequence[VideoEntry], long: tuple[Sequence[LongVideo], int]
) -> tuple[VideoPiece, ...]:
    """Note how far a unit is, and return the pieces of its long videos.

    Args:
        finished: its other videos.
        long: the videos, and how many microseconds are to be cut in a piece.
    """
    videos, piece_us = long
    pieces: list[VideoPiece] = []
    shared = []
    for video in videos:
        own = _pieces(unit, video, piece_us)
        shared.append(_SharedVideo(entry=video.entry, pieces=tuple((piece.path, piece.spans) for piece in own)))
        pieces += own
    note = _SharedUnit(clips_sha256=_clips_sha256(store, unit), finished=tuple(finished), shared=tuple(shared))
    store.write(_note_path(unit), note.model_dump_json().encode("utf-8"))
    return tuple(pieces)


def _pieces(unit: str, video: LongVideo, piece_us: int) -> list[VideoPiece]:
    """Return a video in the fewest pieces that are no longer than allowed by much, all of about one length."""
    total_us = sum(span.length_us for span in video.held)
    count = -(-total_us // piece_us)
    spans: dict[int, list[PieceSpan]] = {}
    before_us = 0
    for held in video.held:
        number = (before_us + held.length_us // 2) * count // total_us
        span = held.made_us or video.entry.spans[held.span_index]
        one = PieceSpan(index=held.span_index, span=span, made=held.made_us is not None)
        spans.setdefault(number, []).append(one)
        before_us += held.length_us
    name = stable_id("video", video.entry.locator)
    return [
        VideoPiece(
            unit=unit,
            path=f"{_folder(unit)}/{name}-{number:04d}.json",
            address=video.address,
            video_sha256=video.entry.outcome["video"]["sha256"],
            spans=tuple(own),
        )
        for number, own in sorted(spans.items())
    ]


def cut_piece(piece: VideoPiece, cutting: Cutting, tools: MediaTools) -> None:
    """Cut a piece and keep what it comes to, unless that is there."""
    if tools.store.exists(piece.path) and _is_done(piece, tools.store):
        return
    asked = VideoSpans(address=piece.address, spans=piece.asked, cutting=cutting)
    worked = work_video(asked, tools, is_piece=True)
    result = _PieceResult(spans=piece.asked, outcome=worked.outcome)
    tools.store.write(piece.path, result.model_dump_json().encode("utf-8"))


def _is_done(piece: VideoPiece, store: Store) -> bool:
    result = _result(store, piece.path, piece.spans, piece.video_sha256)
    if result is None or any(failure["span_index"] is None for failure in result["failures"]):
        return False
    return all(is_stored(clip, store) for clip in outcome_from_json(result).clips)


def _result(store: Store, path: str, spans: Sequence[PieceSpan], video_sha256: str) -> dict[str, Any] | None:
    """Return what a piece came to; None if it was another piece, or of another file."""
    result = _PieceResult.model_validate_json(store.read(path))
    if result.spans != tuple(one.span for one in spans):
        return None
    video = result.outcome["video"]
    return None if video is not None and video["sha256"] != video_sha256 else result.outcome


def shared_work(store: Store, unit: str) -> SharedWork:
    """Return what lies there of a unit that waited for pieces; nothing of one that did not."""
    path = _note_path(unit)
    if not store.exists(path):
        return SharedWork()
    note = _SharedUnit.model_validate_json(store.read(path))
    if note.clips_sha256 != _clips_sha256(store, unit):
        return SharedWork()
    gathered = (_gathered(store, video) for video in note.shared)
    whole = (entry for entry in gathered if entry is not None)
    return SharedWork((*note.finished, *whole), frozenset(entry.locator for entry in note.finished))


def _gathered(store: Store, video: _SharedVideo) -> VideoEntry | None:
    """Return the entry of a video of which all pieces are cut, or None: it is to be done again then."""
    outcome = video.entry.outcome
    digest = outcome["video"]["sha256"]
    for path, spans in video.pieces:
        result = _result(store, path, spans, digest) if store.exists(path) else None
        if result is None:
            return None
        chosen = [Again(one.index, one.span, made=one.made) for one in spans]
        outcome = merged_outcome(outcome, _by_span(result, len(chosen)), chosen)
    return video.entry.model_copy(update={"outcome": outcome})


def _by_span(result: dict[str, Any], spans: int) -> dict[str, Any]:
    """Return what a piece came to with what befell the whole of it told of each span: other pieces may be well."""
    failures = [
        {**row, "span_index": place}
        for row in result["failures"]
        for place in (range(spans) if row["span_index"] is None else [row["span_index"]])
    ]
    return {**result, "failures": failures}


def _clips_sha256(store: Store, unit: str) -> str | None:
    path = clips_path(unit)
    return sha256_hex(store.read(path)) if store.exists(path) else None


def _folder(unit: str) -> str:
    return f"{LONG_VIDEOS}/{unit}"


def _note_path(unit: str) -> str:
    return f"{_folder(unit)}/unit.json"
