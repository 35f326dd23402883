"""Finding a clip by its caption and a caption by its clip, and how well that can be done at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from curation.world.factors import FACTORS, seeded
from curation.world.sources import HARVESTS
from curation.world.texts import Phrase, caption
from training.evaluation.clips import SEED_SPACE, HeldOutClip, labels_of

MOTION_RATE = HARVESTS["stock"].motion_rate
"""How many captions speak of motion: as many as in the world's clean source."""

TIE = 1e-6
"""Similarities of unit vectors that differ by less are equal: that is float32 rounding, not knowledge."""


def draw_captions(clips: Sequence[HeldOutClip], seed: int) -> list[Phrase]:
    """Return one clean caption for each clip, no two of them the same string; a repeated one is written again."""
    written: set[str] = set()
    captions = []
    for number, clip in enumerate(clips):
        rng = seeded(SEED_SPACE, "captions", seed, number)
        told = caption(rng, clip.factors, rng.random() < MOTION_RATE)
        while told.text in written:
            told = caption(rng, clip.factors, rng.random() < MOTION_RATE)
        written.add(told.text)
        captions.append(told)
    return captions


def recall(similarity: Tensor, k: int) -> float:
    """Return the share of rows of [N, N] whose own entry, on the diagonal, is among the k best of its row.

    Ties count against it: an entry's rank is the number of others that are not below it.
    """
    similarity = similarity.double()
    above = (similarity >= similarity.diagonal()[:, None] - TIE).sum(dim=1) - 1
    return float((above < k).double().mean())


def expected_recall(scores: Tensor, k: int) -> float:
    """Return what `recall` gives on average when equal entries of [N, N] are put in a random order."""
    own = scores.diagonal()[:, None]
    above, equal = (scores > own).sum(dim=1), (scores == own).sum(dim=1)
    return float(((k - above) / equal).clamp(0, 1).mean())


def ideal_scores(clips: Sequence[HeldOutClip], captions: Sequence[Phrase], seen: Collection[str]) -> Tensor:
    """Return the scores of a matcher that knows the `seen` factors of each clip and what each caption says of them.

    Caption n is about clip n. Captions are written the same way whatever the factors are, so a caption that fits is the
    more likely to be the clip's own, the more clips of the world it rules out. No other score of a pair does better on
    average.

    Returns:
        float64 [captions, clips]: log of one over the share of all clips that a caption fits, or -1 where it is wrong.
    """
    labels = labels_of(clips)
    named = torch.tensor([[name in told.names and name in seen for name in FACTORS] for told in captions])
    fits = ((labels[:, None] == labels[None]) | ~named[:, None]).all(dim=-1)
    classes = torch.tensor([len(values) for values in FACTORS.values()], dtype=torch.float64)
    # rounded: sums of the same logs in another order must tie
    ruled_out = (named.double() @ classes.log()).round(decimals=9)
    return torch.where(fits, ruled_out[:, None], -1.0)
