from __future__ import annotations

import math
import time

import pytest

from curation.costs.simulation import Fleet, Units, simulate

NEVER = 1e12


def steady(workers: int, **more: float) -> Fleet:
    return Fleet(workers=workers, mean_hours_to_loss=NEVER, start_s=0.0, **more)


def test_equal_units_on_workers_that_last() -> None:
    found = simulate(Units(count=40, mean_s=10.0, spread=0.0), steady(4))
    assert found.wall_s == pytest.approx(100.0) and found.busy_share == pytest.approx(1.0)
    assert (found.lost_s, found.tail_s, found.failed) == (0.0, 0.0, False)


def test_a_worker_too_many_is_idle() -> None:
    found = simulate(Units(count=5, mean_s=10.0, spread=0.0), steady(4))
    assert found.wall_s == pytest.approx(20.0) and found.tail_s == pytest.approx(10.0)
    assert found.busy_share == pytest.approx(50 / 80)


def test_one_long_video_is_the_end_of_it() -> None:
    units = {"count": 2_000, "mean_s": 10.0, "spread": 0.2}
    plain = simulate(Units(**units), steady(100))
    long = simulate(Units(**units, longest_s=3_600.0), steady(100))
    assert plain.wall_s < 300 and 3_600 <= long.wall_s < 3_600 + plain.wall_s
    pieces = simulate(Units(**units, pieces=6, piece_s=600.0), steady(100))
    assert plain.wall_s + 550 <= pieces.wall_s <= plain.wall_s + 600, "what is cut in pieces after them ends sooner"


def test_lost_workers_cost_their_unit_and_the_time_to_replace_them() -> None:
    units = Units(count=4_000, mean_s=60.0)
    plain, lossy = (simulate(units, Fleet(workers=50, mean_hours_to_loss=hours)) for hours in (NEVER, 1.0))
    assert plain.lost_s == 0 < lossy.lost_s and lossy.wall_s > plain.wall_s
    losses = lossy.wall_s * 50 / 3_600
    # Of a unit half is lost, and a unit that is longer is met more often.
    assert 0.5 * 30 * losses < lossy.lost_s < 2.5 * 60 * losses
    assert not lossy.failed


def test_a_unit_that_outlasts_every_worker_fails_the_job() -> None:
    units = Units(count=10, mean_s=1.0, longest_s=50 * 3_600.0)
    assert simulate(units, Fleet(workers=3, mean_hours_to_loss=1.0)).failed


@pytest.mark.parametrize("workers", [10, 100, 1_000])
def test_work_is_kept_however_units_are_taken_together(workers: int) -> None:
    units = Units(count=200_000, mean_s=2.0)
    found = simulate(units, steady(workers))
    assert found.busy_share * found.wall_s * workers == pytest.approx(400_000, rel=0.02)
    assert found.tail_s < 60 and math.isclose(found.busy_share, 1.0, abs_tol=0.05)


def test_the_same_seed_is_the_same_job_and_a_large_fleet_takes_seconds() -> None:
    units, fleet = Units(count=17_000_000, mean_s=49.0), Fleet(workers=2_000)
    started = time.process_time()
    assert simulate(units, fleet, seed=3) == simulate(units, fleet, seed=3) != simulate(units, fleet, seed=4)
    assert time.process_time() - started < 60
