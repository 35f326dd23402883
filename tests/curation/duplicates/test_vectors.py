"""Steps, lengths and similarities against integers and float64; hashes of content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.vectors import (
    MAX_DIMENSIONS,
    as_floats,
    check_products,
    content_hashes,
    lengths_of,
    quantise,
    similarities_1e4,
    usable,
)
from tests.curation.duplicates.embeddings import around, exact_similarities, strangers

LITERAL: dict[str, tuple[list[float], list[int]]] = {
    "an axis": ([0.0, 1.0, 0.0], [0, 4000, 0]),
    "of any length": ([0.0, 0.0, 25.0], [0, 0, 4000]),
    "negative": ([-2.0, 0.0, 0.0], [-4000, 0, 0]),
    "3, 4, 5": ([3.0, -4.0, 0.0], [2400, -3200, 0]),
    "rounded": ([1.0, 1.0, 1.0], [2309, 2309, 2309]),
    "short": ([2e-6, 0.0, 0.0], [4000, 0, 0]),
}

WITHOUT_DIRECTION: dict[str, list[float]] = {
    "zero": [0.0, 0.0],
    "too short": [1e-7, 0.0],
    "nan": [float("nan"), 1.0],
    "infinite": [float("inf"), 1.0],
}


@pytest.mark.parametrize(("vector", "steps"), LITERAL.values(), ids=LITERAL.keys())
def test_a_vector_becomes_steps_of_its_unit_vector(vector: list[float], steps: list[int]) -> None:
    found = quantise(np.array([vector], dtype=np.float32))
    assert found.dtype == np.int16
    assert found.tolist() == [steps]


def test_float16_is_widened_first() -> None:
    vectors = np.array([[300.0, 400.0], [60_000.0, 0.0]], dtype=np.float16)
    assert usable(vectors).tolist() == [True, True]
    assert quantise(vectors).tolist() == [[2400, 3200], [4000, 0]]


@pytest.mark.parametrize("vector", WITHOUT_DIRECTION.values(), ids=WITHOUT_DIRECTION.keys())
@pytest.mark.parametrize("place", [0, 2, 8_200])
def test_a_vector_without_direction_is_named(vector: list[float], place: int) -> None:
    vectors = np.ones((8_210, 2), dtype=np.float32)
    vectors[place] = vector
    assert np.flatnonzero(~usable(vectors)).tolist() == [place]
    with pytest.raises(ValueError, match=f"^vector {place} is zero or not finite; leave out"):
        quantise(vectors)
    assert quantise(vectors[usable(vectors)]).shape == (8_209, 2)


@pytest.mark.parametrize("dimensions", [0, MAX_DIMENSIONS + 1])
def test_dimensions_out_of_bounds_are_refused(dimensions: int) -> None:
    with pytest.raises(ValueError, match=f"{dimensions} dimensions; allowed: 1 to 36000"):
        quantise(np.ones((1, dimensions), dtype=np.float32))


def test_no_vectors_are_no_steps() -> None:
    steps = quantise(np.empty((0, 4), dtype=np.float32))
    assert steps.shape == (0, 4)
    assert lengths_of(steps).shape == content_hashes(steps).shape == (0,)


def test_the_longest_rounding_stays_exact() -> None:
    """With so many dimensions each step is 4,000 / sqrt(34,600) = 21.504, which becomes 22."""
    steps = quantise(np.ones((2, 34_600), dtype=np.float32))
    assert set(steps.ravel().tolist()) == {22}
    products = as_floats(steps) @ as_floats(steps).T
    assert products.max() == 22 * 22 * 34_600 < 2**24
    assert similarities_1e4(products, lengths_of(steps)[:, None], lengths_of(steps)).tolist() == [[10_000] * 2] * 2


def test_similarities_are_those_of_integers() -> None:
    steps = np.concatenate([strangers(200, 48, 1), around(strangers(20, 48, 1), 10, 0.98, 2)])
    lengths = lengths_of(steps)
    assert np.array_equal(lengths, np.sqrt((steps.astype(np.int64) ** 2).sum(axis=1).astype(np.float64)))
    products = as_floats(steps) @ as_floats(steps).T
    found = similarities_1e4(products, lengths[:, None], lengths)
    assert np.array_equal(found, exact_similarities(steps))
    assert found.diagonal().tolist() == [10_000] * 400


def test_a_similarity_is_rounded_to_1e4() -> None:
    steps = np.array([[4000, 0], [3200, 2400], [0, 4000], [-4000, 0], [2829, 2829]], dtype=np.int16)
    lengths = lengths_of(steps)
    found = similarities_1e4(as_floats(steps[:1]) @ as_floats(steps).T, lengths[:1, None], lengths)
    assert found.dtype == np.int32
    assert found.tolist() == [[10_000, 8_000, 0, -10_000, 7_071]]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 512), max_size=6))
def test_products_are_exact_in_blocks_of_any_size_and_order(seed: int, cuts: list[int]) -> None:
    steps = strangers(12, 512, seed)
    steps[6:] = steps[:6]
    order = np.random.default_rng(seed).permutation(512)
    total = np.zeros((12, 12), dtype=np.float32)
    for part in np.split(order, sorted(cuts)):
        total += as_floats(steps[:, part]) @ as_floats(steps[:, part]).T
    wide = steps.astype(np.int64)
    assert np.array_equal(total.astype(np.int64), wide @ wide.T)


def test_float32_products_of_this_machine_are_exact() -> None:
    check_products()


def test_rounding_moves_a_cosine_by_about_1e4() -> None:
    vectors = np.random.default_rng(3).standard_normal((300, 512), dtype=np.float32)
    units = vectors.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    moved = exact_similarities(quantise(vectors)) / 10_000 - units @ units.T
    assert moved.std() < 1.5e-4


def test_a_hash_is_one_of_content_alone() -> None:
    steps = strangers(3_000, 7, 4)
    hashes = content_hashes(steps)
    assert len(set(hashes.tolist())) == 3_000
    assert np.array_equal(content_hashes(steps[::-1])[::-1], hashes)
    assert np.array_equal(content_hashes(steps[5:6]), hashes[5:6])
    assert not np.intersect1d(content_hashes(steps, seed=1), hashes).size


def test_a_hash_sees_each_step_and_its_place() -> None:
    steps = np.zeros((19, 9), dtype=np.int16)
    steps[np.arange(9), np.arange(9)] = 4_000
    steps[np.arange(9, 18), np.arange(9)] = -4_000
    assert len(set(content_hashes(steps).tolist())) == 19


def test_hashes_are_those_of_every_machine() -> None:
    """Samples and seeds of cells depend on them: a changed hash changes what a search finds."""
    steps = np.array([[4000, 0, 0], [2400, -3200, 0]], dtype=np.int16)
    assert content_hashes(steps).tolist() == [11_316_654_484_581_305_667, 92_083_207_286_932_653]
