"""New clips meet old ones under each key that they share, and under no other."""

from __future__ import annotations

import numpy as np
import pytest

from curation.duplicates.collisions import collide
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.postings import Postings


def postings(keys: list[int], first_clip: int) -> Postings:
    """One posting a clip."""
    clips = np.arange(first_clip, first_clip + len(keys), dtype=np.int64)
    return Postings(np.array(keys, dtype=np.uint64), clips, np.zeros(len(keys), dtype=np.int32))


SEVERAL = {
    "each key once on both sides": (list(range(1_000)), list(range(1_000))),
    "half of the old ones meet nobody": (list(range(0, 500)), list(range(250, 1_250))),
    "one new one among many": ([77], list(range(5_000))),
    "nobody meets": (list(range(100)), list(range(100, 200))),
    "no old ones": ([1, 2], []),
    "no new ones": ([], [1, 2]),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_new_clips_meet_the_old_ones_of_their_keys(case: str) -> None:
    new, old = SEVERAL[case]
    found = collide(postings(new, 0), PerceptualOptions(), postings(old, 10_000)).candidates
    wanted = {(place, 10_000 + old.index(key)) for place, key in enumerate(new) if key in old}
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == wanted
