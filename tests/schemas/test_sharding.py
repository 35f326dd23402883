from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.sharding import ShapeBuckets, ordered_aspects


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "nothing to split by"),
        ({"short_sides_px": [480, 240]}, "does not ascend from 1"),
        ({"short_sides_px": [480, 480]}, "does not ascend from 1"),
        ({"durations_s": [0, 5]}, "does not ascend from 1"),
        ({"aspects": ["wide"]}, "'wide' is no aspect; allowed: width:height"),
        ({"aspects": ["16:0"]}, "is no aspect"),
        ({"aspects": ["16:9", "1:1", "32:18"]}, "names a ratio twice"),
    ],
)
def test_bad_shapes_are_refused_with_what_is_allowed(options: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ShapeBuckets.model_validate(options)


def test_aspects_are_ordered_from_the_narrowest() -> None:
    assert ordered_aspects(("16:9", "9:16", "1:1", "4:3")) == [(9, 16), (1, 1), (4, 3), (16, 9)]
