"""Tables and labels as frames, and frames as files that are harmless and read back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from dashboard_sample import source, statistics

from dashboard import tables
from dashboard.frames import label_frame, table_frame, write_frame
from schemas.config_file import ConfigError
from schemas.examples import Label

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")


def label(name: str, score: int, **changed: str) -> Label:
    facts = {"sample_id": name * 26, "source": "web", "text_id": "t" * 26, "scoring": "s" * 16, "aggregation": "mean"}
    return Label.model_validate({**facts, "verdict": "good", **changed, "score_1e4": score})


def test_a_table_keeps_its_numbers_and_what_is_missing() -> None:
    found = table_frame(tables.score_table(statistics()))
    assert found["source"].tolist() == ["stock", "web_alt", "VideoPrism"]
    assert (str(found["samples"].dtype), str(found["mean"].dtype)) == ("Int64", "Float64")
    assert found["samples"].tolist()[:2] == [10, 10] and found["samples"].isna().tolist() == [False, False, True]
    assert found["mean"].tolist()[0] == 0.251
    assert len(found.columns) == len(tables.score_table(statistics()).columns)


def test_sources_named_like_columns_do_not_get_lost() -> None:
    table = tables.reject_table(statistics(source("total"), source("stage")))
    found = table_frame(table)
    assert list(found.columns) == ["stage", "takes", "reason", "total", "total", "stage"]
    assert [tuple(row) for row in found.itertuples(index=False, name=None)] == list(table.rows)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula_in_csv(tmp_path: Path, text: str) -> None:
    hostile = statistics(source("web", licence=text))
    write_frame(table_frame(tables.score_table(hostile)), tmp_path / "scores.csv")
    read = pd.read_csv(tmp_path / "scores.csv")
    assert read["licence"].tolist()[0] == f"'{text}"
    assert read["mean"].tolist()[0] == 0.251


def test_numbers_below_nothing_stay_numbers(tmp_path: Path) -> None:
    write_frame(label_frame([label("a", -300)], {}), tmp_path / "labels.csv")
    assert pd.read_csv(tmp_path / "labels.csv")["score_1e4"].tolist() == [-300]


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_labels_read_back_with_what_counts_now(tmp_path: Path, name: str) -> None:
    labels = [label("a", 2_500), label("a", 900, text_id="u" * 26), label("b", 100, scoring="r" * 16), label("c", -1)]
    current = {"a" * 26: label("a", 2_600), "c" * 26: label("c", -1)}
    write_frame(label_frame(labels, current), tmp_path / "sub" / name)
    read = (pd.read_csv if name.endswith("csv") else pd.read_parquet)(tmp_path / "sub" / name)
    assert list(read.columns) == [*Label.model_fields, "now_1e4"]
    assert read["score_1e4"].tolist() == [2_500, 900, 100, -1]
    assert [None if pd.isna(score) else int(score) for score in read["now_1e4"]] == [2_600, None, None, -1]


def test_no_labels_are_a_table_without_rows(tmp_path: Path) -> None:
    write_frame(label_frame([], {}), tmp_path / "labels.parquet")
    assert list(pd.read_parquet(tmp_path / "labels.parquet").columns) == [*Label.model_fields, "now_1e4"]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in '.xlsx'; allowed: .csv or .parquet"):
        write_frame(label_frame([], {}), tmp_path / "labels.xlsx")
