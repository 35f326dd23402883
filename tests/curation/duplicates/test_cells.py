"""Fitting cells and assigning vectors to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.cells import MAX_CELLS, Cells, assign, border_1e4, fit_cells, sample_rows
from curation.duplicates.vectors import Steps, quantise
from tests.curation.duplicates.embeddings import around, exact_similarities, strangers

SAMPLE = np.concatenate([strangers(300, 16, 1), around(strangers(20, 16, 2), 15, 0.97, 3)])
ROUTED_SAMPLE = strangers(2_600, 8, 4)


@pytest.fixture(scope="module")
def routed() -> Cells:
    """Return more cells than each vector is compared with."""
    return fit_cells(ROUTED_SAMPLE, 1_100)


def crossing(*cosines: float) -> tuple[Cells, Steps]:
    """Return cells with the axes for centres, and a vector at such cosines from them."""
    axes = np.eye(len(cosines), dtype=np.int16) * np.int16(4_000)
    cells = Cells(centres=axes, routers=axes[:1], lists=np.arange(len(cosines), dtype=np.int32)[None])
    return cells, np.rint(np.array([cosines]) * 4_000).astype(np.int16)


def padded(*cells: int) -> list[list[int]]:
    return [[*cells, *[-1] * (MAX_CELLS - len(cells))]]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_cells_are_the_same_bytes_for_any_order_of_the_sample(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(SAMPLE))
    assert fit_cells(SAMPLE[order], 12).to_bytes() == fit_cells(SAMPLE, 12).to_bytes()


def test_routed_cells_are_the_same_bytes_for_any_order_of_the_sample(routed: Cells) -> None:
    assert len(routed.routers) > 1
    assert routed.lists.shape == (len(routed.routers), round(20 * 1_100**0.5))
    assert (np.diff(routed.lists, axis=1) > 0).all()
    assert fit_cells(ROUTED_SAMPLE[::-1], 1_100).to_bytes() == routed.to_bytes()


def test_copies_of_vectors_have_no_part_in_the_fit() -> None:
    often = np.concatenate([SAMPLE, SAMPLE[:50], SAMPLE[:50]])
    assert fit_cells(often, 12).to_bytes() == fit_cells(SAMPLE, 12).to_bytes()


def test_another_seed_fits_other_cells() -> None:
    assert fit_cells(SAMPLE, 12, seed=1).to_bytes() != fit_cells(SAMPLE, 12).to_bytes()


def test_centres_are_unit_vectors_in_the_middle_of_their_own() -> None:
    middles = np.eye(16, dtype=np.int16)[:6] * np.int16(4_000)
    sample = around(middles, 60, 0.99, 5)
    cells = fit_cells(sample, 40)
    assert np.abs(np.linalg.norm(cells.centres.astype(float), axis=1) - 4_000).max() < 4
    nearest = exact_similarities(np.concatenate([middles, cells.centres]))[:6, 6:].max(axis=1)
    assert nearest.min() > 9_900


def test_a_cell_without_vectors_stays_where_it_is() -> None:
    """Of three different vectors each is a cell's; none of the three moves."""
    sample = strangers(3, 8, 6)
    assert sorted(fit_cells(sample, 3).centres.tolist()) == sorted(sample.tolist())


@pytest.mark.parametrize("count", [5, 40, 2_000])
def test_there_are_no_more_cells_than_different_vectors(count: int) -> None:
    sample = np.concatenate([SAMPLE[:4], SAMPLE[:4]])
    cells = fit_cells(sample, count)
    assert len(cells.centres) == 4
    assert len(set(assign(sample, cells, 9_500)[:4, 0].tolist())) == 4


@pytest.mark.parametrize(("vectors", "count"), [(0, 3), (3, 0)])
def test_no_cells_and_no_vectors_are_refused(vectors: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} cells of {vectors} vectors; allowed: at least 1 of each"):
        fit_cells(SAMPLE[:vectors], count)


def test_cells_come_back_from_their_bytes(routed: Cells) -> None:
    for cells in (routed, fit_cells(SAMPLE, 12)):
        again = Cells.from_bytes(cells.to_bytes())
        for one, other in zip(vars(again).values(), vars(cells).values(), strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


def test_a_sample_is_one_of_different_vectors() -> None:
    steps = np.concatenate([SAMPLE[:30]] * 3)
    places = sample_rows(steps, 20)
    assert len(places) == 20
    assert len(np.unique(steps[places], axis=0)) == 20
    assert len(sample_rows(steps, 100)) == 30
    assert np.array_equal(steps[sample_rows(steps, 20)], SAMPLE[sample_rows(SAMPLE[:30], 20)])


BORDERS = {5_000: 2_000, 9_500: 632, 9_800: 400, 9_999: 28, 10_000: 1}


@pytest.mark.parametrize(("threshold", "border"), BORDERS.items())
def test_a_border_is_0_4_of_half_a_distance(threshold: int, border: int) -> None:
    """0.4 / 2 of sqrt(2 - 2 * cosine)."""
    assert border_1e4(threshold) == border


# At a threshold of 0.98 a clip is a guest up to 0.04 from its home.
ASSIGNED: dict[str, tuple[tuple[float, ...], list[list[int]]]] = {
    "home alone": ((0.2, 0.9, 0.1), padded(1)),
    "a guest at the border": ((0.5, 0.46, 0.1), padded(0, 1)),
    "just beyond the border": ((0.5, 0.45975, 0.1), padded(0)),
    "the nearest first": ((0.58, 0.56, 0.6), padded(2, 0, 1)),
    "equally near ones by number": ((0.5, 0.5, 0.5), padded(0, 1, 2)),
    "far from all": ((-0.9, -0.1, -0.3), padded(1)),
    "at most eight": ((0.3,) * 10, padded(0, 1, 2, 3, 4, 5, 6, 7)),
    "the nearest eight of many": (
        tuple(0.2 + 0.001 * number for number in range(20)),
        padded(19, 18, 17, 16, 15, 14, 13, 12),
    ),
}


@pytest.mark.parametrize(("cosines", "cells"), ASSIGNED.values(), ids=ASSIGNED.keys())
def test_a_vector_is_at_home_in_its_nearest_cell_and_a_guest_near_borders(
    cosines: tuple[float, ...], cells: list[list[int]]
) -> None:
    centres, steps = crossing(*cosines)
    assert assign(steps, centres, 9_800).tolist() == cells


def test_vectors_equally_near_to_many_cells_keep_the_first_by_number() -> None:
    centres, steps = crossing(*[0.2] * 30)
    assert assign(steps, centres, 9_500).tolist() == padded(0, 1, 2, 3, 4, 5, 6, 7)


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 600), max_size=5), seed=st.integers(0, 10**6))
def test_an_assignment_is_one_of_each_vector_alone(cuts: list[int], seed: int) -> None:
    cells = fit_cells(SAMPLE, 12)
    check_alone(SAMPLE, cells, cuts, seed)


@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 600), max_size=5), seed=st.integers(0, 10**6))
def test_a_routed_assignment_is_one_of_each_vector_alone(routed: Cells, cuts: list[int], seed: int) -> None:
    check_alone(ROUTED_SAMPLE[:600], routed, cuts, seed)


def check_alone(steps: Steps, cells: Cells, cuts: list[int], seed: int) -> None:
    whole = assign(steps, cells, 9_500)
    order = np.random.default_rng(seed).permutation(len(steps))
    parts = [assign(steps[part], cells, 9_500) for part in np.split(order, sorted(cuts))]
    assert np.array_equal(np.concatenate(parts), whole[order])


def test_routes_lead_to_the_nearest_cell(routed: Cells) -> None:
    """A vector is compared with 663 of 1,100 cells; the nearest is nearly always among them."""
    steps = strangers(1_000, 8, 7)
    table = assign(steps, routed, 9_500)
    products = steps.astype(np.int64) @ routed.centres.astype(np.int64).T
    homes = products.argmax(axis=1)
    assert (table[:, 0] == homes).mean() > 0.99
    chosen = np.take_along_axis(products, np.maximum(table, 0).astype(np.int64), axis=1)
    assert (table[:, 0] >= 0).all()
    guests = table[:, 1:] >= 0
    assert (chosen[:, :1] - chosen[:, 1:] <= border_1e4(9_500) * 1_600)[guests].all()
    assert (np.diff(chosen, axis=1) <= 0)[guests].all()
    assert (np.diff(guests.astype(int), axis=1) <= 0).all()


def test_no_vectors_are_assigned_nowhere(routed: Cells) -> None:
    for cells in (routed, fit_cells(SAMPLE, 12)):
        assert assign(cells.centres[:0], cells, 9_500).shape == (0, MAX_CELLS)


def test_near_vectors_share_a_cell_in_which_one_is_at_home() -> None:
    steps = around(strangers(400, 32, 8), 2, 0.985, 9)
    table = assign(steps, fit_cells(strangers(400, 32, 11), 16), 9_500)
    one, other = table[::2], table[1::2]
    meet = (one == other[:, :1]).any(axis=1) | (other == one[:, :1]).any(axis=1)
    assert meet.mean() >= 0.99
    assert (one[:, 0] != other[:, 0]).mean() > 0.05


def test_vectors_of_a_corpus_and_of_the_sample_need_not_be_the_same() -> None:
    cells = fit_cells(SAMPLE, 12)
    steps = quantise(np.random.default_rng(10).standard_normal((50, 16), dtype=np.float32))
    assert (assign(steps, cells, 9_500)[:, 0] >= 0).all()
