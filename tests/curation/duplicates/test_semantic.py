"""Cells, assignment and search together against comparing all pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.cell_search import Members, SearchCounts, members_of_cells, search_cell
from curation.duplicates.cells import assign
from curation.duplicates.pairs import joined, unique_pairs
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.semantic import cell_count, cells_for, near_pairs
from tests.curation.duplicates.embeddings import all_pairs, around, components, found_pairs, strangers, strongest

SMALL = SearchOptions(cell_clips=40)
# Groups of near copies, and as many that are near nothing.
CLUSTERED = np.concatenate([around(strangers(80, 32, 1), 8, 0.98, 2), strangers(600, 32, 3)])
KEYS = np.random.default_rng(4).permutation(len(CLUSTERED))


@pytest.mark.parametrize(("clips", "cells"), {0: 1, 59: 1, 61: 2, 1_240: 31}.items())
def test_cells_are_counted_by_clips(clips: int, cells: int) -> None:
    assert cell_count(clips, SMALL) == cells


def test_one_cell_finds_all_pairs() -> None:
    options = SearchOptions(cell_clips=100_000)
    result = near_pairs(KEYS, CLUSTERED, options)
    assert result.counts == SearchCounts(cells=1, compared=1_240 * 1_239 // 2)
    assert found_pairs(KEYS, result.pairs) == all_pairs(KEYS, CLUSTERED, 9_500)


@pytest.mark.parametrize("threshold", [9_000, 9_500, 9_700])
def test_many_cells_find_nearly_all_pairs(threshold: int) -> None:
    """Nothing is told that is not there; at most one pair in a hundred is lost."""
    options = replace(SMALL, threshold_1e4=threshold)
    result = near_pairs(KEYS, CLUSTERED, options)
    found, right = found_pairs(KEYS, result.pairs), all_pairs(KEYS, CLUSTERED, threshold)
    assert len(right) > 400
    assert result.counts.cells == 31
    assert result.counts.compared < 0.6 * len(KEYS) ** 2 / 2
    assert found.items() <= right.items()
    assert len(found) >= 0.99 * len(right)


def test_pairs_across_borders_are_found_through_guests() -> None:
    """Cells fitted to other vectors cut through clusters more often, and lose a little more."""
    cells = cells_for(strangers(2_000, 32, 9), SMALL)
    result = near_pairs(KEYS, CLUSTERED, SMALL, cells=cells)
    homes = assign(CLUSTERED, cells, 9_500)[:, 0]
    across = homes[result.pairs.first] != homes[result.pairs.second]
    right = all_pairs(KEYS, CLUSTERED, 9_500)
    assert across.sum() > 0.02 * len(right)
    assert len(found_pairs(KEYS, result.pairs)) >= 0.98 * len(right)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
@pytest.mark.parametrize("options", [SMALL, SearchOptions(cell_clips=40, compared_per_clip=16, pairs_per_clip=1)])
def test_the_order_of_clips_has_no_part_in_what_is_found(options: SearchOptions, seed: int) -> None:
    new = KEYS % 3 > 0
    order = np.random.default_rng(seed).permutation(len(KEYS))
    whole = near_pairs(KEYS, CLUSTERED, options, new=new)
    mixed = near_pairs(KEYS[order], CLUSTERED[order], options, new=new[order])
    assert found_pairs(KEYS[order], mixed.pairs) == found_pairs(KEYS, whole.pairs)
    assert mixed.counts == whole.counts


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_have_no_part_in_what_is_found(threads: int) -> None:
    alone, together = (near_pairs(KEYS, CLUSTERED, SMALL, threads=count) for count in (1, threads))
    assert together.counts == alone.counts
    for one, other in zip(vars(together.pairs).values(), vars(alone.pairs).values(), strict=True):
        assert np.array_equal(one, other)


def test_a_job_that_assigns_in_parts_finds_the_same() -> None:
    cells = cells_for(CLUSTERED, SMALL)
    assigned = np.concatenate([assign(part, cells, 9_500) for part in np.array_split(CLUSTERED, 7)])
    found = []
    for _, places, home in members_of_cells(assigned):
        members = Members(keys=KEYS[places], steps=CLUSTERED[places], home=home, new=np.ones(len(home), dtype=bool))
        found.append(search_cell(members, SMALL).at(places).pairs)
    whole = near_pairs(KEYS, CLUSTERED, SMALL).pairs
    assert found_pairs(KEYS, unique_pairs(joined(found))) == found_pairs(KEYS, whole)


def test_only_pairs_with_a_new_clip_are_looked_for() -> None:
    new = KEYS < 400
    result = near_pairs(KEYS, CLUSTERED, SMALL, new=new)
    whole = found_pairs(KEYS, near_pairs(KEYS, CLUSTERED, SMALL).pairs)
    assert found_pairs(KEYS, result.pairs) == {pair: near for pair, near in whole.items() if pair[0] < 400}
    assert not len(near_pairs(KEYS, CLUSTERED, SMALL, new=np.zeros(len(KEYS), dtype=bool)).pairs)


def test_clips_added_in_two_runs_are_joined_as_in_one() -> None:
    cells = cells_for(CLUSTERED, SMALL)
    old = KEYS < 700
    whole = near_pairs(KEYS, CLUSTERED, SMALL, cells=cells)
    before = near_pairs(KEYS[old], CLUSTERED[old], SMALL, cells=cells)
    after = near_pairs(KEYS, CLUSTERED, SMALL, cells=cells, new=~old)
    both = found_pairs(KEYS[old], before.pairs) | found_pairs(KEYS, after.pairs)
    assert both == found_pairs(KEYS, whole.pairs)


def test_copies_of_one_clip_hang_together_in_small_cells() -> None:
    """Far more copies than a cell may compare, beside near ones and strangers."""
    steps = np.concatenate([np.repeat(strangers(1, 32, 5), 500, axis=0), CLUSTERED])
    keys = np.arange(len(steps))
    result = near_pairs(keys, steps, SearchOptions(cell_clips=40, compared_per_clip=64))
    found, right = found_pairs(keys, result.pairs), all_pairs(keys, steps, 9_500)
    assert result.counts.equal == 499
    assert found.items() <= right.items()
    labels = components(len(keys), found)
    assert labels[:500] == [0] * 500
    same = np.mean([one == other for one, other in zip(labels, components(len(keys), right), strict=True)])
    assert same >= 0.99


def test_thinned_pairs_yield_the_clips_of_all_pairs() -> None:
    options = SearchOptions(cell_clips=100_000, pairs_per_clip=1)
    keys = np.arange(640)
    thinned, whole = (near_pairs(keys, CLUSTERED[:640], one) for one in (options, SearchOptions(cell_clips=100_000)))
    assert (thinned.counts.thinned, whole.counts.thinned) == (1, 0)
    assert len(thinned.pairs) < len(whole.pairs)
    assert strongest(found_pairs(keys, thinned.pairs)) == strongest(found_pairs(keys, whole.pairs))


def test_keys_may_be_bytes() -> None:
    names = np.array([b"%04d" % key for key in KEYS])
    by_number = near_pairs(KEYS, CLUSTERED, SMALL).pairs
    by_name = near_pairs(names, CLUSTERED, SMALL).pairs
    assert np.array_equal(by_name.first, by_number.first)
    assert np.array_equal(by_name.second, by_number.second)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_clips_have_no_pairs(count: int) -> None:
    assert not len(near_pairs(KEYS[:count], CLUSTERED[:count], SMALL).pairs)
