"""One harness for every table that adds up: any split, any order, nothing at all, compact."""

from __future__ import annotations

import random
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.judging.sums import AnyTable, SumTable, pack, shares, unpack
from curation.judging.tables import EXAMPLES, TABLES, YIELDS
from pipelines.combiners import AddUp, parts

VALUES = {pl.String: st.sampled_from(["a", "b", None]), pl.Int32: st.sampled_from([-1, 0, 7, None])}
VALUES[pl.Int64] = VALUES[pl.Int32]
NUMBERS = st.integers(-(2**40), 2**40)


def rows_of(table: AnyTable) -> st.SearchStrategy[list[dict]]:
    columns = {name: VALUES[kind] for name, kind in table.keys.items()}
    if isinstance(table, SumTable):
        columns |= dict.fromkeys((*table.sums, *table.minima, *table.maxima), NUMBERS)
    else:
        columns |= {table.order: st.text("abc", min_size=1, max_size=3)}
        columns |= {name: VALUES[kind] for name, kind in table.columns.items()}
    return st.lists(st.fixed_dictionaries(columns), max_size=25)


def frame(table: AnyTable, rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=table.schema, orient="row")


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data(), order=st.randoms(use_true_random=False))
def test_any_split_in_any_order_comes_to_the_same(name: str, data: st.DataObject, order: random.Random) -> None:
    table = TABLES[name]
    rows = data.draw(rows_of(table))
    whole = table.add_up([frame(table, rows)])
    shuffled = order.sample(rows, len(rows))
    cut = data.draw(st.integers(0, len(rows)))
    pieces = [table.add_up([frame(table, piece)]) for piece in (shuffled[:cut], [], shuffled[cut:])]
    assert table.add_up(pieces).equals(whole)
    assert table.add_up([whole]).equals(whole), "what is compact stays as it is"


@pytest.mark.parametrize("name", TABLES)
def test_nothing_adds_up_to_an_empty_table(name: str) -> None:
    assert TABLES[name].add_up([]).equals(TABLES[name].schema.to_frame())


@given(rows=rows_of(YIELDS), order=st.randoms(use_true_random=False), cut=st.integers(0, 40))
def test_the_combiner_adds_up_as_the_table_does(rows: list[dict], order: random.Random, cut: int) -> None:
    combine = AddUp()
    whole = YIELDS.add_up([frame(YIELDS, rows)])
    told = [pair for row in order.sample(rows, len(rows)) for pair in parts("yields", frame(YIELDS, [row]))]
    sums: dict[str, list] = defaultdict(lambda: [combine.create_accumulator(), combine.create_accumulator()])
    for place, (key, piece) in enumerate(told):
        own = sums[key]
        own[place >= cut] = combine.add_input(own[place >= cut], piece)
    found = [combine.extract_output(combine.merge_accumulators(own)) for own in sums.values()]
    assert YIELDS.add_up(unpack(data) for _, data in found).equals(whole)
    assert combine.extract_output(combine.create_accumulator()) is None


def test_sums_by_hand() -> None:
    rows = [
        {
            "source": "a",
            "bin": None,
            "clips": 1,
            "duration_us": 2,
            "media_bytes": 3,
            "held_rule_clips": 0,
            "held_duplicate_clips": 0,
        },
        {
            "source": "a",
            "bin": 5,
            "clips": 1,
            "duration_us": 2,
            "media_bytes": 3,
            "held_rule_clips": 1,
            "held_duplicate_clips": 0,
        },
        {
            "source": "a",
            "bin": 5,
            "clips": 2,
            "duration_us": 2,
            "media_bytes": 3,
            "held_rule_clips": 0,
            "held_duplicate_clips": 4,
        },
    ]
    assert YIELDS.add_up([frame(YIELDS, rows)]).rows() == [("a", None, 1, 2, 3, 0, 0), ("a", 5, 3, 4, 6, 1, 4)]


def test_the_first_rows_by_order_are_kept() -> None:
    blank = dict.fromkeys(EXAMPLES.columns)
    rows = [{"source": "a", "place": "bin", "bin": 3, "order": letter, **blank} for letter in "gbfaec"]
    assert EXAMPLES.add_up([frame(EXAMPLES, rows)])["order"].to_list() == ["a", "b", "c", "e"]


def test_shares_hold_every_row_once() -> None:
    rows = frame(YIELDS, [{"source": name, "bin": 1, **dict.fromkeys(YIELDS.sums, 1)} for name in "aab"])
    found = dict(shares(YIELDS, rows))
    assert {key: part.height for key, part in found.items()} == {("yields", "a"): 2, ("yields", "b"): 1}
    assert unpack(pack(rows)).equals(rows)
