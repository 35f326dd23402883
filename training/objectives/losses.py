"""The losses of VideoPrism (arXiv 2402.13217, sections 3.2 and 3.3) and SigLIP's as pure functions."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.objectives.ranks import Ranks, SingleProcess


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """This rank's clips and texts, and everybody's to compare them with. All rows have unit length.

    Attributes:
        video, text: [B, D]; row i of one belongs to row i of the other.
        every_video, every_text: [M, D], of all ranks.
        first: where this rank's rows begin in them.
    """

    video: Tensor
    text: Tensor
    every_video: Tensor
    every_text: Tensor
    first: int = 0

    @classmethod
    def of(cls, video: Tensor, text: Tensor, ranks: Ranks | None = None) -> Pairs:
        """Return a rank's pairs beside those of all ranks; it is alone by default.

        Raises:
            ValueError: the shapes differ.
        """
        if video.shape != text.shape or video.dim() != 2:
            raise ValueError(
                f"video is {tuple(video.shape)} and text {tuple(text.shape)}; allowed: both [B, D]; give pairs row by "
                "row"
            )
        ranks = ranks or SingleProcess()
        # A scale of up to 100 would turn the rounding of a half-precision product into whole units of the logits.
        video, text = video.float(), text.float()
        return cls(
            video=video,
            text=text,
            every_video=ranks.gather(video),
            every_text=ranks.gather(text),
            first=ranks.rank * video.shape[0],
        )

    @property
    def partners(self) -> Tensor:
        """Where each own row's partner stands among everybody's: int64 [B]."""
        return torch.arange(self.first, self.first + self.video.shape[0], device=self.video.device)


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which no product is rounded more than its factors are."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def softmax_loss(pairs: Pairs, scale: Tensor) -> Tensor:
    """Return the symmetric softmax cross-entropy (paper, section 3.2): mean over own rows and both directions.

    Args:
        scale: a scalar, 1 / temperature.
    """
    with _full_precision(pairs.video.device):
        to_text = scale.float() * pairs.video @ pairs.every_text.T
        to_video = scale.float() * pairs.text @ pairs.every_video.T
        return 0.5 * (F.cross_entropy(to_text, pairs.partners) + F.cross_entropy(to_video, pairs.partners))


def sigmoid_loss(pairs: Pairs, scale: Tensor, bias: Tensor) -> Tensor:
    """Return SigLIP's loss (arXiv 2303.15343, algorithm 1): each of all pairs is right or wrong by itself.

    Summed over all texts, mean over own clips.

    Args:
        scale, bias: scalars; logits are scale * cosine + bias.
    """
    with _full_precision(pairs.video.device):
        logits = scale.float() * pairs.video @ pairs.every_text.T + bias.float()
        # +1 for a clip's own text, -1 for all others
        signs = 2.0 * F.one_hot(pairs.partners, logits.shape[1]).to(logits.dtype) - 1.0
        return -F.logsigmoid(signs * logits).sum(dim=1).mean()


def pair_accuracy(pairs: Pairs) -> Tensor:
    """Return the share of own clips whose own text is the nearest of everybody's."""
    nearest = (pairs.video @ pairs.every_text.T).argmax(dim=1)
    return (nearest == pairs.partners).float().mean()


def cosine_distances(predicted: Tensor, target: Tensor) -> Tensor:
    """Return 1 - cosine of each vector: [..., D] and [..., D] -> [...] in [0, 2], float32.

    Raises:
        ValueError: the shapes differ.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted is {tuple(predicted.shape)} and target {tuple(target.shape)}; allowed: equal shapes"
        )
    return 1.0 - F.cosine_similarity(predicted.float(), target.float(), dim=-1)
