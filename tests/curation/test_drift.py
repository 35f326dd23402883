from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.drift import broken_limits, compare_runs, js_divergence, ks_distance, stability_index
from schemas.config_file import ConfigError
from schemas.drift import DriftLimits, SourceLimits
from schemas.statistics import HistogramEdges
from tests.dashboard.dashboard_sample import histogram, ledger, no_scores, source, statistics

COUNTS = st.dictionaries(st.integers(0, 60), st.integers(1, 1_000), min_size=1, max_size=30)


@given(COUNTS, COUNTS)
def test_distances_lie_between_nothing_and_one(one: dict[int, int], other: dict[int, int]) -> None:
    for measure in (js_divergence, ks_distance):
        assert 0.0 <= measure(one, other) <= 1.0
        assert measure(one, other) == pytest.approx(measure(other, one))
    assert stability_index(one, other) >= -1e-12


@given(COUNTS, st.integers(1, 9))
def test_equal_shares_lie_at_nothing(one: dict[int, int], times: int) -> None:
    other = {index: count * times for index, count in one.items()}
    for measure in (js_divergence, ks_distance, stability_index):
        assert measure(one, other) == pytest.approx(0.0, abs=1e-9)


def test_distances_by_hand() -> None:
    assert js_divergence({0: 1}, {1: 1}) == 1.0
    assert ks_distance({0: 1}, {1: 1}) == 1.0
    # Shares (1/2, 1/2) and (1/4, 3/4).
    js = 0.5 * (0.5 * math.log2(0.5 / 0.375) + 0.5 * math.log2(0.5 / 0.625))
    js += 0.5 * (0.25 * math.log2(0.25 / 0.375) + 0.75 * math.log2(0.75 / 0.625))
    assert js_divergence({0: 2, 5: 2}, {0: 1, 5: 3}) == pytest.approx(js)
    assert ks_distance({0: 2, 5: 2}, {0: 1, 5: 3}) == 0.25


def test_the_stability_index_by_hand() -> None:
    before = dict.fromkeys(range(10), 10)
    now = {**before, 0: 20, 9: 0}
    # Tenths of `before`: the first holds 0.2 in place of 0.1, the last nothing, which counts as 1e-4.
    expected = 0.1 * math.log(2) + (1e-4 - 0.1) * math.log(1e-4 / 0.1)
    assert stability_index(now, before) == pytest.approx(expected)
    # One bin that fills several tenths is one part.
    assert stability_index({0: 1, 1: 1}, {0: 1, 1: 1}) == pytest.approx(0.0)
    assert stability_index({0: 3, 1: 1}, {0: 1, 1: 1}) == pytest.approx(0.25 * math.log(1.5) - 0.25 * math.log(0.5))


@pytest.mark.parametrize("measure", [js_divergence, ks_distance, stability_index])
def test_nothing_has_no_shares(measure) -> None:
    with pytest.raises(ValueError, match="without scores has no shares"):
        measure({}, {0: 1})


def shifted(bins: int):
    told = histogram()
    counts = tuple((index + bins, count) for index, count in told.counts)
    return source("web_alt", histograms=(told.model_copy(update={"counts": counts, "sum_1e4": told.sum_1e4}),))


def test_a_shift_is_told_with_its_sign() -> None:
    drift = compare_runs(statistics(shifted(20)), statistics(source("web_alt"), source("gone")))
    (found,) = drift.sources
    assert {shift for _, shift in found.quantiles_1e4} == {200}
    assert found.js > 0 and found.ks > 0 and found.trusted == 0.0
    assert (drift.only_here, drift.only_before) == ((), ("gone",))


def test_a_source_without_scores_is_in_neither_run() -> None:
    drift = compare_runs(statistics(source("none", histograms=(no_scores(),))), statistics(source("none")))
    assert (drift.sources, drift.only_here, drift.only_before) == ((), (), ("none",))


@pytest.mark.parametrize(
    "change", [{"digest": "f" * 64}, {"aggregation": "max"}, {"frame_plan": "u4-64"}, {"top_k": 9}]
)
def test_scores_of_another_kind_are_refused(change: dict) -> None:
    told = statistics()
    other = told.model_copy(update={"scorer": told.scorer.model_copy(update=change)})
    with pytest.raises(ConfigError, match=f"scorer.{next(iter(change))} is"):
        compare_runs(told, other)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("change", [{"step_1e4": 20}, {"low_1e4": 0}, {"bins": 1_000}])
def test_other_bins_are_refused(change: dict, place: int) -> None:
    told = statistics()
    runs = [told, told]
    runs[place] = told.model_copy(update={"edges": HistogramEdges(**change)})
    with pytest.raises(ConfigError, match="allowed: 2000 bins of 10 from -10000"):
        compare_runs(*runs)


DRIFT = compare_runs(statistics(shifted(20)), statistics(source("web_alt"), source("gone")))


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        ({"max_quantile_shift": 0.02}, []),
        ({"max_quantile_shift": 0.0199}, ["max_quantile_shift"]),
        ({"max_js": 0.0, "max_ks": 0.0}, ["max_js", "max_ks"]),
        ({"max_trusted_drop": 0.0, "max_reject_rise": 0.0}, []),
        ({}, []),
    ],
)
def test_limits(limits: dict, broken: list[str]) -> None:
    wanted = DriftLimits(all_sources=SourceLimits(**limits), min_samples=1, lost_sources=True)
    assert [limit.limit for limit in broken_limits(DRIFT, wanted)] == broken
    own = DriftLimits(all_sources=SourceLimits(max_js=0.0), sources={"web_alt": SourceLimits(**limits)}, min_samples=1)
    assert [limit.limit for limit in broken_limits(DRIFT, own)] == [*broken, "lost_sources"]


def test_few_samples_in_both_runs_break_nothing() -> None:
    wanted = DriftLimits(all_sources=SourceLimits(max_js=0.0), min_samples=100_000, lost_sources=True)
    assert broken_limits(DRIFT, wanted) == []


def of_size(scores: int, **counts: int):
    """A source `crawl` of so many scores, all equal, and a ledger."""
    counted = ((1250, scores),) if scores else ()
    told = histogram().model_copy(update={"count": scores, "counts": counted, "sum_1e4": 2_500 * scores})
    return statistics(source("crawl", counts=ledger(**counts), histograms=(told,)))


def all_kept(records: int) -> dict[str, int]:
    return {"records_read": records, "records_rejected": 0, "samples_planned": records, "samples_rejected": 0}


COLLAPSED = {"records_read": 10_000, "records_rejected": 9_801, "samples_planned": 199, "samples_rejected": 0}
LOST_IN_MEDIA = {"records_read": 10_000, "records_rejected": 0, "samples_planned": 10_000, "samples_rejected": 9_700}


@pytest.mark.parametrize(
    ("now", "before", "broken"),
    [
        # Nearly everything rejected: too few scores for a distance, and that is what is told.
        (
            of_size(199, **COLLAPSED),
            of_size(10_000, **all_kept(10_000)),
            [("min_samples", 199.0), ("max_reject_rise", 0.9801)],
        ),
        # Rejected later, as samples: the records were all read.
        (of_size(300, **LOST_IN_MEDIA), of_size(10_000, **all_kept(10_000)), [("max_reject_rise", 0.97)]),
        # Fewer scores without a reject: fewer records were read.
        (of_size(199, **all_kept(199)), of_size(200, **all_kept(200)), [("min_samples", 199.0)]),
        # No score in either run: its records are judged all the same.
        (
            of_size(0, **all_kept(1_000) | {"records_rejected": 60}),
            of_size(0, **all_kept(1_000)),
            [("max_reject_rise", 0.06)],
        ),
        # Few in both runs, or few before: nothing to judge by.
        (of_size(199, **all_kept(199) | {"records_rejected": 199}), of_size(199, **all_kept(199)), []),
        (of_size(10_000, **all_kept(10_000)), of_size(199, **all_kept(199)), []),
        # Fewer rejects than before are no rise.
        (of_size(10_000, **all_kept(10_000)), of_size(10_000, **LOST_IN_MEDIA), []),
    ],
)
def test_a_source_that_collapses_does_not_slip_through(now, before, broken: list) -> None:
    found = broken_limits(compare_runs(now, before), DriftLimits())
    assert [(limit.limit, limit.measured) for limit in found] == broken


def test_limits_of_one_source_hold_for_its_rejects() -> None:
    drift = compare_runs(of_size(300, **LOST_IN_MEDIA), of_size(10_000, **all_kept(10_000)))
    own = DriftLimits(sources={"crawl": SourceLimits(max_reject_rise=0.97)})
    assert broken_limits(drift, own) == []


def test_new_sources_where_they_are_not_allowed() -> None:
    drift = compare_runs(statistics(source("a"), source("b")), statistics(source("a")))
    wanted = DriftLimits(all_sources=SourceLimits(), new_sources=False)
    assert [(limit.source, limit.limit) for limit in broken_limits(drift, wanted)] == [("b", "new_sources")]
