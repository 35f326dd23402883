"""How perceptual duplicates are looked for, and what makes two clips copies."""

from __future__ import annotations

from dataclasses import dataclass

_BOUNDS = {
    "min_quality": (1, 100),
    "clear_quality": (1, 100),
    "prune_bits": (0, 64),
    "bucket_clips": (2, 10_000),
    "pivots": (1, 1_000),
    "reach": (0, 255),
    "frame_bits": (1, 120),
    "min_overlap_1e4": (1, 10_000),
    "min_matched_1e4": (1, 10_000),
    "min_similarity_1e4": (1, 10_000),
    "min_timing_1e2": (0, 10_000),
    "motion_bits": (0, 128),
    "still_overlap_1e4": (1, 10_000),
}


@dataclass(frozen=True, kw_only=True)
class PerceptualOptions:
    """Bounds of the search, and thresholds; all take part in a result.

    Two clips are laid on each other at the offset that fits best. They are copies where enough of the shorter one lies
    on the other, most hashes of that overlap match, and the timing agrees: what moves in one moves in the other at the
    same moments. Timing is what tells a copy from the same scene seconds later. Where nothing moves it tells nothing;
    such clips are copies only when they agree more closely, and over most of their length.

    Attributes:
        min_quality: hashes of a lower quality (0 to 100) show too little to be compared: black, white, fades.
        clear_quality: a hash of this quality or more counts as a mismatch where it lies on one that shows too little; a
            fainter one does not, because a copy may have lost it.
        prune_bits: a hash within so many bits of the last posted one of its clip is not posted.
        bucket_clips: a bucket with more clips is hot: its clips are compared with its pivots only.
        pivots: of a hot bucket.
        reach: offsets tried on either side of a candidate's, in hashes.
        frame_bits: most differing bits of two hashes that match. Strangers differ in 128 on average, fewer than 1 % of
            them in 96 or less.
        min_overlap_1e4: matching hashes, of those of the clip that has fewer.
        min_matched_1e4: matching hashes, of those that lie on each other.
        min_similarity_1e4: of the overlap: 10,000 is equal, 0 is as far as strangers are.
        min_timing_1e2: agreement in time that explains all motion, in hundredths of its standard error where there is
            none. Clips of one still camera, where other things pass, reach 17 by chance (benchmarks/copies); most
            copies that move reach 30 and more.
        motion_bits: where timing agrees less, clips may still be copies that stand still: each bit of motion counts as
            so many differing bits where timing says nothing, and as a part of that in between.
        still_overlap_1e4: least share of the longer clip that matches, where timing does not agree.

    Raises:
        ValueError: a number is out of its bounds.
    """

    min_quality: int = 2
    clear_quality: int = 6
    prune_bits: int = 6
    bucket_clips: int = 128
    pivots: int = 8
    reach: int = 8
    frame_bits: int = 96
    min_overlap_1e4: int = 5_000
    min_matched_1e4: int = 8_000
    min_similarity_1e4: int = 8_700
    min_timing_1e2: int = 2_000
    motion_bits: int = 4
    still_overlap_1e4: int = 6_000

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
