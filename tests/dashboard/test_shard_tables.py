from __future__ import annotations

import pytest

from dashboard.shard_tables import outlier_table, sample_spread, shard_table
from schemas.manifest import ShardFacts


def shard(name: str, size: int, *, source: str = "web", samples: int = 3) -> ShardFacts:
    return ShardFacts(
        path=name,
        tier="clean",
        source=source,
        bucket=0,
        bytes=size,
        sha256="0",
        sidecar_sha256="0",
        samples=samples,
        duration_us=3_600_000_000,
    )


SHARDS = [
    shard("a", 100),
    shard("b", 110),
    shard("c", 111, samples=5),
    shard("d", 80),
    shard("lone", 7, source="stock"),
]


def test_sizes_counts_and_outliers_of_each_kind() -> None:
    assert shard_table(SHARDS, {}).rows == (
        ("clean", "stock", 1, 3, 1.0, 7, 7, 7, 7, 3, 3, 0, "as written"),
        ("clean", "web", 4, 14, 4.0, 401, 80, 110, 111, 3, 5, 1, "as written"),
    )


def test_shards_of_a_shape_are_a_kind_where_there_are_shapes() -> None:
    shaped = [own.model_copy(update={"shape": "480p" if own.path in "ab" else "240p"}) for own in SHARDS]
    table = shard_table(shaped, None)
    assert [column.key for column in table.columns][:4] == ["tier", "source", "shape", "shards"]
    assert [row[:4] for row in table.rows] == [
        ("clean", "stock", "240p", 1),
        ("clean", "web", "240p", 2),
        ("clean", "web", "480p", 2),
    ]


@pytest.mark.parametrize(
    ("states", "of_kind", "of_files"),
    [
        (None, None, {"d": None}),
        ({"b": "missing"}, "1 missing", {"d": "as written", "b": "missing"}),
        (
            {"a": "missing", "b": "missing", "d": "of another size"},
            "2 missing, 1 of another size",
            {"d": "of another size", "a": "missing", "b": "missing"},
        ),
    ],
)
def test_damaged_files_are_named(states: dict | None, of_kind: str | None, of_files: dict) -> None:
    assert shard_table(SHARDS, states).rows[1][-1] == of_kind
    assert {row[0]: row[-1] for row in outlier_table(SHARDS, states).rows} == of_files


def test_a_tenth_is_still_in_line_and_the_furthest_come_first() -> None:
    sizes = {"a": 1_000, "b": 1_000, "c": 1_000, "tenth more": 1_100, "tenth less": 900, "more": 1_101, "less": 700}
    found = outlier_table([shard(name, size) for name, size in sizes.items()], {})
    assert [(row[0], row[5]) for row in found.rows] == [("less", -0.3), ("more", 0.101)]


def test_no_shard_has_no_row() -> None:
    assert shard_table([], {}).rows == outlier_table([], {}).rows == ()


def test_the_spread_of_samples_is_the_worst_of_each_tier_and_source() -> None:
    share, found = sample_spread(SHARDS)
    assert (round(share, 6), found.path) == (round(5 / 3.5 - 1, 6), "c")
    assert sample_spread([SHARDS[0], SHARDS[4]]) is None, "one shard of a tier and source has nothing to differ from"
