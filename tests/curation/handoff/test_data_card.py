from __future__ import annotations

from curation.handoff.data_card import bars, shares_text
from schemas.planning import PlaceShare, StageShares
from schemas.statistics import ScoreHistogram


def histogram(*counts: tuple[int, int]) -> ScoreHistogram:
    return ScoreHistogram(
        text_kind="best",
        aggregation="mean",
        count=sum(count for _, count in counts),
        sum_1e4=0,
        underflow=0,
        overflow=0,
        counts=counts,
        mean_1e4=None,
        minimum_1e4=None,
        maximum_1e4=None,
        quantiles_1e4=(),
        bucket_shares=(),
        truncated_texts=0,
    )


def test_bars_add_up_fifty_bins_and_show_empty_ones() -> None:
    # Bins 1200 and 1249 are of one bar, 1250 of the next; 1399 is two bars on, with nothing between.
    assert bars(histogram((1200, 30), (1249, 50), (1250, 1), (1399, 40))) == "from 0.20: █▁·▄"


def test_no_score_has_no_bars() -> None:
    assert bars(histogram()) == ""


def test_a_share_has_its_repeats() -> None:
    place = PlaceShare(source="web", tier="noisy_low", samples=40, share=0.125, repeats=0.25)
    stage = StageShares(
        stage=2,
        batch_size=8,
        samples=80,
        duration_us=3_600_000_000,
        steps_per_epoch=10,
        places=(place,),
        dropped_per_round={},
        left_out={"no_weight": 2},
    )
    text = shares_text([stage])
    assert "Stage 2, batches of 8: 80 samples, 1.000 hours,\n10 steps an epoch" in text
    assert "| web | noisy_low | 40 | 12.50% | 0.250 |" in text
    assert "Never drawn: 2 no_weight." in text
