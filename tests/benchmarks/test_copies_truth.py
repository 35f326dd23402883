"""The truth of planted pairs: what is a copy, what a hard negative, what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.copies.records import Base, Clip, Piece
from benchmarks.copies.truth import (
    FLAT,
    LEFT_OUT,
    MAIN,
    OTHER_ACTION,
    OTHER_PERSON,
    SAME_BACKGROUND,
    SAME_SERIES,
    SECONDS_LATER,
    STRANGE,
    TRUE,
    relation,
    relations,
)

S = 1_000_000


def base(base_id: str, video: str, group: str = "", role: str = MAIN, same: tuple[str, ...] = ()) -> Base:
    return Base(
        base_id=base_id,
        video=video,
        group=group or video,
        role=role,
        split="tune",
        start_us=0,
        end_us=6 * S,
        same_picture=same,
    )


BASES = {
    found.base_id: found
    for found in (
        base("film@0", "film"),
        base("film@9", "film"),
        base("other@0", "other"),
        base("slides@0", "slides", same=("slides@9",)),
        base("slides@9", "slides", same=("slides@0",)),
        base("room@0", "room", "g"),
        base("room-thing@0", "room-thing", "g", SAME_BACKGROUND),
        base("room-person@0", "room-person", "g", OTHER_PERSON),
        base("room-action@0", "room-action", "g", OTHER_ACTION),
        base("show-0@0", "show-0", "show", SAME_SERIES),
        base("show-1@0", "show-1", "show", SAME_SERIES),
        base("black@0", "black", role=FLAT),
        base("white@0", "white", role=FLAT),
    )
}


def clip(*pieces: tuple[str, int, int], kind: str = "base") -> Clip:
    """A clip of (base, start s, end s) pieces."""
    shown = tuple(Piece(base_id=base_id, start_us=start * S, end_us=end * S) for base_id, start, end in pieces)
    name = "+".join(f"{base_id}:{start}-{end}" for base_id, start, end in pieces)
    return Clip(clip_id=name, base_id=pieces[0][0], kind=kind, split="tune", file=name, pieces=shown)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([("film@0", 0, 6)], [("film@0", 0, 6)], TRUE),
        ([("film@0", 0, 6)], [("film@0", 2, 5)], TRUE),
        # half of the shorter one, which has 4 s, and a little less
        ([("film@0", 0, 6)], [("film@0", 4, 8)], TRUE),
        ([("film@0", 0, 6)], [("film@9", 5, 8)], LEFT_OUT),
        ([("film@0", 0, 6)], [("film@9", 6, 12)], SECONDS_LATER),
        # joined with a stranger: all of the shorter one is in it
        ([("film@0", 0, 6)], [("film@0", 0, 6), ("other@0", 0, 6)], TRUE),
        ([("other@0", 0, 6)], [("film@0", 0, 6), ("other@0", 0, 6)], TRUE),
        ([("film@9", 9, 15)], [("film@0", 0, 6), ("other@0", 0, 6)], SECONDS_LATER),
        ([("film@0", 0, 6)], [("other@0", 0, 6)], STRANGE),
        ([("slides@0", 0, 6)], [("slides@9", 9, 15)], LEFT_OUT),
        ([("room@0", 0, 6)], [("room-thing@0", 0, 6)], SAME_BACKGROUND),
        ([("room@0", 0, 6)], [("room-person@0", 0, 6)], OTHER_PERSON),
        ([("room-action@0", 0, 6)], [("room@0", 0, 6)], OTHER_ACTION),
        ([("room-action@0", 0, 6)], [("room-person@0", 0, 6)], SAME_BACKGROUND),
        ([("show-0@0", 2, 6)], [("show-1@0", 2, 6)], SAME_SERIES),
        ([("black@0", 0, 6)], [("white@0", 0, 6)], FLAT),
        ([("black@0", 0, 6)], [("film@0", 0, 6)], STRANGE),
    ],
)
def test_a_pair_is_what_the_rule_says_either_way_round(
    first: list[tuple[str, int, int]], second: list[tuple[str, int, int]], expected: str
) -> None:
    assert relation(clip(*first), clip(*second), BASES) == expected
    assert relation(clip(*second), clip(*first), BASES) == expected


def test_all_pairs_are_those_found_one_by_one() -> None:
    clips = [clip((base_id, 0, 6)) for base_id in BASES]
    clips += [clip(("film@9", 9, 15)), clip(("film@9", 5, 8)), clip(("slides@9", 9, 15))]
    clips += [clip(("film@0", 1, 5), kind="trim_both"), clip(("film@0", 0, 6), ("show-1@0", 2, 6), kind="concat")]
    found = relations(clips, list(BASES.values()))
    rows, columns = np.triu_indices(len(clips), 1)
    expected = [relation(clips[row], clips[column], BASES) for row, column in zip(rows, columns, strict=True)]
    assert list(found.of(rows, columns)) == expected
    assert {TRUE, LEFT_OUT, STRANGE, SAME_SERIES, FLAT} <= set(expected)
