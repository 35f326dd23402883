"""The suppression lists of a run as ingest asks them: which rows, videos and clips must not come (back).

A row is refused by its record's id or its locator, before anything is fetched; a video by its bytes, before it is cut;
a clip by its id, its bytes, its pictures, or by what it resembles, before it is stored. What is refused is a reject
`suppressed` that holds digests only.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from pydantic import ValidationError

from curation.duplicates.perceptual import PerceptualOptions, Signatures, find_pairs, pack_signatures
from curation.media import CutClip, CutFailure, CutOutcome
from curation.media.tasks import Span
from curation.store import Store
from curation.stores import is_bucket, open_store
from schemas.canonical import digest_of
from schemas.config_file import ConfigError
from schemas.ids import clip_id
from schemas.reasons import Reason, Scope, Stage
from schemas.records import Record, Reject
from schemas.run import SUPPRESSED_FOLDER
from schemas.suppression import EntryKind, Looks, SuppressionList, hidden_id, listed

DETAIL = "on the suppression list of a takedown"
# Ids of one video site, in the ways that its addresses are written.
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_HOSTS = ("youtube.com", "youtube-nocookie.com", "youtu.be")


def place_names(locator: str) -> tuple[str, ...]:
    """Return what a locator is known by: itself, and `youtube:<id>` however such a video's address is written."""
    video = _youtube_id(locator)
    return (locator,) if video is None else (locator, f"youtube:{video}")


def names_for(locator: str) -> frozenset[str]:
    """Return every name by which somebody may mean a locator: the place, and the id of the source video in it.

    The id is the last part of the place without its ending, or that which a known video site gave.
    """
    last = locator.partition("?")[0].rstrip("/").rpartition("/")[2]
    stem = last.partition("!")[2] or last
    site = [name.partition(":")[2] for name in place_names(locator)[1:]]
    return frozenset({*place_names(locator), *site, last, stem, stem.rpartition(".")[0] or stem})


def _youtube_id(locator: str) -> str | None:
    if not locator.startswith(("http://", "https://")):
        return None
    parts = urlsplit(locator)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    if host not in _YOUTUBE_HOSTS:
        return None
    named = parse_qs(parts.query).get("v", [])
    last = parts.path.rstrip("/").rpartition("/")[2]
    return next((word for word in (*named, last) if _YOUTUBE_ID.fullmatch(word)), None)


@dataclass(frozen=True)
class Suppressed:
    """What must stay out.

    Attributes:
        entries, spared: as in `SuppressionList`.
        looks: frame hashes of removed clips.
    """

    entries: frozenset[str] = frozenset()
    looks: tuple[Looks, ...] = ()
    spared: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.entries or self.looks)

    def _holds(self, kind: EntryKind, *values: str) -> bool:
        return bool(self.entries) and any(listed(kind, value) in self.entries for value in values)

    def row(self, item: Record | Reject) -> bool:
        """Whether a row must stay out, by its id or its place."""
        if item.record_id is not None and self._holds("record", item.record_id):
            return True
        return isinstance(item, Record) and self._holds("locator", *names_for(item.locator))

    def video(self, video_sha256: str) -> bool:
        """Whether a file must stay out, by its bytes."""
        return self._holds("video", video_sha256)

    def clip(self, identity: str, clip: CutClip) -> bool:
        """Whether a clip must stay out, by its id, its bytes or its pictures."""
        return (
            self._holds("clip", identity)
            or self._holds("media", clip.media_sha256)
            or self._holds("content", clip.content_sha256)
        )

    def resembling(self, clips: Sequence[CutClip]) -> frozenset[int]:
        """Return the places of clips that are copies of removed ones by their frame hashes, but for those spared."""
        asked = [place for place, clip in enumerate(clips) if listed("content", clip.content_sha256) not in self.spared]
        looks = [
            Looks(frame_hashes=clips[place].signals.frame_hashes, hash_quality=clips[place].signals.hash_quality)
            for place in asked
        ]
        return frozenset(asked[number] for number in copies_of(looks, self.looks))

    @functools.cached_property
    def looks_digest(self) -> str:
        """A digest of what copies are told by: clips that passed it once need not be compared again."""
        return digest_of([[look.model_dump() for look in self.looks], sorted(self.spared)])

    def outcome(self, outcome: CutOutcome, spans: Sequence[Span], *, by_looks: bool = True) -> CutOutcome:
        """Return what a video came to without what must stay out; the same object where nothing must.

        A video whose bytes are listed has no facts and no clips left; a clip that is listed is a failure of its span.

        Args:
            spans: asked for; a clip's `span_index` counts them.
            by_looks: compare frame hashes too; not needed for clips that passed these looks before.
        """
        if not self or outcome.video is None:
            return outcome
        if self.video(outcome.video.sha256):
            return refused_video()
        video, clips = outcome.video.sha256, outcome.clips
        out = {
            place
            for place, clip in enumerate(clips)
            if self.clip(clip_id(video, *(clip.made_us or spans[clip.span_index])), clip)
        }
        if by_looks:
            out |= self.resembling(clips)
        if not out:
            return outcome
        refused = [_refused_clip(clips[place]) for place in out]
        failures = sorted(
            [*outcome.failures, *refused],
            key=lambda told: (-1 if told.span_index is None else told.span_index, told.made_us or ()),
        )
        kept = tuple(clip for place, clip in enumerate(clips) if place not in out)
        return replace(outcome, clips=kept, failures=tuple(failures))


NOTHING = Suppressed()


def copies_of(looks: Sequence[Looks], removed: Sequence[Looks]) -> frozenset[int]:
    """Return the places in `looks` of copies of removed clips, as finding duplicates tells copies."""
    if not looks or not removed:
        return frozenset()
    old = _signatures(tuple(removed))
    own = _packed(looks, np.arange(len(looks), dtype=np.int64) + len(removed))
    pairs = find_pairs(own, PerceptualOptions(), old)
    ends = np.concatenate([pairs.first, pairs.second])
    return frozenset((ends[ends >= len(removed)] - len(removed)).tolist())


@functools.lru_cache(maxsize=2)
def _signatures(looks: tuple[Looks, ...]) -> Signatures:
    return _packed(looks, np.arange(len(looks), dtype=np.int64))


def _packed(looks: Sequence[Looks], numbers: np.ndarray) -> Signatures:
    hashes = [bytes.fromhex(look.frame_hashes) for look in looks]
    return pack_signatures(hashes, [bytes.fromhex(look.hash_quality) for look in looks], numbers)


def refused_video() -> CutOutcome:
    """Return the outcome of a video that must stay out."""
    failure = CutFailure(span_index=None, stage=Stage.FETCH, reason=Reason.SUPPRESSED, detail=DETAIL)
    return CutOutcome(video=None, clips=(), failures=(failure,), child_cpu_us=0, ffmpeg_cpu_us=0, wall_us=0)


def _refused_clip(clip: CutClip) -> CutFailure:
    return CutFailure(
        span_index=clip.span_index, stage=Stage.CUT, reason=Reason.SUPPRESSED, detail=DETAIL, made_us=clip.made_us
    )


def refused_row(source: str, identity: str) -> Reject:
    """Return the reject of a row that must stay out: it counts in the ledger, and tells nothing."""
    return Reject(
        source=source,
        stage=Stage.READ,
        scope=Scope.RECORD,
        reason=Reason.SUPPRESSED,
        detail=DETAIL,
        record_id=hidden_id(identity),
        sample_id=None,
        retryable=False,
        attempts=1,
        input="{}",
    )


def joined(lists: Iterable[SuppressionList]) -> Suppressed:
    """Return several lists as one."""
    told = list(lists)
    looks = {look.frame_hashes: look for one in told for look in one.looks}
    return Suppressed(
        entries=frozenset(entry for one in told for entry in one.entries),
        looks=tuple(looks[key] for key in sorted(looks)),
        spared=frozenset(entry for one in told for entry in one.spared),
    )


def suppressed_of(store: Store, places: Iterable[str]) -> Suppressed:
    """Return what a run keeps out: its own takedowns' lists, and those that its corpus names.

    Args:
        places: lists, or folders of them such as a run's `suppressed/`, on this machine or in a bucket.

    Raises:
        ConfigError: one of them is no suppression list, or cannot be read.
    """
    own = [(path, store.read(path)) for path in store.list(SUPPRESSED_FOLDER)]
    given = [told for place in places for told in _read(place)]
    return joined(_parsed(name, data) for name, data in (*own, *given))


def _read(place: str) -> list[tuple[str, bytes]]:
    """Return (name, content) of each list of a place."""
    try:
        return _in_bucket(place) if is_bucket(place) else _in_folder(Path(place))
    except OSError as error:
        raise ConfigError(
            f"suppress: {place} cannot be read ({error}); allowed: a suppression list, or a folder of them; without it "
            "removed clips would come back"
        ) from error


def _in_folder(path: Path) -> list[tuple[str, bytes]]:
    found = sorted(path.glob("*.json")) if path.is_dir() else [path]
    return [(str(own), own.read_bytes()) for own in found]


def _in_bucket(address: str) -> list[tuple[str, bytes]]:
    """Raises FileNotFoundError where nothing lies: an empty folder and a slip of the pen look alike there."""
    if address.endswith(".json"):
        folder, _, name = address.rpartition("/")
        return [(address, open_store(folder).read(name))]
    folder, _, name = address.rstrip("/").rpartition("/")
    store = open_store(folder)
    found = [path for path in store.list(name) if path.endswith(".json")]
    if not found:
        raise FileNotFoundError(f"no list lies in {address}")
    return [(f"{folder}/{path}", store.read(path)) for path in sorted(found)]


def _parsed(name: str, data: bytes) -> SuppressionList:
    try:
        return SuppressionList.model_validate_json(data)
    except ValidationError as error:
        raise ConfigError(
            f"suppress: {name} is no suppression list ({error.error_count()} problems); allowed: files that "
            "`clipstrata takedown` wrote into suppressed/; restore it: without it removed clips would come back"
        ) from error
