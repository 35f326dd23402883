"""The search of one cell against comparing all of its clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curation.duplicates.cell_search import PIVOTS, CellPairs, Members, SearchCounts, members_of_cells, search_cell
from curation.duplicates.pairs import no_pairs
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.vectors import Steps, quantise
from tests.curation.duplicates.embeddings import (
    Found,
    all_pairs,
    around,
    components,
    exact_similarities,
    found_pairs,
    strangers,
    strongest,
)

OPTIONS = SearchOptions()
NARROW = SearchOptions(compared_per_clip=16, cell_clips=50)
"""A cell of some hundred clips has too many pairs to compare."""


def cell_of(steps: Steps, *, home: NDArray[np.bool_] | None = None, new: NDArray[np.bool_] | None = None) -> Members:
    """Return a cell whose clips are named by their places; all at home and new unless told."""
    everyone = np.ones(len(steps), dtype=bool)
    return Members(
        keys=np.arange(len(steps)),
        steps=steps,
        home=everyone if home is None else home,
        new=everyone if new is None else new,
    )


def searched(members: Members, options: SearchOptions) -> tuple[Found, SearchCounts]:
    result = search_cell(members, options)
    return found_pairs(members.keys, result.pairs), result.counts


def right_pairs(members: Members, options: SearchOptions) -> Found:
    return all_pairs(members.keys, members.steps, options.threshold_1e4, home=members.home, new=members.new)


def crowd(size: int, seed: int = 0) -> Steps:
    """Return vectors at a cosine of 0.98 from each other, all near at 0.95."""
    return around(strangers(1, 64, seed), size, 0.98**0.5, seed)


def hardly_different(size: int) -> Steps:
    """Return vectors at about 0.9 from each other, so that no split sets them apart and few pairs reach 0.95."""
    return around(strangers(1, 512, 1), size, 0.9**0.5, 2)


# Of four equal vectors: at home or a guest, new or old; which of the pairs are told.
RULES: dict[str, tuple[list[bool], list[bool], set[tuple[int, int]]]] = {
    "all at home, all new": ([True] * 3, [True] * 3, {(0, 1), (0, 2), (1, 2)}),
    "guests are not compared": ([True, False, False], [True] * 3, {(0, 1), (0, 2)}),
    "old ones are not compared": ([True] * 3, [False, True, False], {(0, 1), (1, 2)}),
    "an old guest and a new one at home": ([False, True, False], [False, True, False], {(0, 1), (1, 2)}),
    "a new guest and an old one at home": ([False, True, False], [True, False, True], {(0, 1), (1, 2)}),
    "old at home, old guest, new guest": ([True, False, False], [False, False, True], {(0, 2)}),
    "no home": ([False] * 3, [True] * 3, set()),
    "nothing new": ([True] * 3, [False] * 3, set()),
}


@pytest.mark.parametrize(("home", "new", "pairs"), RULES.values(), ids=RULES.keys())
def test_a_pair_has_one_at_home_and_a_new_one(home: list[bool], new: list[bool], pairs: set[tuple[int, int]]) -> None:
    steps = np.repeat(strangers(1, 8), 3, axis=0)
    found, counts = searched(cell_of(steps, home=np.array(home), new=np.array(new)), OPTIONS)
    assert found == dict.fromkeys(pairs, 10_000)
    assert counts == SearchCounts(cells=1, compared=len(pairs))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), threshold=st.integers(8_000, 9_990), homes=st.floats(0, 1), news=st.floats(0, 1))
def test_a_cell_tells_exactly_the_pairs_at_the_threshold(seed: int, threshold: int, homes: float, news: float) -> None:
    generator = np.random.default_rng(seed)
    steps = around(strangers(15, 16, seed), 12, 0.98, seed)
    members = Members(
        keys=generator.permutation(180) * 7,
        steps=steps,
        home=generator.random(180) < homes,
        new=generator.random(180) < news,
    )
    options = SearchOptions(threshold_1e4=threshold)
    found, counts = searched(members, options)
    assert found == right_pairs(members, options)
    assert counts.cells == 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
@pytest.mark.parametrize("options", [OPTIONS, NARROW, replace(NARROW, pairs_per_clip=1)])
def test_the_order_of_clips_has_no_part_in_what_is_found(options: SearchOptions, seed: int) -> None:
    steps = np.concatenate([around(strangers(20, 16, 1), 12, 0.98, 2), np.repeat(strangers(1, 16), 12, axis=0)])
    whole = cell_of(steps, home=np.arange(len(steps)) % 5 > 0, new=np.arange(len(steps)) % 7 > 1)
    order = np.random.default_rng(seed).permutation(len(steps))
    mixed = Members(keys=order, steps=steps[order], home=whole.home[order], new=whole.new[order])
    assert searched(mixed, options) == searched(whole, options)


def test_keys_of_bytes_are_sorted_as_bytes() -> None:
    steps = np.repeat(strangers(1, 8), 2, axis=0)
    everyone = np.ones(2, dtype=bool)
    result = search_cell(Members(keys=np.array([b"b", b"a"]), steps=steps, home=everyone, new=everyone), OPTIONS)
    assert (result.pairs.first.tolist(), result.pairs.second.tolist()) == ([1], [0])


def test_an_empty_cell_has_no_pairs() -> None:
    assert searched(cell_of(strangers(0)), OPTIONS)[0] == {}


def test_a_split_cell_finds_the_same() -> None:
    """Borders are measured, not proven: of the pairs of a split cell at most one in a hundred is lost."""
    steps = around(strangers(60, 32, 3), 10, 0.98, 4)
    members = cell_of(steps, new=np.arange(600) % 3 > 0)
    found, counts = searched(members, NARROW)
    right = right_pairs(members, NARROW)
    assert counts.split > 0
    assert counts.pivoted == counts.thinned == counts.equal == 0
    assert found.items() <= right.items()
    assert len(found) >= 0.99 * len(right)


def test_a_split_cell_keeps_guests_apart() -> None:
    steps = around(strangers(60, 32, 3), 10, 0.98, 4)
    members = cell_of(steps, home=np.arange(600) % 2 > 0)
    found, counts = searched(members, NARROW)
    right = right_pairs(members, NARROW)
    assert counts.split > 0
    assert found.items() <= right.items()
    assert len(found) >= 0.99 * len(right)


EQUALS: dict[str, tuple[NDArray[np.bool_], int, int]] = {
    "all new": (np.ones(20, dtype=bool), 0, 19),
    "all old but the last": (np.arange(20) == 19, 0, 18),
    "the first is new": (np.arange(20) != 5, 5, 18),
}


@pytest.mark.parametrize(("new", "stands", "left_out"), EQUALS.values(), ids=EQUALS.keys())
def test_one_of_many_equal_clips_stands_for_all(new: NDArray[np.bool_], stands: int, left_out: int) -> None:
    """Each new one is joined to it; all have what is near them in their component."""
    steps = np.concatenate([np.repeat(strangers(1, 32, 5), 20, axis=0), around(strangers(40, 32, 5), 5, 0.98, 6)])
    members = cell_of(steps, new=np.append(new, np.ones(200, dtype=bool)))
    found, counts = searched(members, NARROW)
    right = right_pairs(members, NARROW)
    assert counts.equal == left_out
    equals = {pair for pair in found if max(pair) < 20}
    assert equals == {(min(stands, one), max(stands, one)) for one in np.flatnonzero(new).tolist() if one != stands}
    assert set(found.values()) >= {10_000}
    # Old ones are joined by the search in which they were new.
    known = [(stands, one) for one in np.flatnonzero(~new).tolist()]
    assert components(220, [*found, *known]) == components(220, [*right, *known])


def test_as_many_equal_clips_as_allowed_are_compared() -> None:
    steps = np.concatenate([np.repeat(strangers(1, 32, 5), 8, axis=0), strangers(200, 32, 6)])
    found, counts = searched(cell_of(steps), NARROW)
    assert counts.equal == 0
    assert sum(max(pair) < 8 for pair in found) == 28


def test_links_of_equal_guests_are_told_where_they_are_at_home() -> None:
    steps = np.concatenate([np.repeat(strangers(1, 32, 5), 20, axis=0), strangers(200, 32, 6)])
    found, counts = searched(cell_of(steps, home=np.arange(220) >= 20), NARROW)
    assert counts.equal == 19
    assert not [pair for pair in found if max(pair) < 20]


def test_a_crowd_is_one_component_and_what_is_near_it_is_found() -> None:
    """The crowd takes all but the last 40 clips: 20 near pairs, the first clip of the first one near the crowd too."""
    steps = np.concatenate([crowd(1_000), around(strangers(20, 64, 7), 2, 0.99, 8)])
    steps[1_000] = around(steps[999:1_000], 1, 0.99, 9)[0]
    members = cell_of(steps)
    found, counts = searched(members, NARROW)
    right = right_pairs(members, NARROW)
    assert counts.crowded >= 1_000
    assert counts.compared < len(right)
    assert found.items() <= right.items()
    assert components(1_040, found) == components(1_040, right)
    outside = {pair: similarity for pair, similarity in right.items() if min(pair) > 1_000}
    assert len(outside) == 19
    assert outside.items() <= found.items()


def test_a_crowd_of_old_and_new_clips_and_guests_is_one_component() -> None:
    steps = crowd(1_200, 3)
    members = cell_of(steps, home=np.arange(1_200) % 4 > 0, new=np.arange(1_200) % 3 > 0)
    found, counts = searched(members, NARROW)
    right = right_pairs(members, NARROW)
    assert counts.crowded == 1_200
    assert found.items() <= right.items()
    assert components(1_200, found) == components(1_200, right)
    assert len(found) <= 3 * 1_200


def test_clips_that_hardly_differ_are_compared_with_the_first_ones() -> None:
    steps = hardly_different(800)
    steps[700:720] = around(steps[10:30], 1, 0.99, 3)
    steps[720:740] = around(steps[740:760], 1, 0.99, 4)
    members = cell_of(steps)
    found, counts = searched(members, NARROW)
    assert (counts.pivoted, counts.thinned, counts.split) == (800, 1, 0)
    right = {pair: similarity for pair, similarity in right_pairs(members, NARROW).items() if pair[0] < PIVOTS}
    assert len(right) == 20
    assert components(800, found) == components(800, right)
    assert strongest(found) == strongest(right)


def test_equal_clips_that_hardly_differ_from_others_are_all_joined() -> None:
    """None of the equal ones is among the first; old and new ones still hang together."""
    steps = hardly_different(800)
    steps[780:] = steps[780]
    members = cell_of(steps, new=(np.arange(800) < 780) | (np.arange(800) % 2 > 0))
    found, counts = searched(members, NARROW)
    assert counts.pivoted > 0
    assert counts.equal == 18
    assert set(found) == {(780, one) for one in range(781, 800, 2)}


def test_a_cell_with_too_many_pairs_keeps_strongest_ones_and_components() -> None:
    steps = around(strangers(8, 32, 9), 60, 0.985, 10)
    members = cell_of(steps, home=np.arange(480) % 4 > 0, new=np.arange(480) % 3 > 0)
    options = SearchOptions(pairs_per_clip=2)
    found, counts = searched(members, options)
    right = right_pairs(members, options)
    assert counts == SearchCounts(cells=1, compared=counts.compared, thinned=1)
    assert found.items() <= right.items()
    assert len(found) <= 3 * 480 < len(right)
    assert components(480, found) == components(480, right)
    assert strongest(found) == strongest(right)


def test_a_similarity_is_that_of_all_comparisons() -> None:
    steps = np.concatenate([crowd(500, 1), around(strangers(60, 64, 3), 10, 0.98, 4)])
    similarities = exact_similarities(steps)
    for options in (OPTIONS, NARROW, replace(OPTIONS, pairs_per_clip=1)):
        found, _ = searched(cell_of(steps), options)
        assert found
        assert all(similarities[pair] == similarity for pair, similarity in found.items())


def test_counts_add_up() -> None:
    one = SearchCounts(cells=1, compared=2, split=3, equal=4, crowded=5, pivoted=6, thinned=7)
    assert one + one == SearchCounts(cells=2, compared=4, split=6, equal=8, crowded=10, pivoted=12, thinned=14)


def test_places_of_a_part_become_those_of_the_whole() -> None:
    steps = quantise(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=np.float32))
    part = search_cell(cell_of(steps), OPTIONS)
    moved = part.at(np.array([10, 20, 30]))
    assert (moved.pairs.first.tolist(), moved.pairs.second.tolist()) == ([10], [30])
    assert moved.counts == part.counts
    assert len(CellPairs(pairs=no_pairs(), counts=part.counts).at(np.array([10])).pairs) == 0


def test_members_of_cells_are_told_with_their_homes() -> None:
    assigned = np.array([[2, 0, -1], [0, -1, -1], [5, 2, 0], [-1, -1, -1]], dtype=np.int32)
    found = [(cell, places.tolist(), home.tolist()) for cell, places, home in members_of_cells(assigned)]
    assert found == [
        (0, [0, 1, 2], [False, True, False]),
        (2, [0, 2], [True, False]),
        (5, [2], [True]),
    ]
    assert list(members_of_cells(assigned[:0])) == []
