"""The two losses of VideoPrism (arXiv 2402.13217, sections 3.2 and 3.3) as pure functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(video: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric softmax cross-entropy of a batch of pairs, averaged over both directions.

    Args:
        video: [B, D], unit length; row i belongs to row i of the texts.
        text: [B, D], unit length.
        scale: a scalar, 1 / temperature.

    Raises:
        ValueError: the shapes differ.
    """
    if video.shape != text.shape or video.dim() != 2:
        raise ValueError(
            f"video is {tuple(video.shape)} and text {tuple(text.shape)}; allowed: both [B, D]; give pairs row by row"
        )
    own = torch.arange(video.shape[0], device=video.device)
    # A scale of up to 100 would turn the rounding of a half-precision product into whole units of the logits.
    with torch.autocast(video.device.type, enabled=False):
        logits = scale.float() * video.float() @ text.float().T
        return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))


def pair_accuracy(video: Tensor, text: Tensor) -> Tensor:
    """Return the share of clips whose own text is the nearest of the batch; arguments as `contrastive_loss`."""
    nearest = (video @ text.T).argmax(dim=1)
    return (nearest == torch.arange(video.shape[0], device=video.device)).float().mean()


def cosine_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean of 1 - cosine over all vectors: [..., D] and [..., D] -> scalar in [0, 2], float32.

    Raises:
        ValueError: the shapes differ.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted is {tuple(predicted.shape)} and target {tuple(target.shape)}; allowed: equal shapes"
        )
    return 1.0 - F.cosine_similarity(predicted.float(), target.float(), dim=-1).mean()
