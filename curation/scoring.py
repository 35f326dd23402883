"""Scores: cosines between score frames and texts, aggregated over frames and stored as integers of 1e-4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

AGGREGATIONS = ("max", "mean", "top_k")
TOP_K = 3
"""Frames of a clip's best that `top_k` averages: with 8 frames, what is seen in a third of the clip counts in full."""


class ScoreNotFinite(ValueError):
    """A cosine is NaN or infinite: no number may stand for it."""


def pair_cosines(frames: NDArray[np.float32], texts: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return float64 [frames, texts] cosines of L2-normalised float32 [frames, D] and [texts, D]."""
    # float64 and an explicit sum: the result does not depend on which matrix kernel the library picks.
    cosines: NDArray[np.float64] = (frames.astype(np.float64)[:, None, :] * texts.astype(np.float64)[None, :, :]).sum(
        axis=2
    )
    return cosines


def aggregate_cosines(cosines: np.ndarray, top_k: int = TOP_K) -> Mapping[str, NDArray[np.int64]]:
    """Return each aggregation over frames as integers of 1e-4.

    Args:
        cosines: [frames, texts] in [-1, 1], at least one frame.
        top_k: how many of a text's best frames `top_k` averages; all of them where there are fewer.

    Returns:
        aggregation -> int64 [texts], rounded half to even.

    Raises:
        ScoreNotFinite: a cosine is NaN or infinite.
        ValueError: top_k is under 1.
    """
    if top_k < 1:
        raise ValueError(f"top_k is {top_k}; allowed: 1 or more; 3 is usual")
    if not np.isfinite(cosines).all():
        bad = int((~np.isfinite(cosines)).sum())
        raise ScoreNotFinite(f"{bad} of {cosines.size} cosines are not finite")
    wide = cosines.astype(np.float64)
    best = np.sort(wide, axis=0)[::-1][:top_k]
    values = {"max": wide.max(axis=0), "mean": wide.mean(axis=0), "top_k": best.mean(axis=0)}
    return {name: np.rint(values[name] * 10_000).astype(np.int64) for name in AGGREGATIONS}


def score_pairs(frames: np.ndarray, texts: np.ndarray, top_k: int = TOP_K) -> Mapping[str, NDArray[np.int64]]:
    """Return the scores of one clip against its texts.

    Args:
        frames: float32 [frames, D], L2-normalised frame embeddings of the clip.
        texts: float32 [texts, D], L2-normalised text embeddings.

    Raises:
        ScoreNotFinite: an embedding holds a value that is not finite.
    """
    return aggregate_cosines(pair_cosines(frames, texts), top_k)


def distinct(texts: Sequence[str]) -> list[str]:
    """Return the texts once each, sorted: the order in which they are embedded."""
    return sorted(set(texts))


def offset_us(text_start_us: int | None, clip_start_us: int | None) -> int:
    """Return how far behind the clip's start a text's own span begins; 0 for a text without a span of its own.

    Args:
        clip_start_us: None is the video's own start.
    """
    return 0 if text_start_us is None else text_start_us - (clip_start_us or 0)
