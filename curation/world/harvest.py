"""What a source says about a clip: right texts, texts of other clips, and talk about nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from curation.world.factors import Factors, agree
from curation.world.records import PlannedText, WorldClip, WorldText
from curation.world.sources import Harvest, Track
from curation.world.texts import STYLES, Phrase, filler

MAX_SHIFT_US = 1_200_000
"""How far speech runs ahead of or behind the picture, at most."""

_TRIES = 40


@dataclass(frozen=True)
class Surroundings:
    """Where wrong texts can come from: the clips of the same video, and those of the whole world."""

    video: Sequence[WorldClip]
    world: Sequence[Factors]


def _span(rng: random.Random, clip: WorldClip, part: int, parts: int) -> tuple[int, int]:
    """The span of one of `parts` utterances, shifted against the clip; microseconds, half-open, never negative."""
    length_us = (clip.end_us - clip.start_us) // parts
    shift_us = int((2 * rng.random() - 1) * MAX_SHIFT_US)
    start_us = max(0, clip.start_us + part * length_us + shift_us)
    return start_us, start_us + length_us


def _wrong_phrase(
    rng: random.Random, style: str, motion: bool, pool: Sequence[Factors], clip: WorldClip
) -> Phrase | None:
    """A phrase about another clip that is untrue of this one, or None where the pool has no such clip."""
    for _ in range(_TRIES):
        other = pool[int(rng.random() * len(pool))]
        phrase = STYLES[style](rng, other, motion)
        if not agree(other, clip.factors, phrase.names):
            return phrase
    return None


def _phrase(
    rng: random.Random, clip: WorldClip, track: Track, harvest: Harvest, around: Surroundings
) -> tuple[str, Phrase]:
    motion = rng.random() < harvest.motion_rate
    chance = rng.random()
    if chance < harvest.empty_rate:
        return "nothing", filler(rng, clip.factors, motion)
    if chance < harvest.empty_rate + harvest.wrong_rate:
        near = [other.factors for other in around.video if other.start_us != clip.start_us]
        for pool in (near if harvest.neighbours else [], around.world):
            phrase = _wrong_phrase(rng, track.style, motion, pool, clip) if pool else None
            if phrase is not None:
                return "other", phrase
    return "clip", STYLES[track.style](rng, clip.factors, motion)


def _track_texts(
    rng: random.Random, clip: WorldClip, track: Track, harvest: Harvest, around: Surroundings
) -> list[PlannedText]:
    low, high = track.per_clip
    count = low + int(rng.random() * (high - low + 1))
    texts: list[PlannedText] = []
    for number in range(count):
        about, phrase = _phrase(rng, clip, track, harvest, around)
        start_us, end_us = _span(rng, clip, number, count) if track.own_span else (None, None)
        text = WorldText(track.kind, phrase.text, start_us, end_us)
        if any(text == earlier.text for earlier in texts):
            continue
        row = len(texts) if track.new_row else 0
        texts.append(PlannedText(text=text, about=about, names=phrase.names, row=row))
    return texts


def harvested(rng: random.Random, clip: WorldClip, harvest: Harvest, around: Surroundings) -> tuple[PlannedText, ...]:
    """The texts that one harvesting method has for one clip; no text twice."""
    return tuple(text for track in harvest.tracks for text in _track_texts(rng, clip, track, harvest, around))
