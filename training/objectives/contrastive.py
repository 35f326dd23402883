"""Stage 1: a clip and its text are pulled together, all other texts of the batch pushed away."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.data import ClipBatch
from training.data.tokens import TextTokenizer
from training.model import VideoTextModel
from training.objectives.base import StepLoss, unit_frames
from training.objectives.losses import contrastive_loss, pair_accuracy
from training.objectives.masks import kept_count, tube_keep

FIRST_TEMPERATURE = 0.07  # CLIP (arXiv 2103.00020, section 2.5); the VideoPrism paper states none
HIGHEST_SCALE = 100.0  # CLIP, the same section: keeps a learned temperature from running away


class LearnedScale(nn.Module):
    """1 / temperature, learned as a logarithm.

    The parameter is capped and not what comes out of it: a capped output has no gradient, and the scale would stay at
    the cap for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / FIRST_TEMPERATURE)))

    def forward(self) -> Tensor:
        """Return the scale: a scalar above 0."""
        return self.log_scale.exp()

    @torch.no_grad()
    def cap(self) -> None:
        """Bring the scale back to HIGHEST_SCALE if it is above."""
        self.log_scale.clamp_(max=math.log(HIGHEST_SCALE))


class ContrastiveParts(nn.Module):
    """What stage 1 trains."""

    def __init__(self, model: VideoTextModel) -> None:
        super().__init__()
        self.model = model
        self.scale = LearnedScale()


class ContrastiveObjective:
    """The loss of stage 1.

    Args:
        dropped_share: the share of patch positions that a clip's tubes leave out in this step; the paper drops 0.5.
    """

    def __init__(self, parts: ContrastiveParts, tokenizer: TextTokenizer, dropped_share: float) -> None:
        self.trained = parts
        self._tokenizer = tokenizer
        self._patches = parts.model.video_model.vision_model.config.patches
        self._kept = kept_count(self._patches, dropped_share)

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the symmetric contrastive loss of a batch.

        Raises:
            ValueError: a clip of the batch has no text.
        """
        texts = [text for text in batch.texts if text is not None]
        if len(texts) != len(batch.texts):
            raise ValueError(f"step {batch.step}: a clip of source {batch.source} has no text; plan with texts only")
        keep = tube_keep(len(texts), self._patches, self._kept, generator)
        video, text = self.trained.model(unit_frames(batch), *self._tokenizer(texts), keep)
        scale = self.trained.scale()
        terms = {"temperature": 1 / scale.detach(), "accuracy": pair_accuracy(video.detach(), text.detach())}
        return StepLoss(total=contrastive_loss(video, text, scale), terms=terms)

    def after_step(self) -> None:
        """Keep the temperature from running away."""
        self.trained.scale.cap()
