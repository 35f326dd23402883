from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.judging.selection import bits_needed, fine_sizes, give_tiers, select
from curation.packing import FINE_BITS
from schemas.ids import bucket_of, stable_id
from schemas.judging import Weights
from schemas.records import Tier
from schemas.sharding import ShardOptions
from schemas.statistics import ResolvedCuts
from tests.curation.judging.reference import tier_of

CLEAN = ResolvedCuts(clean_1e4=2_500, high_1e4=3_000, low_1e4=2_000)
NOISY = ResolvedCuts(clean_1e4=None, high_1e4=3_000, low_1e4=2_000)


def facts(scores: list[int | None], rule: str | None = None, twin: bool = False) -> pl.DataFrame:
    rows = len(scores)
    return pl.DataFrame(
        {
            "sample_id": [stable_id("sample", number) for number in range(rows)],
            "source": ["web"] * rows,
            "score_1e4": scores,
            "rule": [rule] * rows,
            "twin": [twin] * rows,
            "media_bytes": [100] * rows,
            "shape": [""] * rows,
        },
        schema_overrides={"score_1e4": pl.Int32, "rule": pl.String},
    )


@pytest.mark.parametrize(
    ("score", "cuts", "tier"),
    [
        (None, CLEAN, "video_only"),
        (2_500, CLEAN, "clean"),
        (2_499, CLEAN, "noisy_low"),
        (1_999, CLEAN, "video_only"),
        (3_000, NOISY, "noisy_high"),
        (2_999, NOISY, "noisy_low"),
        (2_000, NOISY, "noisy_low"),
        (1_999, NOISY, "video_only"),
    ],
)
def test_tier_at_each_edge(score: int | None, cuts: ResolvedCuts, tier: str) -> None:
    assert give_tiers(facts([score]), cuts, leave_out=True)["tier"].to_list() == [tier]


@given(st.lists(st.integers(-10_000, 10_000), max_size=30), st.sampled_from([CLEAN, NOISY]))
def test_a_higher_score_never_gives_a_worse_tier(scores: list[int], cuts: ResolvedCuts) -> None:
    order = [Tier.VIDEO_ONLY, Tier.NOISY_LOW, Tier.NOISY_HIGH, Tier.CLEAN]
    tiers = give_tiers(facts(list(scores)), cuts, leave_out=True)["tier"].to_list()
    assert tiers == [tier_of(score, cuts).value for score in scores]
    ranks = [order.index(Tier(tier)) for _, tier in sorted(zip(scores, tiers, strict=True))]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("rule", "twin", "leave_out", "sharded"),
    [
        (None, False, True, True),
        ("min_flow", False, True, False),
        ("min_flow", False, False, True),
        (None, True, False, False),
    ],
)
def test_what_goes_into_a_shard(rule: str | None, twin: bool, leave_out: bool, sharded: bool) -> None:
    judged = give_tiers(facts([1], rule, twin), NOISY, leave_out=leave_out)
    assert judged["sharded"].to_list() == [sharded]


SIZES = st.dictionaries(
    st.integers(0, 2**FINE_BITS - 1), st.tuples(st.integers(1, 4), st.integers(1, 900_000)), max_size=40
)


@given(SIZES)
def test_the_fewest_bits_that_fit_are_taken(sizes: dict[int, tuple[int, int]]) -> None:
    rows = [(bucket, *size) for bucket, size in sizes.items()]
    frame = pl.DataFrame(rows, schema=["bucket", "samples", "bytes"], orient="row").cast(pl.Int64)
    bits = bits_needed(frame, ShardOptions(max_mb=1, max_samples=6))

    def fits(wanted: int) -> bool:
        coarse: dict[int, list[tuple[int, int]]] = {}
        for bucket, size in sizes.items():
            coarse.setdefault(bucket >> (FINE_BITS - wanted), []).append(size)
        sums = [(sum(size[0] for size in parts), sum(size[1] for size in parts)) for parts in coarse.values()]
        return all(samples <= 6 and total_bytes <= 1_000_000 for samples, total_bytes in sums)

    assert bits == FINE_BITS or fits(bits)
    assert bits == 0 or not fits(bits - 1)


def test_fine_sizes_count_what_is_sharded() -> None:
    judged = give_tiers(facts([1, 1, 9_000]), NOISY, leave_out=True)
    assert fine_sizes(judged).select(pl.col("samples").sum()).item() == 3
    held = judged.with_columns(sharded=pl.lit(False))
    assert fine_sizes(held).is_empty()


def test_buckets_are_prefixes_of_ids_and_weights_those_of_the_tier() -> None:
    judged = give_tiers(facts([1, 9_000, 2_500]), NOISY, leave_out=True).with_columns(
        balance_1e4=pl.Series([10_000, 5_000, 0]), density_1e4=pl.Series([10_000, 10_000, 10_000])
    )
    weights = Weights.model_validate({"stage1": {"noisy_high": 0.5, "noisy_low": 2.0}, "stage2": {"video_only": 3}})
    rows = select(judged, {("video_only", ""): 3, ("noisy_high", ""): 7}, weights, ("stage1",))
    names = ("shard_bucket", "stage1_weight_1e4", "stage2_weight_1e4")
    found = {row["sample_id"]: tuple(row[name] for name in names) for row in rows.iter_rows(named=True)}
    ids = [stable_id("sample", number) for number in range(3)]
    # Stage 2 reads no text: neither how well it fits nor what it names changes its weight.
    assert found == {
        ids[0]: (bucket_of(ids[0], 3), 10_000, 30_000),
        ids[1]: (bucket_of(ids[1], 7), 2_500, 10_000),
        ids[2]: (0, 0, 10_000),
    }
    assert rows["sample_id"].to_list() == sorted(ids)
    both = select(judged, {}, weights, ("stage1", "stage2"))
    assert sorted(both["stage2_weight_1e4"].to_list()) == [0, 5_000, 30_000]


def test_each_shape_has_buckets_of_its_own() -> None:
    judged = give_tiers(facts([1, 1, 1]), NOISY, leave_out=True).with_columns(
        shape=pl.Series(["480p", "240p", "480p"]), density_1e4=pl.Series([10_000] * 3)
    )
    sizes = fine_sizes(judged).group_by("shape").agg(pl.col("samples").sum()).sort("shape")
    assert sizes.rows() == [("240p", 1), ("480p", 2)]
    rows = select(judged, {("video_only", "480p"): 5, ("video_only", "240p"): 0}, Weights())
    found = {row["sample_id"]: (row["shape"], row["shard_bucket"]) for row in rows.iter_rows(named=True)}
    ids = [stable_id("sample", number) for number in range(3)]
    assert found == {
        ids[0]: ("480p", bucket_of(ids[0], 5)),
        ids[1]: ("240p", 0),
        ids[2]: ("480p", bucket_of(ids[2], 5)),
    }
