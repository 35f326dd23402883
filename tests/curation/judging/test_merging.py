from __future__ import annotations

import polars as pl

from curation.judging.merging import merge_tellings, rows_of, split_told
from curation.judging.repeats import id_numbers
from tests.curation.judging.frames import group_rows, text, told

ONE = told("a", text("x", 1), text("y", 2), unit="u1", media_bytes=7)
OTHER = told("a", text("y", 9), text("z", 3), unit="u2", media_bytes=8)
ALONE = told("b", text("w", 4), unit="u1")
NUMBERS = id_numbers(pl.Series(["a" * 26]))


def test_a_sample_is_taken_out_with_its_texts() -> None:
    rows, tellings = split_told(group_rows([ONE, ALONE, OTHER]), NUMBERS)
    assert rows.samples["sample_id"].to_list() == ["b" * 26]
    assert rows.pairs["text_id"].to_list() == ["w"]
    assert [(sample, telling.unit, len(telling.pairs)) for sample, telling in tellings] == [
        ("a" * 26, "u1", 2),
        ("a" * 26, "u2", 2),
    ]


def test_a_sample_without_texts_is_told_too() -> None:
    _, tellings = split_told(group_rows([told("a")]), NUMBERS)
    assert [telling.pairs for _, telling in tellings] == [()]


def test_the_smaller_unit_gives_the_facts_and_each_text_stands_once() -> None:
    _, told_twice = split_told(group_rows([OTHER, ONE]), NUMBERS)
    for order in (told_twice, told_twice[::-1]):
        rows = rows_of([merge_tellings([telling for _, telling in order])])
        assert rows.samples.select("unit", "media_bytes").rows() == [("u1", 7)]
        assert rows.pairs.select("text_id", "mean").rows() == [("x", 1), ("y", 2), ("z", 3)]


def test_rows_come_by_sample_in_the_form_in_which_they_were_read() -> None:
    whole = group_rows([ALONE, ONE])
    _, tellings = split_told(whole, id_numbers(pl.Series(["a" * 26, "b" * 26])))
    rows = rows_of([telling for _, telling in tellings])
    assert rows.samples.equals(whole.samples.sort("sample_id"))
    assert rows.pairs.equals(whole.pairs.sort("sample_id", "text_id"))
    assert (rows.samples.schema, rows.pairs.schema) == (whole.samples.schema, whole.pairs.schema)
