"""The last steps of a training draw from some tiers alone, in an order that is a function of the step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from training.data import BatchOptions, NothingToTrainOn, plan_batches
from training.data.phases import plan_phases

OPTIONS = BatchOptions(size=2, seed=3, small_sources="leave_out")


@dataclass(frozen=True)
class Row:
    key: str
    source: str
    tier: str
    has_text: bool = True
    weights_1e4: dict[str, int] = field(default_factory=lambda: {"stage1": 10_000})


PLACES = (("a", "noisy"), ("b", "clean"))
ROWS = [Row(f"{tier}{number}", source, tier) for number in range(6) for source, tier in PLACES]


def test_the_first_steps_are_those_of_all_tiers_and_the_last_of_some() -> None:
    plan = plan_phases(ROWS, OPTIONS, ["clean"], begins=10)
    everything = plan_batches(ROWS, OPTIONS)
    assert [plan.batch_at(step) for step in range(10)] == [everything.batch_at(step) for step in range(10)]
    last = [plan.batch_at(step) for step in range(10, 16)]
    assert [batch.step for batch in last] == list(range(10, 16))
    drawn = Counter(ROWS[place].key for batch in last for place in batch.positions)
    assert drawn == {f"clean{number}": 2 for number in range(6)}, "two rounds"
    assert [batch.epoch for batch in last] == [0.3333, 0.6667, 1.0, 1.3333, 1.6667, 2.0]
    assert plan.batch_at(12) == last[2]


def test_tiers_without_a_sample_are_refused() -> None:
    with pytest.raises(NothingToTrainOn, match="no sample is left to train on"):
        plan_phases(ROWS, OPTIONS, ["video_only"], begins=10)
