"""How long clips are, in the buckets of VideoPrism's figure 5."""

from __future__ import annotations

from schemas.published import VIDEOPRISM_LENGTHS

US_PER_S = 1_000_000


def length_bucket(duration_us: int) -> int:
    """Return the bucket of a clip's length: its place in `VIDEOPRISM_LENGTHS`, whose bounds are half-open."""
    return sum(duration_us >= start_s * US_PER_S for start_s, _ in VIDEOPRISM_LENGTHS) - 1
