from __future__ import annotations

import pytest

from curation.costs.rates import GROWS_WITH, Measured, fit_rates, predicted_cpu_s, shipped_model
from schemas.costs import COST_STAGES, StageRates, Workload

RATES = StageRates(
    start_cpu_s=5.0,
    cpu_s={"videos": 0.5, "clips": 0.1, "source_mpx": 0.02, "clip_mpx": 0.05, "score_gflop": 0.03},
)


def work(**amounts: float) -> Workload:
    names = Workload.model_fields
    return Workload(**{**dict.fromkeys(names, 0.0), **amounts})


BUILDS = [
    work(videos=10, clips=30, source_mpx=900, clip_mpx=200, score_gflop=9),
    work(videos=40, clips=40, source_mpx=100, clip_mpx=50, score_gflop=12),
    work(videos=5, clips=100, source_mpx=400, clip_mpx=150, score_gflop=30),
    work(videos=10, clips=30, source_mpx=4000, clip_mpx=200, score_gflop=9),
    work(videos=10, clips=30, source_mpx=900, clip_mpx=2000, score_gflop=9),
    work(videos=10, clips=30, source_mpx=900, clip_mpx=200, score_gflop=400),
    work(videos=80, clips=160, source_mpx=3000, clip_mpx=700, score_gflop=50),
]


def test_seconds_are_the_start_and_each_amount_times_its_rate() -> None:
    told = work(videos=2, clips=10, source_mpx=100, clip_mpx=20, score_gflop=10)
    assert predicted_cpu_s(RATES, told) == pytest.approx(5 + 1 + 1 + 2 + 1 + 0.3)
    assert predicted_cpu_s(RATES, told.times(3)) == pytest.approx(5 + 3 * 5.3)


def test_rates_are_found_again_from_builds_that_cost_what_they_say() -> None:
    builds = [Measured(workload=own, cpu_s=predicted_cpu_s(RATES, own)) for own in BUILDS]
    found = fit_rates("ingest", builds)
    assert found.start_cpu_s == pytest.approx(5.0, rel=1e-4)
    assert found.cpu_s == pytest.approx(RATES.cpu_s, rel=1e-4)


def test_no_rate_is_negative_where_times_are_noisy() -> None:
    noise = (1.1, 0.9, 1.15, 0.85, 1.0, 0.8, 1.2)
    pairs = zip(BUILDS, noise, strict=True)
    found = fit_rates("ingest", [Measured(workload=own, cpu_s=predicted_cpu_s(RATES, own) * by) for own, by in pairs])
    assert min([found.start_cpu_s, *found.cpu_s.values()]) >= 0


def test_fewer_builds_than_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="2 builds of shard; allowed: 3 or more"):
        fit_rates("shard", [Measured(workload=own, cpu_s=1.0) for own in BUILDS[:2]])


def test_the_shipped_model_has_every_rate_and_says_how_far_it_was_off() -> None:
    model = shipped_model()
    rates = {stage: set(model.stages[stage].cpu_s) for stage in COST_STAGES}
    assert rates == {stage: set(names) for stage, names in GROWS_WITH.items()}
    made = {name: share for name, share in model.held_out.items() if "real" not in name}
    assert len(made) >= 2 and all(0.8 <= share <= 1.2 for share in made.values())
