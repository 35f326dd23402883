"""The buckets of clip lengths."""

from __future__ import annotations

import pytest

from curation.lengths import length_bucket
from schemas.published import VIDEOPRISM_LENGTHS


@pytest.mark.parametrize(
    ("duration_us", "bucket"),
    [
        (0, 0),
        (2_999_999, 0),
        (3_000_000, 1),
        (5_000_000, 2),
        (9_999_999, 2),
        (10_000_000, 3),
        (20_000_000, 4),
        (10**9, 4),
    ],
)
def test_a_bucket_begins_at_its_bound(duration_us: int, bucket: int) -> None:
    assert length_bucket(duration_us) == bucket


def test_the_published_shares_are_of_a_whole() -> None:
    assert sum(share for _, share in VIDEOPRISM_LENGTHS) == pytest.approx(1.0, abs=0.002)
