"""What is planned is what is drawn: against `plan_batches` itself, over whole rounds and cycles."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
import webdataset as wds

from schemas.config_file import ConfigError
from schemas.planning import Span
from tests.curation.handoff.manifests import manifest, shard
from training.data.batches import BatchOptions, NothingToTrainOn, plan_batches
from training.planning import PlanOptions, parse_mixture, plan_loaders, shares_with, stage_shares


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    source: str
    tier: str
    has_text: bool
    weights_1e4: dict[str, int]


def rows(*places: tuple[str, str, int, int, int, bool]) -> list[Row]:
    """Return samples of (source, tier, how many, weight in stage 1, in stage 2, with text)."""
    return [
        Row(f"{source}{tier}{number:04d}", source, tier, text, {"stage1": first, "stage2": second})
        for source, tier, count, first, second, text in places
        for number in range(count)
    ]


def frame(samples: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sample_id": [row.key for row in samples],
            "source": [row.source for row in samples],
            "tier": [row.tier for row in samples],
            "has_text": [row.has_text for row in samples],
            "stage1_weight_1e4": [row.weights_1e4["stage1"] for row in samples],
            "stage2_weight_1e4": [row.weights_1e4["stage2"] for row in samples],
            "duration_us": [1_000_000] * len(samples),
        }
    )


WORLD = rows(
    ("stock", "clean", 30, 20_000, 10_000, True),
    ("stock", "video_only", 10, 10_000, 10_000, False),
    ("web", "noisy_high", 60, 10_000, 10_000, True),
    ("web", "noisy_low", 40, 2_500, 10_000, True),
    ("web", "video_only", 5, 0, 0, False),
    ("tiny", "clean", 3, 10_000, 10_000, True),
)
CASES: dict[str, dict[str, Any]] = {
    "stage 1": {"stage": 1, "texts_only": True},
    "stage 2": {"stage": 2},
    "a mixture": {"stage": 2, "mixture": {"stock": 1, "web": 3}},
    "one source": {"stage": 1, "texts_only": True, "mixture": {"web": 1}},
}


@pytest.mark.parametrize("case", CASES)
def test_the_shares_are_those_of_the_batches(case: str) -> None:
    options = BatchOptions(size=5, seed=3, small_sources="leave_out", **CASES[case])
    planned, plan = stage_shares(frame(WORLD), options), plan_batches(WORLD, options)
    assert planned.left_out == plan.left_out
    mixture = options.mixture
    assert planned.mixture == (None if mixture is None else {name: part / 1e6 for name, part in mixture.items()})
    assert planned.samples == sum(len(own) for own in plan.members.values())
    steps = 2_000
    drawn = Counter(
        (WORLD[place].source, WORLD[place].tier) for step in range(steps) for place in plan.batch_at(step).positions
    )
    assert {(own.source, own.tier) for own in planned.places} == set(drawn)
    for own in planned.places:
        found = drawn[(own.source, own.tier)] / (steps * 5)
        assert own.share == pytest.approx(found, abs=0.005)
        assert own.repeats == pytest.approx(found * planned.samples / own.samples, rel=0.03)
    assert sum(own.share for own in planned.places) == pytest.approx(1, abs=1e-5)


def test_what_a_round_drops_is_told() -> None:
    options = BatchOptions(size=8, seed=0, stage=2, small_sources="leave_out")
    planned = stage_shares(frame(WORLD), options)
    # 40 samples are 5 batches of 8; 100 are 12 and 4 samples more.
    assert planned.dropped_per_round == {"stock": 0, "web": 4}
    assert (planned.samples, planned.steps_per_epoch) == (140, 18)
    assert planned.left_out == {"no_weight": 5, "small:tiny": 3}


@pytest.mark.parametrize("options", [{"size": 1_000}, {"size": 5, "mixture": {"absent": 1}}])
def test_where_batches_are_refused_the_plan_says_why(options: dict[str, Any]) -> None:
    chosen = BatchOptions(seed=0, stage=2, small_sources="leave_out", **options)
    with pytest.raises(NothingToTrainOn):
        plan_batches(WORLD, chosen)
    planned = stage_shares(frame(WORLD), chosen)
    assert planned.refused.startswith("no sample")
    assert (planned.places, planned.steps_per_epoch) == ((), 0)


def test_the_share_of_a_heavy_sample_is_capped_as_its_draws_are() -> None:
    samples = rows(("web", "clean", 1, 10_000_000, 1, True), ("web", "noisy_low", 9, 10_000, 1, True))
    options = BatchOptions(size=2, seed=0, stage=1)
    planned = {own.tier: own.share for own in stage_shares(frame(samples), options).places}
    assert planned == {"clean": 0.5, "noisy_low": 0.5}


SHARDS = manifest(*(shard("clean", "web", bucket, samples) for bucket, samples in enumerate((10, 7, 10, 3, 8))))


def test_an_epoch_over_whole_shards() -> None:
    # Process 0 gets shards 0, 2, 4 (28 samples: loaders 18 and 10), process 1 shards 1 and 3 (7 and 3).
    found = plan_loaders(SHARDS, PlanOptions(nodes=2, processes=1, loaders=2, batch=4))
    assert (found.without_shard, found.shards_per_loader) == (0, Span(least=1, most=2))
    assert found.samples_per_loader == Span(least=3, most=18)
    assert found.batches_per_process == Span(least=1, most=6)
    assert (found.steps, found.samples_seen) == (1, 8)
    assert (found.dropped_in_part_batches, found.dropped_in_long_processes) == (10, 20)
    assert found.samples_seen + found.dropped_in_part_batches + found.dropped_in_long_processes == found.samples == 38


def test_loaders_without_a_shard_are_counted() -> None:
    found = plan_loaders(SHARDS, PlanOptions(nodes=2, processes=2, loaders=2, batch=1))
    assert (found.without_shard, found.steps) == (3, 3)
    assert plan_loaders(SHARDS, PlanOptions(nodes=6, processes=1, loaders=1, batch=1)).steps == 0


def test_shards_are_dealt_as_webdataset_deals_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """webdataset takes rank and worker from the environment; there is no other way to tell it."""
    dealt = []
    for rank, worker in product(range(2), range(3)):
        for name, number in {"RANK": rank, "WORLD_SIZE": 2, "WORKER": worker, "NUM_WORKERS": 3}.items():
            monkeypatch.setenv(name, str(number))
        own = list(wds.split_by_worker(wds.split_by_node(iter(SHARDS.shards))))
        dealt.append([facts.samples for facts in own])
    found = plan_loaders(SHARDS, PlanOptions(nodes=2, processes=1, loaders=3, batch=4))
    assert found.without_shard == dealt.count([])
    assert found.samples_per_loader == Span(least=min(map(sum, dealt)), most=max(map(sum, dealt)))
    by_process = [sum(sum(own) // 4 for own in dealt[rank * 3 : rank * 3 + 3]) for rank in range(2)]
    assert found.batches_per_process == Span(least=min(by_process), most=max(by_process))


@pytest.mark.parametrize("seed", range(5))
def test_no_sample_is_lost_in_the_sums(seed: int) -> None:
    random = np.random.default_rng(seed)
    shards = manifest(*(shard("clean", "web", place, int(own)) for place, own in enumerate(random.integers(1, 50, 30))))
    options = PlanOptions(*(int(number) for number in random.integers(1, 6, 4)))
    found = plan_loaders(shards, options)
    seen = found.samples_seen + found.dropped_in_part_batches + found.dropped_in_long_processes
    assert seen == found.samples


@pytest.mark.parametrize("name", ["nodes", "processes", "loaders", "batch"])
def test_a_number_below_one_is_refused(name: str) -> None:
    numbers = {"nodes": 1, "processes": 1, "loaders": 1, "batch": 1, name: 0}
    with pytest.raises(ConfigError, match=f"--{name} is 0; allowed: at least 1"):
        PlanOptions(**numbers)


def test_a_mixture_is_parsed_in_millionths() -> None:
    assert parse_mixture([]) is None
    assert parse_mixture(["stock=1", "web=0.25"]) == {"stock": 1_000_000, "web": 250_000}


@pytest.mark.parametrize("word", ["stock", "stock=", "=1", "stock=0", "stock=nan", "stock=inf", "stock=-1"])
def test_a_mixture_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="allowed: SOURCE=PART"):
        parse_mixture([word])


def test_a_batch_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="--batch is 0"):
        shares_with(0, [])
