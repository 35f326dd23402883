"""The numbers of the tables, literal."""

from __future__ import annotations

import pytest
from dashboard_sample import histogram, ledger, no_scores, source, statistics

from dashboard import tables
from dashboard.duplicate_tables import duplicate_table
from schemas.statistics import DuplicatePair


def test_score_rows() -> None:
    table = tables.score_table(statistics())
    assert [column.key for column in table.columns] == [
        "source",
        "origin",
        "licence",
        "samples",
        "hours",
        "scored",
        "mean",
        "p5",
        "p50",
        "p95",
        "share_below_0.20",
        "share_0.20_to_0.25",
        "share_0.25_to_0.30",
        "share_0.30_to_0.35",
        "share_from_0.35",
        "truncated_texts",
    ]
    noisy = ("web_alt", "noisy", "CC-BY-4.0", 10, 5.0, 10, 0.251, 0.18, 0.25, 0.36, 0.3, 0.0, 0.5, 0.0, 0.2, 0)
    published = ("VideoPrism", "published", None, None, None, 100_000, None, None, None, None)
    assert table.rows[1] == noisy
    assert table.rows[2] == (*published, 0.041, 0.204, 0.358, 0.322, 0.076, None)


@pytest.mark.parametrize("histograms", [(), (no_scores(),)], ids=["no histogram", "empty histogram"])
def test_a_source_without_scores_has_no_numbers(histograms: tuple) -> None:
    row = tables.score_table(statistics(source(histograms=histograms))).rows[0]
    assert row[5] == 0
    assert row[6:15] == (None,) * 9


def test_the_score_is_read_under_the_aggregation_of_the_run() -> None:
    other = histogram(aggregation="max")
    assert tables.best_histogram(source(histograms=(other,)), "mean") is None
    assert tables.best_histogram(source(histograms=(other,)), "max") is other


def test_headline() -> None:
    assert tables.headline(statistics()) == {
        "sources": 2,
        "clean_sources": 1,
        "records_read": 40,
        "samples": 20,
        "videos": 8,
        "hours": 10.0,
        "media_bytes": 40_000_000,
        "rejects": 14,
        "texts_dropped": 8,
        "duplicate_groups": 2,
        "duplicates_removed": 3,
        "tiers": {"clean": 0, "noisy_high": 14, "noisy_low": 0, "video_only": 6},
        "samples_sharded": 18,
    }


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        pytest.param({}, (), id="adds up"),
        pytest.param({"records_read": 23}, ("records off by +3",), id="rows lost"),
        pytest.param({"records_merged": 4}, ("records off by -1",), id="rows counted twice"),
        pytest.param({"samples_kept": 9}, ("samples off by +1",), id="a sample lost"),
        pytest.param({"samples_planned": 13, "samples_kept": 11}, (), id="a span made into two parts"),
        pytest.param(
            {"samples_planned": 11, "samples_kept": 9}, ("planned off by -1",), id="a record that planned nothing"
        ),
        pytest.param(
            {"records_read": 21, "samples_rejected": 0},
            ("records off by +1", "samples off by +2"),
            id="both ledgers",
        ),
    ],
)
def test_ledgers(changed: dict[str, int], faults: tuple[str, ...]) -> None:
    counts = ledger(**changed)
    assert tables.ledger_faults(counts) == faults
    check = tables.funnel_table(statistics(source(counts=counts))).rows[0][-1]
    assert check == (", ".join(faults) or "adds up")


def test_funnel_row() -> None:
    row = tables.funnel_table(statistics()).rows[0]
    assert row == ("stock", 20, 12, 3, 5, 12, 10, 2, 18, 4, "adds up")


def test_tier_rows() -> None:
    rows = tables.tier_table(statistics(source())).rows
    assert rows == (
        ("web_alt", "noisy_high", 7, 0.7, 6, 3.5, 14_000_000),
        ("web_alt", "video_only", 3, 0.3, 3, 1.5, 6_000_000),
    )


def test_rejects_have_a_column_per_source_when_there_are_few() -> None:
    table = tables.reject_table(statistics())
    assert [column.key for column in table.columns] == ["stage", "takes", "reason", "total", "stock", "web_alt"]
    assert table.rows == (
        ("read", "record", "field_missing", 10, 5, 5),
        ("media", "sample", "bad_container", 4, 2, 2),
    )


def test_rejects_have_a_row_per_source_when_there_are_many() -> None:
    table = tables.reject_table(statistics(*(source(f"s{number}") for number in range(13))))
    assert [column.key for column in table.columns] == ["stage", "takes", "reason", "source", "count"]
    assert len(table.rows) == 26
    assert table.rows[0] == ("read", "record", "field_missing", "s0", 5)


def test_duplicates_are_a_symmetric_matrix() -> None:
    table = duplicate_table(statistics())
    assert [column.key for column in table.columns] == ["source", "stock", "web_alt"]
    assert table.rows == (("stock", 0, 1), ("web_alt", 1, 2))


def test_duplicates_of_many_sources_are_a_list_of_pairs() -> None:
    many = statistics(*(source(f"s{number:02}") for number in range(13)))
    pairs = tuple(DuplicatePair(source=f"s{n:02}", other=f"s{(n + 1) % 13:02}", groups=n + 1) for n in range(13))
    duplicates = many.duplicates.model_copy(update={"pairs": pairs})
    table = duplicate_table(many.model_copy(update={"duplicates": duplicates}))
    assert [column.key for column in table.columns] == ["source", "other", "groups"]
    assert table.rows[0] == ("s12", "s00", 13)


def test_planted_rows() -> None:
    planted = {"exact": {"planted": 4, "found": 3, "missed": "s1"}, "precision": "1.00"}
    assert tables.planted_table(planted).rows == (("exact", 4, 3, "missed: s1"), ("precision", None, None, "1.00"))


def test_published_rows() -> None:
    rows = tables.published_table().rows
    assert rows[0] == ("Stock #1", "manual", "high", 36.1, 0.30)
    assert len(rows) == 7


def test_notices_put_broken_promises_first() -> None:
    few = source("few", histograms=(histogram(truncated=3),))
    empty = source("empty", histograms=(no_scores(),))
    lost = source("lost", counts=ledger(samples_kept=9))
    told = [(notice.level, notice.source, notice.text) for notice in tables.notices(statistics(few, empty, lost))]
    assert told == [
        ("error", "lost", "samples off by +1"),
        ("warning", "few", "only 10 scores: its shape and quantiles are rough"),
        ("warning", "few", "3 of 10 texts were longer than the model reads"),
        ("warning", "empty", "no scores"),
        ("warning", "lost", "only 10 scores: its shape and quantiles are rough"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "label"),
    [(-1.0, 0.2, "< 0.20"), (0.2, 0.25, "0.20-0.25"), (0.35, 1.0, "≥ 0.35")],
)
def test_bucket_labels(low: float, high: float, label: str) -> None:
    assert tables.bucket_label(low, high) == label
