from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation.histogram import bin_of
from curation.judging.counting import count_joint, count_rejects, count_yields, score_bin


@given(st.lists(st.integers(-10_500, 10_500) | st.none(), max_size=40))
def test_bins_are_those_of_the_histogram(scores: list[int | None]) -> None:
    frame = pl.DataFrame({"score_1e4": scores}, schema={"score_1e4": pl.Int32})
    assert frame.select(score_bin())["score_1e4"].to_list() == [None if s is None else bin_of(s) for s in scores]


def facts(**columns: list) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    base = {
        "source": ["web"] * rows,
        "score_1e4": [2_000] * rows,
        "rule": [None] * rows,
        "twin": [False] * rows,
        "duration_us": [10] * rows,
        "media_bytes": [100] * rows,
    }
    return pl.DataFrame({**base, **columns}, schema_overrides={"rule": pl.String, "score_1e4": pl.Int32})


def test_a_sample_is_held_once_and_by_the_rule_first() -> None:
    held = facts(rule=["min_flow", "min_flow", None, None], twin=[True, False, True, False])
    assert count_yields(held, leave_out=True).rows() == [("web", 1_200, 1, 10, 100, 2, 1)]
    assert count_yields(held, leave_out=False).rows() == [("web", 1_200, 2, 20, 200, 0, 2)]


def test_every_sample_stands_once_in_each_dimension() -> None:
    judged = facts(score_1e4=[2_449, None]).with_columns(
        kind=pl.Series(["alt", None]),
        text_id=pl.Series(["t", None]),
        language=pl.Series([None, None], dtype=pl.String),
        words=pl.Series([20, None]),
        duration_us=pl.Series([10_000_000, 2_999_999]),
        flow_1e4=pl.Series([1_000, 49]),
        text_area_1e4=pl.Series([None, None], dtype=pl.Int32),
        tier=pl.Series(["noisy_low", "video_only"]),
        sharded=pl.Series([True, False]),
    )
    rows = {(row[1], row[2], row[3], row[4]): row[5:7] for row in count_joint(judged).rows()}
    assert rows == {
        ("text_kind", "alt", "noisy_low", 2_000): (1, 1),
        ("text_kind", "none", "video_only", None): (1, 0),
        ("language", "und", "noisy_low", 2_000): (1, 1),
        ("language", "none", "video_only", None): (1, 0),
        ("words", "20-50", "noisy_low", 2_000): (1, 1),
        ("words", "none", "video_only", None): (1, 0),
        ("duration_s", "10-20", "noisy_low", 2_000): (1, 1),
        ("duration_s", "0-3", "video_only", None): (1, 0),
        ("flow", "0.1+", "noisy_low", 2_000): (1, 1),
        ("flow", "0-0.005", "video_only", None): (1, 0),
    }


def test_only_measured_text_areas_stand_in_their_dimension() -> None:
    judged = facts(score_1e4=[2_449] * 4).with_columns(
        kind=pl.lit("alt"),
        text_id=pl.lit("t"),
        language=pl.lit("en"),
        words=pl.lit(3),
        duration_us=pl.lit(4_000_000),
        flow_1e4=pl.lit(100),
        text_area_1e4=pl.Series([None, 0, 99, 2_000]),
        tier=pl.lit("noisy_low"),
        sharded=pl.lit(True),
    )
    rows = [(row[2], row[5]) for row in count_joint(judged).rows() if row[1] == "text_area"]
    assert sorted(rows) == [("0-0.01", 2), ("0.2+", 1)]


def test_rejects_and_dropped_texts_are_counted_by_reason() -> None:
    rejects = pl.DataFrame({"stage": ["read", "read"], "scope": ["record"] * 2, "reason": ["span_empty"] * 2})
    rows = count_rejects(rejects, [("alt/empty", 3)], "web").rows()
    assert rows == [("web", "read", "record", "span_empty", 2), ("web", "text", "text", "empty", 3)]
