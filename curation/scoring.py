"""Scores: cosines between score frames and texts, aggregated over frames and stored as integers of 1e-4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

AGGREGATIONS = ("mean", "max")


class ScoreNotFinite(ValueError):
    """A cosine is NaN or infinite: no number may stand for it."""


def aggregate_cosines(cosines: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return each aggregation over frames as integers of 1e-4.

    Args:
        cosines: float32 [frames, texts] in [-1, 1].

    Returns:
        aggregation -> int64 [texts], rounded half to even.

    Raises:
        ScoreNotFinite: a cosine is NaN or infinite.
    """
    if not np.isfinite(cosines).all():
        bad = int((~np.isfinite(cosines)).sum())
        raise ScoreNotFinite(f"{bad} of {cosines.size} cosines are not finite")
    wide = cosines.astype(np.float64)
    values = {"mean": wide.mean(axis=0), "max": wide.max(axis=0)}
    return {name: np.rint(values[name] * 10_000).astype(np.int64) for name in AGGREGATIONS}


def score_pairs(frames: np.ndarray, texts: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the scores of one clip against its texts.

    Args:
        frames: float32 [frames, D], L2-normalised frame embeddings of the clip.
        texts: float32 [texts, D], L2-normalised text embeddings.

    Raises:
        ScoreNotFinite: an embedding holds a value that is not finite.
    """
    # float64 and an explicit sum: the result does not depend on which matrix kernel the library picks.
    products = frames.astype(np.float64)[:, None, :] * texts.astype(np.float64)[None, :, :]
    return aggregate_cosines(products.sum(axis=2))


def distinct(texts: Sequence[str]) -> list[str]:
    """Return the texts once each, sorted: the order in which they are embedded."""
    return sorted(set(texts))
