"""Which pairs of planted clips are copies, which are hard negatives, which are strangers, and which are left out.

The rule. Content is time of a video that a clip shows; the overlap of two clips is the video time that both show, and
the share is the overlap over the content of the clip that has less. A pair is

- **true** where the share is one half or more,
- **left out** where it is above 0 and under one half, or where no time is shared but pieces of both show two spans of
  one video with the same picture all the time (`Base.same_picture`),
- **hard** where nothing is shared, but both are of one video, of one group, or both flat (`HARD_KINDS`),
- **strange** otherwise.

Only pairs of one split are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.copies.records import Base, Clip, Piece

MAIN = "main"
SECONDS_LATER = "seconds_later"
SAME_SERIES, SAME_BACKGROUND, OTHER_PERSON, OTHER_ACTION, FLAT = (
    "same_series",
    "same_background",
    "other_person",
    "other_action",
    "flat",
)
HARD_KINDS = (SECONDS_LATER, SAME_SERIES, SAME_BACKGROUND, OTHER_PERSON, OTHER_ACTION, FLAT)
"""Spans of one video that do not touch; episodes of one series with the same title card; one place and camera with
another thing in it; one place and action with another person; one place and person with another action; black, white,
title and still pictures of strangers. All but the first are also the roles of videos in groups, beside `main`."""
TRUE, LEFT_OUT, STRANGE = "true", "left_out", "strange"


@dataclass(frozen=True)
class Relations:
    """All pairs of `n` clips that are not strange to each other; row < column.

    Attributes:
        clips: n.
        keys: int64, sorted: row * n + column.
        relations: of those pairs; TRUE, LEFT_OUT or one of HARD_KINDS.
    """

    clips: int
    keys: NDArray[np.int64]
    relations: NDArray[np.str_]

    def of(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the relation of each pair (row < column), STRANGE for those not held."""
        wanted = rows * self.clips + columns
        place = np.searchsorted(self.keys, wanted)
        held = place < len(self.keys)
        held[held] = self.keys[place[held]] == wanted[held]
        found = np.full(len(wanted), STRANGE, dtype=self.relations.dtype)
        found[held] = self.relations[place[held]]
        return found


def overlap_us(first: Clip, second: Clip, bases: Mapping[str, Base]) -> int:
    """Return the video time that both show."""
    total = 0
    for one in first.pieces:
        for other in second.pieces:
            if bases[one.base_id].video == bases[other.base_id].video:
                total += max(0, min(one.end_us, other.end_us) - max(one.start_us, other.start_us))
    return total


def relation(first: Clip, second: Clip, bases: Mapping[str, Base]) -> str:
    """Return the relation of two clips by the rule above."""
    shared = overlap_us(first, second, bases)
    if shared:
        return TRUE if 2 * shared >= min(first.content_us, second.content_us) else LEFT_OUT
    kinds = {_piece_relation(one, other, bases) for one in first.pieces for other in second.pieces}
    return next((kind for kind in (LEFT_OUT, *HARD_KINDS) if kind in kinds), STRANGE)


def _piece_relation(one: Piece, other: Piece, bases: Mapping[str, Base]) -> str:
    """Return how two pieces that share no time are related."""
    first, second = bases[one.base_id], bases[other.base_id]
    if first.video == second.video:
        return LEFT_OUT if second.base_id in first.same_picture else SECONDS_LATER
    if first.group == second.group:
        roles = {first.role, second.role} - {MAIN}
        # two videos of one group that differ from its main one in different ways still have the place in common
        return roles.pop() if len(roles) == 1 else SAME_BACKGROUND
    return FLAT if first.role == second.role == FLAT else STRANGE


def relations(clips: Sequence[Clip], bases: Sequence[Base]) -> Relations:
    """Return all pairs of the clips, which are of one split, that are not strange to each other."""
    by_id = {base.base_id: base for base in bases}
    members: dict[str, set[int]] = defaultdict(set)
    for number, clip in enumerate(clips):
        for piece in clip.pieces:
            base = by_id[piece.base_id]
            # flat videos have groups of their own, and stand to each other as if they had one
            members[FLAT if base.role == FLAT else base.group].add(number)
    pairs = {pair for group in members.values() for pair in combinations(sorted(group), 2)}
    found = {}
    for row, column in sorted(pairs):
        kind = relation(clips[row], clips[column], by_id)
        if kind != STRANGE:
            found[row * len(clips) + column] = kind
    return Relations(
        clips=len(clips), keys=np.array(list(found), np.int64), relations=np.array(list(found.values()), dtype="U16")
    )
