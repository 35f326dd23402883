"""How semantic duplicates are looked for."""

from __future__ import annotations

from dataclasses import dataclass

_BOUNDS = {
    "threshold_1e4": (5_000, 10_000),
    "cell_clips": (16, 100_000),
    "compared_per_clip": (16, 1_000_000),
    "pairs_per_clip": (1, 10_000),
    "equal_clips": (2, 10_000),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Bounds of the search; all that take part in a result.

    Attributes:
        threshold_1e4: cosine in 1e-4 from which two clips are near.
        cell_clips: clips at home in a cell, on average. Larger cells cost more and lose fewer pairs.
        compared_per_clip: a cell whose clips would be compared with more than so many others, on average, is split.
        pairs_per_clip: a cell that finds more than so many pairs for each of its clips is thinned: each clip keeps its
            strongest pair, and a forest of pairs keeps together what hangs together.
        equal_clips: of more equal vectors in a cell that would be split, one stands for all.
        seed: of the sample and of the first centres.

    Raises:
        ValueError: a number is out of its bounds.
    """

    threshold_1e4: int = 9_500
    cell_clips: int = 150
    compared_per_clip: int = 2_000
    pairs_per_clip: int = 64
    equal_clips: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
