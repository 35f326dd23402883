from __future__ import annotations

import pytest

from curation.scorers import ScorerUnavailable
from curation.scorers.flops import scorer_work


def test_a_published_architecture_does_what_is_published_of_it() -> None:
    # open_clip's own table (docs/model_profile.csv): ViT-B-32 has 4.4 GMAC for an image and 2.98 for a text.
    found = scorer_work("ViT-B-32")
    assert found.frame_gflop / 2 == pytest.approx(4.4, rel=0.02)
    assert found.text_gflop / 2 == pytest.approx(2.98, rel=0.02)
    assert found.side_px == 224 and found.clip_mpx(2) == pytest.approx(2 * 224 * 224 / 1e6)
    assert found.clip_gflop(8, 2) == pytest.approx(8 * found.frame_gflop + 2 * found.text_gflop)


def test_the_shipped_model_is_small() -> None:
    assert 0.01 < scorer_work("world_clip").frame_gflop < 0.1


def test_a_model_that_nobody_knows_is_told() -> None:
    with pytest.raises(ScorerUnavailable, match="name a model that open_clip makes"):
        scorer_work("ViT-Q-7")
