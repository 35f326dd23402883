"""The order of training: a pure function of seed and step."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data import BatchOptions, BatchPlan, NothingToTrainOn, SourceTooSmall, plan_batches
from training.data.batches import CYCLE_STEPS, capped, cycle_quotas, systematic


@dataclass(frozen=True)
class Row:
    key: str
    source: str
    text: str | None = "a text"
    weights_1e4: dict[str, int] = field(default_factory=lambda: weighs(10_000))

    @property
    def has_text(self) -> bool:
        return self.text is not None


def weighs(stage1: int, stage2: int | None = None) -> dict[str, int]:
    return {"stage1": stage1, "stage2": stage1 if stage2 is None else stage2}


def rows_of(source: str, *weights: int) -> list[Row]:
    return [Row(f"{source}{n:04d}", source, weights_1e4=weighs(weight)) for n, weight in enumerate(weights)]


ROWS = [Row(f"a{n:02d}", "a") for n in range(22)]
ROWS += [Row(f"b{n:02d}", "b", None, weighs(5_000, 20_000)) for n in range(16)]


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    plan, again = (plan_batches(ROWS, BatchOptions(size=4, seed=7)) for _ in range(2))
    whole = [plan.batch_at(step) for step in range(50)]
    assert [again.batch_at(step) for step in reversed(range(50))] == whole[::-1]
    assert again.batch_at(123_456_789) == plan.batch_at(123_456_789)
    other = plan_batches(ROWS, BatchOptions(size=4, seed=8))
    assert [other.batch_at(step) for step in range(50)] != whole


def test_the_sequence_of_the_samples_does_not_matter() -> None:
    options = BatchOptions(size=4, seed=7)
    turned = ROWS[::-1]
    plan, other = plan_batches(ROWS, options), plan_batches(turned, options)
    for step in range(40):
        keys = [ROWS[place].key for place in plan.batch_at(step).positions]
        assert [turned[place].key for place in other.batch_at(step).positions] == keys


def test_a_round_of_equal_weights_is_the_whole_source_once_and_a_batch_of_one_source() -> None:
    plan = plan_batches(ROWS, BatchOptions(size=4, seed=1))
    rounds: dict[tuple[str, int], list[int]] = {}
    for step in range(1_500):
        batch = plan.batch_at(step)
        assert {ROWS[place].source for place in batch.positions} == {batch.source}
        rounds.setdefault((batch.source, batch.round), []).extend(batch.positions)
    last = {name: max(number for source, number in rounds if source == name) for name in "ab"}
    for (source, number), places in rounds.items():
        assert len(set(places)) == len(places)
        if number < last[source]:
            assert len(places) == {"a": 20, "b": 16}[source]
    assert rounds["b", 0] != rounds["b", 1]
    assert {place for (source, _), places in rounds.items() if source == "a" for place in places} == set(range(22))


def draws_of(plan: BatchPlan, steps: int) -> Counter[int]:
    return Counter(place for step in range(steps) for place in plan.batch_at(step).positions)


# Three tiers and a hundred concepts of one source: 1, 1/4, 2, and what MetaCLIP's t / count leaves.
SPREAD = [10_000] * 40 + [2_500] * 60 + [20_000] * 10 + [10_000 * 20 // (20 + n) for n in range(100)]


def test_within_a_source_clips_come_in_proportion_to_their_weights() -> None:
    size, steps = 16, 6_000
    rows = rows_of("a", *SPREAD)
    drawn = draws_of(plan_batches(rows, BatchOptions(size=size, seed=5)), steps)
    assert sum(drawn.values()) == size * steps
    for place, weight in enumerate(SPREAD):
        expected = size * steps * weight / sum(SPREAD)
        # Within a round a clip is drawn at most once, so its count spreads less than a binomial one.
        assert abs(drawn[place] - expected) < 5 * math.sqrt(expected)
    for weight in (2_500, 10_000, 20_000):
        places = [place for place, own in enumerate(SPREAD) if own == weight]
        expected = size * steps * weight * len(places) / sum(SPREAD)
        assert sum(drawn[place] for place in places) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize("weights", [[3, 3, 3, 1], [1, 7, 2, 2, 5, 1], [4, 4, 4], [9, 1, 1, 1, 1, 1]])
def test_every_clip_is_drawn_from_as_many_starts_as_its_weight(weights: list[int]) -> None:
    rounds = [systematic(np.array(weights), start).tolist() for start in range(sum(weights))]
    draws = sum(weights) // max(weights)
    assert all(len(set(found)) == draws for found in rounds)
    counted = Counter(place for found in rounds for place in found)
    assert counted == {place: draws * weight for place, weight in enumerate(weights)}


def test_the_heaviest_clips_are_in_every_round_and_no_clip_twice() -> None:
    # 4 of weight 1 and 16 of weight 1/4: a round draws eight, of which half are heavy.
    plan = plan_batches(rows_of("a", *[10_000] * 4, *[2_500] * 16), BatchOptions(size=4, seed=2))
    assert plan.batches_per_round["a"] == 2
    for number in range(50):
        batches = [plan.batch_at(2 * number + turn) for turn in range(2)]
        assert [batch.round for batch in batches] == [number, number]
        drawn = [place for batch in batches for place in batch.positions]
        assert len(set(drawn)) == 8
        assert {0, 1, 2, 3} <= set(drawn)


def test_an_epoch_is_as_many_draws_as_the_source_has_clips() -> None:
    plan = plan_batches(rows_of("a", *[10_000] * 4, *[2_500] * 16), BatchOptions(size=4, seed=2))
    assert [plan.batch_at(step).epoch for step in range(6)] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]
    drawn = draws_of(plan, 500)
    assert sum(drawn.values()) == 20 * plan.batch_at(499).epoch


@pytest.mark.parametrize(
    ("weights", "size", "expected"),
    [
        ([10, 10, 10], 3, [10, 10, 10]),
        # One clip that would want half of all draws, in batches of four: a quarter is all it can have.
        ([100, 20, 20, 20, 20, 20], 4, [33, 20, 20, 20, 20, 20]),
        ([1_000, 1_000, 1], 3, [1, 1, 1]),
        ([5, 1, 1, 1, 1, 1], 2, [5, 1, 1, 1, 1, 1]),
    ],
)
def test_a_weight_never_asks_for_its_clip_twice_in_a_batch(weights: list[int], size: int, expected: list[int]) -> None:
    assert capped(np.array(weights), size).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=60), st.integers(1, 12), st.integers(0, 2**31))
def test_any_weights_give_full_batches_of_different_clips(weights: list[int], size: int, seed: int) -> None:
    size = min(size, len(weights))
    plan = plan_batches(rows_of("a", *weights), BatchOptions(size=size, seed=seed))
    assert plan.batches_per_round["a"] >= 1
    for step in range(6):
        positions = plan.batch_at(step).positions
        assert len(set(positions)) == size


def test_the_stages_draw_by_their_own_weights() -> None:
    plans = [plan_batches(ROWS, BatchOptions(size=4, seed=3, stage=stage)) for stage in (1, 2)]
    assert [plan.quotas for plan in plans] == [{"a": 733, "b": 267}, {"a": 407, "b": 593}]  # 22 : 8 and 22 : 32
    lost = [*ROWS, Row("a99", "a", weights_1e4=weighs(0, 10_000))]
    left = [plan_batches(lost, BatchOptions(size=4, seed=3, stage=stage)).left_out for stage in (1, 2)]
    assert left == [{"no_weight": 1}, {}]


def test_a_mixture_gives_the_sources_their_parts() -> None:
    rows = [*ROWS, *rows_of("c", *[10_000] * 8)]
    plan = plan_batches(rows, BatchOptions(size=4, seed=3, mixture={"a": 1, "b": 3}))
    assert plan.quotas == {"a": 250, "b": 750}
    assert plan.left_out == {"mixture:c": 8}
    with pytest.raises(NothingToTrainOn, match=r"mixture names \['d'\], of which no sample is left"):
        plan_batches(rows, BatchOptions(size=4, seed=3, mixture={"a": 1, "d": 3}))


def test_sources_come_by_weight_and_spread() -> None:
    plan = plan_batches(ROWS, BatchOptions(size=4, seed=3))
    assert plan.quotas == {"a": 733, "b": 267}  # 22 : 8
    sources = [plan.batch_at(step).source for step in range(3 * CYCLE_STEPS)]
    assert Counter(sources) == {"a": 3 * 733, "b": 3 * 267}
    for steps in range(1, CYCLE_STEPS):
        assert abs(sources[:steps].count("b") - 0.267 * steps) <= 2


@pytest.mark.parametrize(
    ("weights", "steps", "expected"),
    [
        ({"a": 1, "b": 1, "c": 1}, 10, {"a": 4, "b": 3, "c": 3}),
        ({"a": 1_000_000, "b": 1}, 10, {"a": 9, "b": 1}),
        ({"a": 5}, 3, {"a": 3}),
    ],
)
def test_quotas_are_literal(weights: dict[str, int], steps: int, expected: dict[str, int]) -> None:
    assert cycle_quotas(weights, steps) == expected


def test_what_cannot_be_drawn_is_refused_or_counted() -> None:
    rows = [*ROWS, Row("c", "c"), Row("d", "a", "x", weighs(0))]
    with pytest.raises(SourceTooSmall, match="source c has 1 samples"):
        plan_batches(rows, BatchOptions(size=4, seed=0))
    plan = plan_batches(rows, BatchOptions(size=4, seed=0, small_sources="leave_out", texts_only=True))
    assert plan.left_out == {"no_text": 16, "no_weight": 1, "small:c": 1}
    assert list(plan.members) == ["a"]
    with pytest.raises(ValueError, match="no sample is left"):
        plan_batches(ROWS, BatchOptions(size=100, seed=0, small_sources="leave_out"))
    with pytest.raises(ValueError, match="no step"):
        plan.batch_at(-1)
