from __future__ import annotations

import itertools
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.components import label_components
from curation.duplicates.edges import check_edges
from curation.duplicates.overlap import SPANS, OverlapOptions, next_pairs, overlap_edges, spanning_pairs

S = 1_000_000
HALF = OverlapOptions(min_share_1e4=5_000)

Span = tuple[str, int | None, int | None, int, str]


def node(name: object) -> str:
    return f"{name:>064}"


def spans(*rows: Span) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SPANS, orient="row")


def found(*rows: Span, options: OverlapOptions = HALF) -> list[tuple[str, str, int, int]]:
    edges = overlap_edges(spans(*rows), options).edges
    check_edges(edges, "here")
    assert set(edges["kind"]) <= {"overlap"}
    names = edges.with_columns(pl.col("a", "b").str.strip_chars_start("0"))
    return names.select("a", "b", "similarity_1e4", "offset_ms").rows()


CASES: dict[str, tuple[list[Span], list[tuple[str, str, int, int]]]] = {
    "spans that touch share nothing": ([("v", 0, 2 * S, 0, node("a")), ("v", 2 * S, 4 * S, 0, node("b"))], []),
    "half of the shorter one is enough": (
        [("v", 0, 10 * S, 0, node("a")), ("v", 8 * S, 12 * S, 0, node("b"))],
        [("a", "b", 5_000, 8_000)],
    ),
    "a microsecond less is not": ([("v", 0, 10 * S, 0, node("a")), ("v", 8 * S + 1, 12 * S + 1, 0, node("b"))], []),
    "a span inside another": (
        [("v", 0, 100 * S, 0, node("b")), ("v", 90 * S, 91 * S, 0, node("a"))],
        [("a", "b", 10_000, -90_000)],
    ),
    "equal spans, shown differently": (
        [("v", 3 * S, 5 * S, 0, node("a")), ("v", 3 * S, 5 * S, 0, node("b")), ("v", 3 * S, 5 * S, 0, node("c"))],
        [("a", "b", 10_000, 0), ("a", "c", 10_000, 0), ("b", "c", 10_000, 0)],
    ),
    "equal spans that show the same are one node": (
        [("v", 3 * S, 5 * S, 0, node("a")), ("v", 3 * S, 5 * S, 9, node("a"))],
        [],
    ),
    "no start is the video's start": (
        [("v", None, 2 * S, 7 * S, node("a")), ("v", 0, 2 * S, 2 * S, node("b"))],
        [("a", "b", 10_000, 0)],
    ),
    "no end lies the duration after the start": (
        [
            ("v", 4 * S, None, 2 * S, node("a")),
            ("v", 5 * S, 7 * S, 2 * S, node("b")),
            ("v", 6 * S, 7 * S, S, node("c")),
        ],
        [("a", "b", 5_000, 1_000), ("b", "c", 10_000, 1_000)],
    ),
    "neither start nor end": (
        [("v", None, None, 60 * S, node("a")), ("v", 58 * S, 62 * S, 4 * S, node("b"))],
        [("a", "b", 5_000, 58_000)],
    ),
    "other videos never meet": ([("v", 0, 2 * S, 0, node("a")), ("w", 0, 2 * S, 0, node("b"))], []),
    "shares are rounded down, offsets to the nearest": (
        [("v", 0, 3 * S, 0, node("a")), ("v", S - 500, 4 * S - 500, 0, node("b"))],
        [("a", "b", 6_668, 1_000)],
    ),
    "of two pairs of the same nodes the nearer": (
        [("v", 0, 4 * S, 0, node("a")), ("v", S, 5 * S, 0, node("b")), ("v", 50, 4 * S + 50, 0, node("b"))],
        [("a", "b", 9_999, 0)],
    ),
    "none": ([], []),
}


@pytest.mark.parametrize("case", CASES)
def test_which_spans_are_joined(case: str) -> None:
    rows, expected = CASES[case]
    assert found(*rows) == expected
    assert found(*rows[::-1]) == expected


def naive(rows: list[Span], min_share_1e4: int) -> dict[tuple[str, str], int]:
    """Return (a, b) -> similarity of all pairs, told span by span."""
    edges: dict[tuple[str, str], int] = {}
    for (video, start, end, _, one), (other_video, other_start, other_end, _, other) in itertools.combinations(rows, 2):
        assert None not in (start, end, other_start, other_end)
        shared = min(end, other_end) - max(start, other_start)
        share = shared * 10_000 // min(end - start, other_end - other_start)
        if video == other_video and one != other and share >= min_share_1e4:
            pair = (min(one, other), max(one, other))
            edges[pair] = max(edges.get(pair, 0), share)
    return edges


span_of = st.tuples(st.sampled_from("vw"), st.integers(0, 40), st.integers(1, 30), st.integers(0, 60)).map(
    lambda own: (own[0], own[1], own[1] + own[2], own[2], node(own[3]))
)
shares_of = st.sampled_from([1, 3_000, 5_000, 9_000, 10_000])


@settings(deadline=None)
@given(st.lists(span_of, max_size=30), shares_of)
def test_all_pairs_are_found_where_no_video_is_capped(rows: list[Span], share: int) -> None:
    result = overlap_edges(spans(*rows), OverlapOptions(min_share_1e4=share, max_neighbours=1_000))
    assert {(a, b): similarity for a, b, _, similarity, _ in result.edges.rows()} == naive(rows, share)
    assert (result.videos_capped, result.pairs_skipped) == (0, 0)


@settings(max_examples=300, deadline=None)
@given(st.lists(span_of, min_size=1, max_size=40), shares_of, st.integers(1, 3))
def test_a_capped_video_has_the_groups_that_all_pairs_would_make(rows: list[Span], share: int, neighbours: int) -> None:
    whole = naive(rows, share)
    result = overlap_edges(spans(*rows), OverlapOptions(min_share_1e4=share, max_neighbours=neighbours))
    for a, b, _, similarity, _ in result.edges.rows():
        assert share <= similarity <= whole[a, b]
    frame = pl.DataFrame(list(whole), schema={"a": pl.String, "b": pl.String}, orient="row")
    assert label_components([result.edges]).equals(label_components([frame]))
    assert result.edges.height <= len(rows) * (neighbours + 3)
    if not result.videos_capped:
        assert result.edges.height == len(whole)


@settings(max_examples=300, deadline=None)
@given(st.lists(span_of, min_size=1, max_size=40, unique_by=lambda row: row[4]), shares_of)
def test_pivots_alone_join_what_all_pairs_join(rows: list[Span], share: int) -> None:
    own = sorted((start, end, name) for _, start, end, _, name in rows)
    whole = naive([("v", start, end, 0, name) for start, end, name in own], share)
    left, right = spanning_pairs(np.array([row[0] for row in own]), np.array([row[1] for row in own]), share)
    pairs = {tuple(sorted((own[a][2], own[b][2]))) for a, b in zip(left, right, strict=True)}
    assert pairs <= set(whole) and len(left) <= 3 * len(rows)
    schema = {"a": pl.String, "b": pl.String}
    graphs = [pl.DataFrame(list(edges), schema=schema, orient="row") for edges in (pairs, whole)]
    assert label_components(graphs[:1]).equals(label_components(graphs[1:]))


def test_ten_thousand_spans_on_each_other_stay_linear_and_one_group() -> None:
    rows = [("v", number, 10**7 + number * 2, 0, node(number)) for number in range(10_000)]
    rows += [("w", 0, S, 0, node("a")), ("w", 0, S, 0, node("b"))]
    result = overlap_edges(spans(*rows), HALF)
    assert (result.videos_capped, result.pairs_skipped) == (1, 10_000 * 9_999 // 2 - (10_000 * 64 - 64 * 65 // 2))
    assert result.edges.height <= 10_001 * 67
    assert label_components([result.edges])["label"].unique().sort().to_list() == [node(0), node("a")]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 100])
def test_blocks_of_any_size_hold_the_same_pairs(block: int) -> None:
    blocks = list(next_pairs(np.array([2, 0, 3, 0, 1, 0]), block))
    pairs = [(int(a), int(b)) for left, right in blocks for a, b in zip(left, right, strict=True)]
    assert pairs == [(0, 1), (0, 2), (2, 3), (2, 4), (2, 5), (4, 5)]
    assert max(len(left) for left, _ in blocks) <= max(block, 3)


@pytest.mark.parametrize("row", [("v", 5, 5, 0, node("a")), ("v", 0, None, 0, node("a")), (None, 0, 1, 1, node("a"))])
def test_what_is_no_span_is_refused(row: Span) -> None:
    with pytest.raises(ValueError, match="1 spans are none, the first is"):
        overlap_edges(spans(("v", 0, 1, 1, node("b")), row), HALF)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_share_1e4": 0}, "min_share_1e4 is 0; allowed 1 to 10000"),
        ({"min_share_1e4": 10_001}, "min_share_1e4 is 10001; allowed 1 to 10000"),
        ({"min_share_1e4": 1, "max_neighbours": 0}, "max_neighbours is 0; allowed 1 or more"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        OverlapOptions(**options)
