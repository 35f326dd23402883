"""The order of training: a pure function of seed and step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from training.data import BatchOptions, SourceTooSmall, plan_batches
from training.data.batches import CYCLE_STEPS, cycle_quotas


@dataclass(frozen=True)
class Row:
    key: str
    source: str
    text: str | None = "a text"
    weight_1e4: int = 10_000


ROWS = [Row(f"a{n:02d}", "a") for n in range(22)] + [Row(f"b{n:02d}", "b", None, 5_000) for n in range(16)]


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


def test_an_epoch_of_a_source_has_no_repeats_and_a_batch_one_source() -> None:
    plan = plan_batches(ROWS, BatchOptions(size=4, seed=1))
    epochs: dict[tuple[str, int], list[int]] = {}
    for step in range(1_500):
        batch = plan.batch_at(step)
        assert {ROWS[place].source for place in batch.positions} == {batch.source}
        epochs.setdefault((batch.source, batch.epoch), []).extend(batch.positions)
    last = {name: max(epoch for source, epoch in epochs if source == name) for name in "ab"}
    for (source, epoch), places in epochs.items():
        assert len(set(places)) == len(places)
        if epoch < last[source]:
            assert len(places) == {"a": 20, "b": 16}[source]
    assert epochs["b", 0] != epochs["b", 1]
    assert {place for (source, _), places in epochs.items() if source == "a" for place in places} == set(range(22))


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
    rows = [*ROWS, Row("c", "c"), Row("d", "a", "x", 0)]
    with pytest.raises(SourceTooSmall, match="source c has 1 samples"):
        plan_batches(rows, BatchOptions(size=4, seed=0))
    plan = plan_batches(rows, BatchOptions(size=4, seed=0, small_sources="leave_out", texts_only=True))
    assert plan.left_out == {"no_text": 16, "no_weight": 1, "small:c": 1}
    assert list(plan.members) == ["a"]
    with pytest.raises(ValueError, match="no sample is left"):
        plan_batches(ROWS, BatchOptions(size=100, seed=0, small_sources="leave_out"))
    with pytest.raises(ValueError, match="no step"):
        plan.batch_at(-1)
