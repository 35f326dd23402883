from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.edges import EDGES, BadEdges, check_edges, ordered, strongest

A, B, C = "a" * 64, "b" * 64, "c" * 64

Row = tuple[str, str, str, int, int | None]


def edges(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=EDGES, orient="row")


def test_the_smaller_node_comes_first_and_the_offset_turns_with_it() -> None:
    found = ordered(edges((B, A, "overlap", 9_000, 250), (A, C, "semantic", 9_100, None), (C, B, "perceptual", 1, -3)))
    assert found.rows() == [(A, B, "overlap", 9_000, -250), (A, C, "semantic", 9_100, None), (B, C, "perceptual", 1, 3)]
    assert found.schema == EDGES


def test_an_edge_of_a_node_with_itself_goes() -> None:
    assert ordered(edges((A, A, "overlap", 9_000, 0))).rows() == []


STRONGEST: dict[str, tuple[list[Row], Row]] = {
    "the higher similarity": ([(A, B, "overlap", 9_000, 0), (A, B, "overlap", 9_001, 700)], (9_001, 700)),
    "then the smaller offset, whatever its sign": (
        [(A, B, "overlap", 9_000, 300), (A, B, "overlap", 9_000, -250)],
        (9_000, -250),
    ),
    "then the offset": ([(A, B, "overlap", 9_000, 250), (A, B, "overlap", 9_000, -250)], (9_000, -250)),
    "an offset before none": ([(A, B, "overlap", 9_000, None), (A, B, "overlap", 9_000, 9_999)], (9_000, 9_999)),
    "turned edges are the same edge": ([(A, B, "overlap", 8_000, 9), (B, A, "overlap", 9_000, 9)], (9_000, -9)),
}


@pytest.mark.parametrize("case", STRONGEST)
def test_one_row_of_each_pair_and_kind_is_left(case: str) -> None:
    rows, (similarity, offset) = STRONGEST[case]
    for order in (rows, rows[::-1]):
        assert strongest([edges(*order)]).rows() == [(A, B, "overlap", similarity, offset)]
        assert strongest([edges(row) for row in order]).rows() == [(A, B, "overlap", similarity, offset)]


def test_kinds_stand_beside_each_other_and_rows_are_sorted() -> None:
    found = strongest([edges((C, A, "overlap", 1, 0), (A, B, "semantic", 9_000, None)), edges((A, B, "overlap", 2, 0))])
    assert found.rows() == [(A, B, "overlap", 2, 0), (A, B, "semantic", 9_000, None), (A, C, "overlap", 1, 0)]
    assert strongest([]).rows() == []


row_of = st.tuples(
    st.sampled_from([A, B, C]),
    st.sampled_from([A, B, C]),
    st.sampled_from(["overlap", "semantic"]),
    st.integers(1, 3),
    st.sampled_from([None, -2, -1, 0, 1, 2]),
)


@settings(deadline=None)
@given(st.lists(row_of, max_size=12), st.randoms(use_true_random=False), st.integers(0, 12))
def test_neither_order_nor_split_matters(rows: list[Row], shuffle, split: int) -> None:
    expected = strongest([edges(*rows)])
    shuffle.shuffle(rows)
    assert strongest([edges(*rows[:split]), edges(*rows[split:])]).equals(expected)
    check_edges(expected, "here")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((B, A, "overlap", 9_000, 0), "the smaller one in a"),
        ((A, A, "overlap", 9_000, 0), "the smaller one in a"),
        (("a", B, "overlap", 9_000, 0), "two digests of 64 hexadecimal"),
        ((A.upper(), B, "overlap", 9_000, 0), "two digests of 64 hexadecimal"),
        ((None, B, "overlap", 9_000, 0), "two digests of 64 hexadecimal"),
        ((A, B, "exact", 9_000, 0), "kind is one of overlap, perceptual, semantic"),
        ((A, B, "overlap", 0, 0), "similarity_1e4 is from 1 to 10000"),
        ((A, B, "overlap", 10_001, 0), "similarity_1e4 is from 1 to 10000"),
        ((A, B, "overlap", None, 0), "similarity_1e4 is from 1 to 10000"),
    ],
)
def test_what_is_no_edge_is_refused(row: Row, message: str) -> None:
    with pytest.raises(BadEdges, match=message) as caught:
        check_edges(edges((A, B, "overlap", 10_000, None), row), "edges/7.arrow")
    assert str(caught.value).startswith("edges/7.arrow: 1 rows are no edges, the first is ")


def test_other_columns_are_refused() -> None:
    with pytest.raises(BadEdges, match="columns are"):
        check_edges(edges().drop("kind"), "here")
