"""Options of the search refuse what is out of bounds."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from curation.duplicates.search_options import SearchOptions

BOUNDS = {
    "threshold_1e4": (5_000, 10_000),
    "cell_clips": (16, 100_000),
    "compared_per_clip": (16, 1_000_000),
    "pairs_per_clip": (1, 10_000),
    "equal_clips": (2, 10_000),
    "seed": (0, 2**63 - 1),
}


@pytest.mark.parametrize(("name", "low", "high"), [(name, *bounds) for name, bounds in BOUNDS.items()])
def test_each_number_has_bounds(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(replace(SearchOptions(), **{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"^{name} is {value}; allowed: {low} to {high}$"):
            replace(SearchOptions(), **{name: value})


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold_1e4 is nan"):
        replace(SearchOptions(), **{"threshold_1e4": float("nan")})


def test_options_stay_as_they_are() -> None:
    with pytest.raises(FrozenInstanceError):
        SearchOptions().seed = 1  # type: ignore[misc]
