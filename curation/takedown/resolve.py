"""From what is asked to what it touches in a run: pure reading, so that a dry run prints it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.store import Store
from curation.suppression import copies_of, names_for, place_names
from curation.takedown.asked import Asked
from curation.unit_media import read_clips
from curation.unit_reading import read_part
from schemas.arrow import SELECTION, read_rows
from schemas.suppression import Affected, Copies, Looks, SuppressionList, listed
from schemas.units import UnitCommit

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a takedown touches.

    Attributes:
        found: what was asked for and is in the run.
        touched: units that hold something of it.
        affected: what may go; a sample that other records tell too stays, without these records' texts.
        removed_samples: samples that go.
        copies_removed, copies_spared: members of duplicate groups, beside what was asked for.
    """

    suppression: SuppressionList
    found: frozenset[Asked]
    touched: tuple[str, ...]
    affected: Affected
    removed_samples: int
    copies_removed: int
    copies_spared: int


@dataclass
class _Hits:
    """What is to go, as it is found; `contents` go with all samples that show them, `records` alone."""

    records: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    videos: set[str] = field(default_factory=set)
    clips: set[str] = field(default_factory=set)
    media: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)
    looks: dict[str, Looks] = field(default_factory=dict)
    found: set[Asked] = field(default_factory=set)

    def holds(self, row: Row) -> bool:
        """Whether a sample's clip goes."""
        return row["content_sha256"] in self.contents or row["clip_id"] in self.clips

    def take(self, row: Row) -> None:
        """Let a sample's clip go, wherever it is told of."""
        self.contents.add(row["content_sha256"])
        self.clips.add(row["clip_id"])
        self.media.add(row["media_sha256"])
        self.looks[row["content_sha256"]] = _looks(row)


def _looks(row: Row) -> Looks:
    return Looks(frame_hashes=row["frame_hashes"].hex(), hash_quality=row["hash_quality"].hex())


def resolve(store: Store, units: Sequence[UnitCommit], asked: Sequence[Asked], copies: Copies) -> Resolution:
    """Return what a takedown touches in a run's units, and the list that keeps it out."""
    hits = _Hits()
    wanted = _Wanted(asked)
    for commit in units:
        _find_asked(store, commit, wanted, hits)
    named = set(hits.contents)
    groups = _groups(store)
    while _spread(store, units, hits, groups, copies):
        pass
    touched, affected, gone = _touched(store, units, hits)
    # A place stays out under the name that was asked for, wherever else it turns up.
    asked_for = [entry for one in asked if one.kind == "place" or one not in hits.found for entry in one.entries()]
    return Resolution(
        suppression=SuppressionList(
            entries=tuple(sorted({*_entries(hits), *asked_for})),
            looks=tuple(look for _, look in sorted(hits.looks.items()) if look.hash_quality),
            spared=tuple(sorted(listed("content", content) for content in hits.spared)),
        ),
        found=frozenset(hits.found),
        touched=touched,
        affected=affected,
        removed_samples=gone,
        copies_removed=len(hits.contents - named),
        copies_spared=len(hits.spared),
    )


class _Wanted:
    """What is asked for, by how a row is compared with it."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._by_kind: dict[str, dict[str, Asked]] = defaultdict(dict)
        for one in asked:
            self._by_kind[one.kind][one.value] = one

    def of(self, values: Iterable[str], *kinds: str) -> list[Asked]:
        """Return what is asked for by one of these kinds with one of these values."""
        return [self._by_kind[kind][value] for value in values for kind in kinds if value in self._by_kind[kind]]

    @property
    def by_video(self) -> bool:
        """Whether files of videos may be meant."""
        return bool(self._by_kind["digest"] or self._by_kind["video"])

    @property
    def places(self) -> list[Asked]:
        """What is asked for by place."""
        return list(self._by_kind["place"].values())


def _find_asked(store: Store, commit: UnitCommit, wanted: _Wanted, hits: _Hits) -> None:
    """Find what is asked for in a unit."""
    led = _locators_of_videos(store, commit, wanted, hits)
    for row in read_part(store, commit, "records"):
        by_id = wanted.of([row["record_id"]], "id", "record")
        by_place = wanted.of(names_for(row["locator"]), "place")
        hits.found.update(by_id, by_place)
        if by_place:
            hits.places.update(place_names(row["locator"]))
        if by_id or by_place or row["locator"] in led:
            hits.records.add(row["record_id"])
    for row in read_part(store, commit, "samples"):
        told = wanted.of([row["sample_id"]], "id", "sample")
        shown = wanted.of([row["clip_id"]], "id", "clip")
        shown += wanted.of([row["video_sha256"], row["media_sha256"], row["content_sha256"]], "digest")
        shown += wanted.of([row["video_sha256"]], "video")
        hits.found.update(told, shown)
        if told:
            hits.records.update(row["record_ids"])
        if shown:
            hits.take(row)
    for row in read_part(store, commit, "rejects"):
        # What a reader could make no place of stands in the reject as the row had it, in quotes.
        by_id = wanted.of([row["record_id"] or ""], "id", "record")
        by_place = [one for one in wanted.places if repr(one.value) in row["detail"]] if row["stage"] == "read" else []
        hits.found.update(by_id, by_place)
        if (by_id or by_place) and row["record_id"]:
            hits.records.add(row["record_id"])


def _locators_of_videos(store: Store, commit: UnitCommit, wanted: _Wanted, hits: _Hits) -> set[str]:
    """Return the locators of a unit that lead to a video that is asked for."""
    clips = read_clips(store, commit.clips) if wanted.by_video else None
    led = set()
    for entry in () if clips is None else clips.videos:
        video = entry.outcome["video"]
        found = [] if video is None else wanted.of([video["sha256"]], "digest", "video")
        if found:
            hits.found.update(found)
            hits.videos.add(video["sha256"])
            led.add(entry.locator)
    return led


def _groups(store: Store) -> dict[str, str]:
    """Return sample -> duplicate group, of samples that have one; nothing in a run that is not judged."""
    paths = [path for path in store.list("selection") if path.endswith(".parquet")]
    columns = ("sample_id", "duplicate_group")
    rows = (row for path in paths for row in read_rows(store.read(path), SELECTION, columns=columns))
    return {row["sample_id"]: row["duplicate_group"] for row in rows if row["duplicate_group"] is not None}


def _spread(store: Store, units: Sequence[UnitCommit], hits: _Hits, groups: dict[str, str], copies: Copies) -> bool:
    """Let go what goes with what was found: the same clip elsewhere, and copies by policy; whether that was more."""
    before = (len(hits.contents), len(hits.clips), len(hits.media), len(hits.spared))
    going: set[str] = set()
    for row in (row for commit in units for row in read_part(store, commit, "samples")):
        if hits.holds(row):
            hits.take(row)
        if row["sample_id"] in groups and (hits.holds(row) or hits.records.issuperset(row["record_ids"])):
            going.add(groups[row["sample_id"]])
    looks = tuple(hits.looks.values())
    for commit in units:
        rows = [row for row in read_part(store, commit, "samples") if not hits.holds(row)]
        like = copies_of([_looks(row) for row in rows], looks)
        for place, row in enumerate(rows):
            if copies == "remove" and (place in like or groups.get(row["sample_id"]) in going):
                hits.take(row)
            elif place in like:
                hits.spared.add(row["content_sha256"])
    return before != (len(hits.contents), len(hits.clips), len(hits.media), len(hits.spared))


def _touched(store: Store, units: Sequence[UnitCommit], hits: _Hits) -> tuple[tuple[str, ...], Affected, int]:
    """Return the units that hold something of it, what may go, and how many samples do.

    A record goes with its clips where none is left: its texts tell of nothing else.
    """
    touched: list[str] = []
    found: dict[str, set[str]] = defaultdict(set)
    gone = 0
    for commit in units:
        rows = read_part(store, commit, "samples")
        going = [row for row in rows if hits.holds(row)]
        left = {record for row in rows if not hits.holds(row) for record in row["record_ids"]}
        hits.records.update(record for row in going for record in row["record_ids"] if record not in left)
    for commit in units:
        rows = read_part(store, commit, "samples")
        told = [row for row in rows if hits.holds(row) or not hits.records.isdisjoint(row["record_ids"])]
        gone += sum(hits.holds(row) or hits.records.issuperset(row["record_ids"]) for row in told)
        read = [*read_part(store, commit, "records"), *read_part(store, commit, "rejects")]
        records = {row["record_id"] for row in read if row["record_id"] in hits.records}
        if told or records:
            touched.append(commit.unit)
            _affect(found, store, commit, told)
            found["records"] |= records
    return tuple(touched), Affected(**{name: tuple(sorted(values)) for name, values in found.items()}), gone


def _affect(found: dict[str, set[str]], store: Store, commit: UnitCommit, told: Sequence[Row]) -> None:
    samples = {row["sample_id"] for row in told}
    found["samples"] |= samples
    found["clips"] |= {row["clip_id"] for row in told}
    found["media"] |= {row["media_sha256"] for row in told}
    found["texts"] |= {row["text_id"] for row in read_part(store, commit, "texts") if row["sample_id"] in samples}


def _entries(hits: _Hits) -> Iterator[str]:
    yield from (listed("record", value) for value in hits.records)
    yield from (listed("locator", value) for value in hits.places)
    yield from (listed("video", value) for value in hits.videos)
    yield from (listed("clip", value) for value in hits.clips)
    yield from (listed("media", value) for value in hits.media)
    yield from (listed("content", value) for value in hits.contents)
