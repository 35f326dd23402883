"""Yields and cuts, and what they come to: the page's arithmetic and judging's must agree on each.

name -> (rows of a source's yields, {clean, high, low}, {tier: [clips, duration_us, media_bytes]})
Rows are [bin, clips, duration_us, media_bytes, held_rule_clips, held_duplicate_clips].
"""

from __future__ import annotations

Rows = list[list[int | None]]

# Bins 1200, 1250 and 1300 begin at cosines 0.2, 0.25 and 0.3.
THREE: Rows = [
    [None, 5, 50, 500, 1, 0],
    [1_200, 10, 100, 1_000, 0, 2],
    [1_250, 20, 200, 2_000, 3, 0],
    [1_300, 30, 300, 3_000, 0, 4],
]
NOTHING = [0, 0, 0]

TIER_CASES: dict[str, tuple[Rows, dict[str, int | None], dict[str, list[int]]]] = {
    "each bin another tier": (
        THREE,
        {"clean": None, "high": 3_000, "low": 2_500},
        {
            "clean": NOTHING,
            "noisy_high": [30, 300, 3_000],
            "noisy_low": [20, 200, 2_000],
            "video_only": [15, 150, 1_500],
        },
    ),
    "a clean source": (
        THREE,
        {"clean": 2_500, "high": 3_000, "low": 2_000},
        {"clean": [50, 500, 5_000], "noisy_high": NOTHING, "noisy_low": [10, 100, 1_000], "video_only": [5, 50, 500]},
    ),
    "one step above an edge takes its bin away": (
        THREE,
        {"clean": None, "high": 3_010, "low": 2_010},
        {"clean": NOTHING, "noisy_high": NOTHING, "noisy_low": [50, 500, 5_000], "video_only": [15, 150, 1_500]},
    ),
    "everything": (
        THREE,
        {"clean": None, "high": -10_000, "low": -10_000},
        {"clean": NOTHING, "noisy_high": [60, 600, 6_000], "noisy_low": NOTHING, "video_only": [5, 50, 500]},
    ),
    "the last bin holds the cosine 1": (
        [[2_000, 3, 30, 300, 0, 0]],
        {"clean": None, "high": 10_000, "low": 10_000},
        {"clean": NOTHING, "noisy_high": [3, 30, 300], "noisy_low": NOTHING, "video_only": NOTHING},
    ),
    "no clip": (
        [],
        {"clean": 0, "high": 0, "low": 0},
        {"clean": NOTHING, "noisy_high": NOTHING, "noisy_low": NOTHING, "video_only": NOTHING},
    ),
}

# name -> (rows, how many clips are wanted, the highest edge that so many reach)
EDGE_CASES: dict[str, tuple[Rows, int, int]] = {
    "one": (THREE, 1, 3_000),
    "all of the best bin": (THREE, 30, 3_000),
    "one more": (THREE, 31, 2_500),
    "all with a score": (THREE, 60, 2_000),
    "more than there are": (THREE, 61, -10_000),
    "none": (THREE, 0, 10_000),
    "nothing scored": ([[None, 5, 50, 500, 0, 0]], 1, 10_000),
    "only held clips": ([[1_200, 0, 0, 0, 7, 0]], 1, 10_000),
}
