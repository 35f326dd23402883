"""Tiles of products, and what is kept of them, against comparing all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curation.duplicates.pairs import Pairs
from curation.duplicates.tiles import TILE_COLUMNS, TILE_ROWS, Leaf, compared_pairs, every_pair, strongest_and_forest
from curation.duplicates.vectors import Steps, lengths_of
from tests.curation.duplicates.embeddings import (
    Found,
    around,
    components,
    exact_similarities,
    found_pairs,
    strangers,
    strongest,
)

MANY = 1_000_000


def leaf_of(
    steps: Steps,
    threshold_1e4: int,
    *,
    roles: NDArray[np.int64] | None = None,
    full: int = 1,
    first_rows: int | None = None,
) -> Leaf:
    """Return a leaf of all vectors, each with every bit unless roles are given."""
    return Leaf(
        steps=steps,
        lengths=lengths_of(steps),
        rows=np.arange(len(steps)),
        roles=np.full(len(steps), full, dtype=np.int64) if roles is None else roles,
        full=full,
        threshold_1e4=threshold_1e4,
        first_rows=len(steps) if first_rows is None else first_rows,
    )


def expected(leaf: Leaf) -> Found:
    """Return the pairs that are to be told, by their places in the leaf."""
    similarities = exact_similarities(leaf.steps[leaf.rows])
    wanted = np.triu(similarities >= leaf.threshold_1e4, 1)
    wanted &= np.bitwise_or.outer(leaf.roles, leaf.roles) == leaf.full
    wanted[leaf.first_rows :] = False
    first, second = np.nonzero(wanted)
    told = zip(first.tolist(), second.tolist(), similarities[first, second].tolist(), strict=True)
    return {(one, other): similarity for one, other, similarity in told}


def told(leaf: Leaf, pairs: Pairs | None) -> Found:
    assert pairs is not None
    return found_pairs(np.arange(len(leaf.rows)), pairs)


def random_roles(count: int, bits: int, seed: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).integers(0, 1 << bits, count))[::-1].astype(np.int64)


SIZES = [0, 1, 2, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 700]


@pytest.mark.parametrize("size", SIZES)
def test_every_pair_is_told_at_any_size(size: int) -> None:
    leaf = leaf_of(strangers(size, 6, 1), 8_000)
    assert told(leaf, every_pair(leaf, MANY)) == expected(leaf)


def test_pairs_of_more_than_one_tile_of_columns_are_told() -> None:
    count = TILE_COLUMNS + TILE_ROWS + 50
    steps = strangers(count, 8, 2)
    steps[-40:] = steps[1_000:1_040]
    steps[TILE_COLUMNS - 5 : TILE_COLUMNS + 5] = steps[0]
    roles = random_roles(count, 2, 3)
    leaf = leaf_of(steps, 9_990, roles=roles, full=3)
    right = expected(leaf)
    assert max(first for first, _ in right) > TILE_ROWS
    assert told(leaf, every_pair(leaf, MANY)) == right
    assert strongest(told(leaf, strongest_and_forest(leaf))) == strongest(right)


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 600),
    bits=st.integers(1, 4),
    first_rows=st.integers(1, 600),
    threshold=st.integers(7_000, 9_900),
    seed=st.integers(0, 10**6),
)
def test_what_is_compared_goes_by_roles_and_first_rows(
    count: int, bits: int, first_rows: int, threshold: int, seed: int
) -> None:
    roles = random_roles(count, bits, seed)
    full = (1 << bits) - 1
    leaf = leaf_of(strangers(count, 5, seed), threshold, roles=roles, full=full, first_rows=first_rows)
    right = expected(leaf)
    assert told(leaf, every_pair(leaf, MANY)) == right
    thinned = told(leaf, strongest_and_forest(leaf))
    assert thinned.items() <= right.items()
    assert strongest(thinned) == strongest(right)
    assert components(count, thinned) == components(count, right)
    assert len(thinned) <= 3 * count


@settings(max_examples=20, deadline=None)
@given(roles=st.lists(st.integers(0, 7), max_size=40))
def test_pairs_to_compare_are_counted(roles: list[int]) -> None:
    counted = sum(one | other == 7 for place, one in enumerate(roles) for other in roles[:place])
    assert compared_pairs(np.array(roles, dtype=np.int64), 7) == counted


def test_the_threshold_itself_is_near_and_a_step_of_1e4_below_is_not() -> None:
    """Cosines are 0.8, and 0.9 with lengths that rounding has changed."""
    steps = np.array([[4000, 0, 0], [3200, 2400, 0], [0, 0, 4000], [1744, 0, 3600]], dtype=np.int16)
    for pair, similarity in (((0, 1), 8_000), ((2, 3), 9_000)):
        at, above = leaf_of(steps, similarity), leaf_of(steps, similarity + 1)
        assert told(at, every_pair(at, MANY))[pair] == told(at, strongest_and_forest(at))[pair] == similarity
        assert pair not in told(above, every_pair(above, MANY))
        assert pair not in told(above, strongest_and_forest(above))


@pytest.mark.parametrize("threshold", range(9_480, 9_520, 5))
def test_each_threshold_cuts_where_the_rounded_similarity_does(threshold: int) -> None:
    steps = around(strangers(4, 32, 4), 60, 0.974, 5)
    leaf = leaf_of(steps, threshold)
    right = expected(leaf)
    assert threshold in right.values()
    assert told(leaf, every_pair(leaf, MANY)) == right
    thinned = told(leaf, strongest_and_forest(leaf))
    assert components(len(steps), thinned) == components(len(steps), right)


def test_too_many_pairs_are_not_told() -> None:
    leaf = leaf_of(np.concatenate([strangers(1, 8, 6)] * 20), 9_500)
    assert every_pair(leaf, 189) is None
    assert len(told(leaf, every_pair(leaf, 190))) == 190


def test_of_equally_strong_pairs_the_first_by_place_is_told() -> None:
    """Place 3 is 5.5 degrees from places 1 and 5, each of which has a nearer one; the forest holds neither pair.

    All lengths are 1,105, so that float32 cosines are equal too.
    """
    rows = [(1073, 264), (1100, 105), (1092, 169), (1105, 0), (1073, -264), (1100, -105), (1092, -169)]
    leaf = leaf_of(np.array(rows, dtype=np.int16), 9_500)
    right = expected(leaf)
    assert right[1, 3] == right[3, 5] == strongest(right)[3]
    found = told(leaf, strongest_and_forest(leaf))
    assert (1, 3) in found
    assert (3, 5) not in found


def test_a_leaf_has_some_of_the_vectors_in_any_order() -> None:
    steps = around(strangers(10, 16, 7), 4, 0.99, 8)
    rows = np.random.default_rng(9).permutation(40)[:25]
    leaf = Leaf(
        steps=steps,
        lengths=lengths_of(steps),
        rows=rows,
        roles=np.ones(25, dtype=np.int64),
        full=1,
        threshold_1e4=9_500,
        first_rows=25,
    )
    assert expected(leaf)
    assert told(leaf, every_pair(leaf, MANY)) == expected(leaf)
