"""The videos that base clips are cut from: real ones beside the project, and drawn ones in groups that look alike."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av

from benchmarks.copies.changes import SHIFT_US, US_PER_S
from benchmarks.copies.records import TEST, TUNE
from benchmarks.copies.scenes import Card, Flat, Scene, Shot, Still, WorldShot
from benchmarks.copies.truth import FLAT, MAIN, OTHER_ACTION, OTHER_PERSON, SAME_BACKGROUND, SAME_SERIES
from benchmarks.footage import REALPACK
from curation.world.factors import changed, draw_factors, seeded

MIN_SPAN_S, MAX_SPAN_S, GAP_S = 4.0, 8.0, 1.0
SIGNS = "signs"
_SIGNS = tuple(f"intel__{sign}.mkv" for sign in ("bird", "book", "brother", "milk", "thanks", "yes"))
"""Real, and too short to be copied: people who make signs of sign language in one office, some the same person."""
_CARD_S = 1.5
_NEAR_DUPLICATE, _GROUP = "near-duplicate-of:", "group:"
_FIRST_NUMBER = {TUNE: 0, TEST: 10_000}
"""Of the drawn groups of each sort: a number is the seed of all that is drawn."""
_TITLES = (
    "The End",
    "Chapter One",
    "Part 2",
    "Directed by\nA. Miller",
    "Ten years later",
    "Subscribe",
    "Breaking news",
    "Lesson 4: rivers",
    "Thanks for watching",
    "Intermission",
    "Based on\na true story",
    "Coming soon",
)
_COLOURS = ((0, 0, 0), (255, 255, 255), (128, 128, 128), (20, 40, 160), (0, 0, 0), (180, 30, 30), (16, 16, 16))

Shots = tuple[tuple[Shot, float], ...]
Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A video and the spans wanted of it.

    Attributes:
        name: unique; for a real one the name of its file.
        file: the real file, or None.
        shots: what is drawn where there is no file: shots and their lengths in seconds.
        spans_us: of the base clips.
        content_us: where content starts: a title card before that is none.
        copied: whether copies are made of its clips; the others are there as hard negatives.
        upload: another real file that shows the same at the same times.
        split: `tune` or `test`.
    """

    name: str
    group: str
    role: str
    spans_us: tuple[Span, ...]
    file: Path | None = None
    shots: Shots = ()
    content_us: int = 0
    copied: bool = True
    upload: Path | None = None
    split: str = TUNE


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many groups of each sort are drawn for a split, and how many spans a real video gives at most."""

    spans: int
    sets: int
    films: int
    series: int
    worlds: int
    flats: int


SIZES = {
    "small": Size(spans=1, sets=2, films=2, series=1, worlds=1, flats=7),
    "full": Size(spans=4, sets=6, films=6, series=3, worlds=3, flats=24),
    "real": Size(spans=4, sets=0, films=0, series=0, worlds=0, flats=0),
}


def all_originals(size: Size, other_videos: Path | None = None, spans_seed: int = 0) -> list[Original]:
    """Return real and drawn originals, by name.

    Args:
        other_videos: a folder of real videos for `test` (`benchmarks.copies.other_videos`); without it all of that
            split are drawn. Those of `tune` lie beside the project.
        spans_seed: another one cuts the real videos at other times.
    """
    found = []
    for split, videos in ((TUNE, REALPACK / "clips"), (TEST, other_videos)):
        real = [] if videos is None else real_originals(videos, size.spans, spans_seed)
        found += [replace(own, split=split) for own in (*real, *_drawn_originals(size, _FIRST_NUMBER[split]))]
    return sorted(found, key=lambda original: original.name)


def _drawn_originals(size: Size, first: int) -> list[Original]:
    def numbers(count: int) -> range:
        return range(first, first + count)

    return [
        *_sets(numbers(size.sets)),
        *_films(numbers(size.films)),
        *_series(numbers(size.series)),
        *_worlds(numbers(size.worlds)),
        *_flats(numbers(size.flats)),
    ]


def real_originals(folder: Path, spans: int, spans_seed: int = 0) -> list[Original]:
    """Return a folder's real videos: those of 4 s or more to be copied, and some shorter ones; none without an index.

    The index is `clips.jsonl`, a line of JSON for each video: `file`, `duration_s`, `tags`. Of the tags
    `near-duplicate-of:` names a file without the part of its name before `__`, and `group:` names a group.
    """
    index = folder / "clips.jsonl"
    if not index.is_file():
        return []
    rows = {row["file"]: row for row in map(json.loads, index.read_text(encoding="utf-8").splitlines())}
    found, uploads = {}, {}
    for name, row in sorted(rows.items()):
        of, group = (_tagged(row["tags"], start) for start in (_NEAR_DUPLICATE, _GROUP))
        source = next((known for known in rows if of and known.endswith(f"__{of}")), None)
        is_long = isinstance(row.get("duration_s"), int | float) and row["duration_s"] >= MIN_SPAN_S
        if is_long and source is not None:
            uploads[source] = folder / name
        elif is_long:
            rng = seeded("spans", name, *([spans_seed] if spans_seed else []))
            found[name] = _real(folder / name, spans_of(_duration_us(folder / name), spans, rng), group or name)
        elif group or name in _SIGNS:
            found[name] = _short(folder / name, group or SIGNS)
    return [replace(video, upload=uploads.get(name)) for name, video in found.items()]


def _tagged(tags: Iterable[str], start: str) -> str:
    return next((tag.removeprefix(start) for tag in tags if tag.startswith(start)), "")


def spans_of(duration_us: int, most: int, rng: random.Random) -> tuple[Span, ...]:
    """Return spans of 4 to 8 s in equal parts of a video, a second or more between them, half a second after the last.

    A video too short for that half second gives one span to its end.
    """
    room_s = (duration_us - SHIFT_US) / US_PER_S + GAP_S
    count = min(most, int(room_s / (MIN_SPAN_S + GAP_S)))
    if count == 0:
        return ((0, duration_us),)
    spans = []
    for number in range(count):
        part_s = room_s / count - GAP_S
        length_s = MIN_SPAN_S + (min(MAX_SPAN_S, part_s) - MIN_SPAN_S) * rng.random()
        start_s = number * room_s / count + (part_s - length_s) * rng.random()
        spans.append((round(start_s * US_PER_S), round((start_s + length_s) * US_PER_S)))
    return tuple(spans)


def _real(path: Path, spans_us: tuple[Span, ...], group: str) -> Original:
    return Original(name=path.name, group=group, role=MAIN, file=path, spans_us=spans_us)


def _short(path: Path, group: str) -> Original:
    """Return a video that is too short to be copied, of a place that others of its group show too."""
    span = (0, _duration_us(path))
    return Original(name=path.name, group=group, role=SAME_BACKGROUND, file=path, spans_us=(span,), copied=False)


def _duration_us(path: Path) -> int:
    with av.open(str(path)) as container:
        return int(container.duration or 0)


def _drawn(name: str, group: str, role: str, shots: Shots, **more: Any) -> Original:
    """Return a drawn video that is one span."""
    length_us = round(sum(length_s for _, length_s in shots) * US_PER_S)
    spans = more.pop("spans_us", ((0, length_us),))
    return Original(name=name, group=group, role=role, shots=shots, spans_us=spans, **more)


def _sets(numbers: range) -> Iterator[Original]:
    """One place and camera each: a person who acts for long, another person, another action, a thing instead."""
    for number in numbers:
        group, rng = f"set-{number:02d}", seeded("set", number)
        main = Scene(place=100 + number, person=100 + number, action=number, turning=number % 3 == 2)
        length_s = 4.5 + 3 * rng.random()
        later_us = round((length_s + 1 + rng.random()) * US_PER_S)
        length_us = round(length_s * US_PER_S)
        spans = ((0, length_us), (later_us, later_us + length_us))
        whole_s = (later_us + length_us + SHIFT_US) / US_PER_S
        yield _drawn(f"{group}-main", group, MAIN, ((main, whole_s),), spans_us=spans)
        others = {
            OTHER_PERSON: replace(main, person=500 + number),
            OTHER_ACTION: replace(main, action=500 + number),
            SAME_BACKGROUND: replace(main, person=None, thing=number),
        }
        for role, scene in others.items():
            yield _drawn(f"{group}-{role}", group, role, ((scene, length_s),), copied=False)


def _films(numbers: range) -> Iterator[Original]:
    """Three or four places after each other, with cuts between them."""
    for number in numbers:
        rng = seeded("film", number)
        shots = []
        for part in range(3 + number % 2):
            key = 1000 + 10 * number + part
            scene = Scene(
                place=key, person=key, action=key, thing=key if part == 1 else None, turning=rng.random() < 0.5
            )
            shots.append((scene, round(1.2 + 1.4 * rng.random(), 2)))
        yield _drawn(f"film-{number:02d}", f"film-{number:02d}", MAIN, tuple(shots))


def _series(numbers: range) -> Iterator[Original]:
    """Episodes that start with the same card and show something else after it; copies are made of the first."""
    for number in numbers:
        group = f"series-{number:02d}"
        card = Card(text=f"Evenings with Ada {number}", paper=_COLOURS[3 + number % 3], size_px=34)
        for episode in range(4):
            key = 2000 + 10 * number + episode
            scene = Scene(place=key, person=key, action=key, turning=episode % 2 == 1)
            shots = ((card, _CARD_S), (scene, 4.0 + episode % 3))
            content_us = round(_CARD_S * US_PER_S)
            name = f"{group}-{episode}"
            yield _drawn(name, group, SAME_SERIES, shots, content_us=content_us, copied=episode == 0)


def _worlds(numbers: range) -> Iterator[Original]:
    """A clip of the built-in world, and others with the same background to the grain: another thing, another motion."""
    for number in numbers:
        group, rng = f"world-{number:02d}", seeded("copies", number)
        factors, length_s = draw_factors(rng), 5.0
        other = changed(changed(factors, "shape", rng), "colour", rng)
        motion = changed(changed(factors, "direction", rng), "rotation", rng)
        for role, shown in ((MAIN, factors), (SAME_BACKGROUND, other), (OTHER_ACTION, motion)):
            shot = WorldShot(factors=shown, look=number, length_s=length_s)
            yield _drawn(f"{group}-{role}", group, role, ((shot, length_s),), copied=role == MAIN)


def _flats(numbers: range) -> Iterator[Original]:
    """Strangers that show little: one colour, a title, a photograph, or one of the first two before a scene."""
    for number in numbers:
        rng = seeded("flat", number)
        colour = Flat(colour=_COLOURS[number % len(_COLOURS)], noisy=number if number % 2 else None)
        title = Card(text=_TITLES[number % len(_TITLES)], size_px=30 + number % 4 * 6)
        scene = Scene(place=3000 + number, person=3000 + number, action=3000 + number)
        length_s = round(4 + 2 * rng.random(), 2)
        sorts: tuple[Shots, ...] = (
            ((colour, length_s),),
            ((title, length_s),),
            ((Still(scene=scene), length_s),),
            ((colour, 2.0), (scene, 3.0)),
            ((title, 2.0), (scene, 3.0)),
        )
        name = f"flat-{number:02d}"
        yield _drawn(name, name, FLAT, sorts[number % len(sorts)], copied=False)
