"""Operating points and counts, on pairs written out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.copies.evaluate import LEFT_OUT, TWO_COPIES, Tally, fill_sheet, make_split, points_of
from benchmarks.copies.peers import Found, near_hashes, semdedup
from benchmarks.copies.points import Point, balanced_point, choose_point, ratio, wilson
from benchmarks.copies.records import Base, Clip, Piece
from benchmarks.copies.report import markdown, summary
from benchmarks.copies.truth import MAIN, SECONDS_LATER, STRANGE

S = 1_000_000


@pytest.mark.parametrize(
    ("similarities", "true", "all_true", "precision", "expected"),
    [
        # the lowest threshold that is still precise enough, and not the one after it
        ([90, 80, 70, 60], [1, 1, 1, 0], 4, 0.99, Point(70, True, 0.75, 1.0)),
        # of two with the same recall, the higher one
        ([90, 80, 70, 60], [1, 1, 1, 0], 4, 0.75, Point(70, True, 0.75, 1.0)),
        # a false pair above true ones does not end the search
        ([95, 90, 80, 70, 60], [0, 1, 1, 1, 1], 4, 0.8, Point(60, True, 1.0, 0.8)),
        # pairs of one similarity are joined together or not at all
        ([90, 80, 80], [1, 1, 0], 2, 0.99, Point(90, True, 0.5, 1.0)),
        # not to be had: the most precise one, and of these the one that finds most
        ([90, 80, 70], [0, 1, 0], 1, 0.99, Point(80, False, 1.0, 0.5)),
        ([], [], 3, 0.99, Point(10_000, False, 0.0, 1.0)),
    ],
)
def test_the_threshold_has_the_highest_recall_at_the_wanted_precision(
    similarities: list[int], true: list[int], all_true: int, precision: float, expected: Point
) -> None:
    shuffled = np.random.default_rng(1).permutation(len(similarities))
    found = choose_point(
        np.array(similarities, np.int64)[shuffled], np.array(true, bool)[shuffled], all_true, precision
    )
    assert found == expected


def test_shares() -> None:
    assert ratio(1, 4) == 0.25
    assert ratio(0, 0) == 1.0
    assert Tally(pairs=8, joined=6, wrong=2).share == 0.75
    assert Tally(pairs=8, joined=6, wrong=2).precision == 0.75
    assert [round(end, 4) for end in wilson(9, 10)] == [0.5958, 0.9821]
    assert wilson(0, 0) == (0.0, 1.0)


BASES = [
    Base(base_id="f@0", video="f", group="f", role=MAIN, split="test", start_us=0, end_us=4 * S),
    Base(base_id="f@6", video="f", group="f", role=MAIN, split="test", start_us=6 * S, end_us=10 * S),
    Base(base_id="g@0", video="g", group="g", role=MAIN, split="test", start_us=0, end_us=4 * S),
]


def clip(base_id: str, kind: str, start: int, end: int) -> Clip:
    name = f"{base_id}~{kind}"
    piece = Piece(base_id=base_id, start_us=start * S, end_us=end * S)
    return Clip(clip_id=name, base_id=base_id, kind=kind, split="test", file=name, pieces=(piece,))


CLIPS = [
    clip("f@0", "base", 0, 4),
    clip("f@0", "crf_40", 0, 4),
    clip("f@0", "mirror", 0, 4),
    clip("f@6", "base", 6, 10),
    clip("f@6", "crf_40", 6, 10),
    clip("g@0", "base", 0, 4),
    clip("f@0", "shift_500ms", 3, 7),
]
FOUND = Found(
    rows=np.array([0, 0, 0, 1, 1, 3, 2, 0]),
    columns=np.array([1, 3, 4, 2, 3, 5, 5, 6]),
    similarity_1e4=np.array([9000, 8000, 7000, 6000, 5000, 4000, 9500, 9900]),
)


def test_pairs_are_counted_by_what_they_are() -> None:
    split = make_split("test", CLIPS, BASES)
    assert split.places(Found(split.rows, split.columns, split.rows)).tolist() == list(range(21))
    assert summary(split) == {
        "clips": 7,
        # f@0 with its two copies, f@6 with its one; the shift shares 1 s of 4 with either
        "true_pairs": 3,
        # base with base, and each base with the other's copies: f@0 with 1, f@6 with 2
        "hard_negative_pairs": 4,
        "stranger_pairs": 6,
        "left_out_pairs": 2,
        "two_copies_pairs": 1,
    }
    point = Point(4000, True, 1.0, 1.0)
    real = {"f@0": True, "f@6": True, "g@0": False}
    sheet = fill_sheet("ours", split, FOUND, point, real)
    assert sheet.copies["crf_40"] == Tally(pairs=2, joined=1, wrong=2)
    assert sheet.copies["mirror"] == Tally(pairs=1, joined=0, wrong=1)
    # two unchanged clips joined count against a group of kinds: f@0 with f@6, f@6 with g@0
    assert sheet.copies["promised"] == Tally(pairs=2, joined=1, wrong=4)
    assert sheet.copies["all"] == Tally(pairs=3, joined=1, wrong=5)
    assert sheet.copies["real"] == Tally(pairs=2, joined=1, wrong=3)
    assert sheet.copies["drawn"] == Tally(pairs=0, joined=0, wrong=0)
    assert sheet.copies[TWO_COPIES] == Tally(pairs=1, joined=1, wrong=0)
    # a pair that is left out is neither right nor wrong
    assert sheet.negatives[SECONDS_LATER] == Tally(pairs=4, joined=3)
    assert sheet.negatives[STRANGE] == Tally(pairs=6, joined=2)
    assert sheet.negatives[LEFT_OUT] == Tally(pairs=2, joined=1)
    assert sheet.missed == [("f@6~base", "f@6~crf_40", None)]
    assert [pair[2] for pair in sheet.wrong] == [9500, 8000, 7000, 5000, 4000]
    assert "| `crf_40` (promised) | 2 | 50.0 % / 33.3 % |" in markdown([sheet])


def test_points_are_of_counted_pairs_only() -> None:
    split = make_split("test", CLIPS, BASES)
    # of the counted ones 9500 is false and 9000 true: half of those joined at 9000 are true
    precise, balanced = points_of(split, FOUND, 0.5)
    assert precise == balanced == Point(9000, True, 1 / 3, 0.5)
    assert points_of(split, FOUND, 0.99)[0] == Point(9000, False, 1 / 3, 0.5)


def test_a_method_that_decides_by_itself_joins_all_it_finds() -> None:
    split = make_split("test", CLIPS, BASES)
    found = Found(np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([100, 200, 300]), fixed=True)
    point = Point(0, False, 2 / 3, 2 / 3)
    assert points_of(split, found, 0.99) == (point, point)
    assert points_of(split, found, 0.6)[0].reached
    sheet = fill_sheet("ours", split, found, point, {"f@0": True, "f@6": True, "g@0": True})
    assert (sheet.copies["all"].joined, sheet.copies["all"].wrong) == (2, 1)
    assert "| as it comes |" in markdown([sheet])


def test_the_balanced_point_has_the_highest_f1() -> None:
    similarities, true = np.array([90, 80, 70, 60, 50]), np.array([1, 0, 1, 1, 0], bool)
    # F1: 0.4, 0.33, 0.57, 0.75, 0.67
    assert balanced_point(similarities, true, 4) == Point(60, True, 0.75, 0.75)
    assert balanced_point(similarities[:0], true[:0], 4) == Point(10_000, False, 0.0, 1.0)


def test_hashes_are_compared_all_with_all() -> None:
    bits = np.zeros((3, 64), bool)
    bits[1, :16] = True
    bits[2, :41] = True
    found = near_hashes(bits, "")
    assert list(zip(found.rows, found.columns, found.similarity_1e4, strict=True)) == [(0, 1, 7500)]


def test_semdedup_compares_inside_cells() -> None:
    rng = np.random.default_rng(0)
    heaps = np.repeat(np.eye(4, 16, dtype=np.float32), 60, axis=0) + rng.normal(0, 0.02, (240, 16)).astype(np.float32)
    vectors = heaps / np.linalg.norm(heaps, axis=1, keepdims=True)
    found = semdedup(vectors)
    assert (found.rows < found.columns).all()
    assert (found.similarity_1e4 > 9_000).all()
    assert len(found.rows) < 4 * 60 * 59 // 2 + 1
