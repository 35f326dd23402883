"""The classifier: encoder, attention pooling, a norm, one linear layer (published: `FactorizedVideoClassifier`)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from training.model.config import EncoderConfig
from training.model.encoder import VideoEncoder
from training.model.layers import AttentionPool, OffsetLayerNorm, new_linear
from training.model.packing import tokens_present


class VideoClassifier(nn.Module):
    """Frames to one logit a label.

    pooling_width: of the pooler's attention; D without it, as published.
    """

    def __init__(self, config: EncoderConfig, labels: Sequence[str], pooling_width: int | None = None) -> None:
        super().__init__()
        if not labels:
            raise ValueError("labels is empty; allowed: from one label; name the classes")
        self.labels = tuple(labels)
        self.vision_model = VideoEncoder(config)
        self.head = AttentionPool(config.width, config.heads, pooling_width or config.width)
        self.head_layernorm = OffsetLayerNorm(config.width)
        self.classifier = new_linear(config.width, len(self.labels))

    def forward(self, frames: Tensor, keep: Tensor | None = None, *, frame_paddings: Tensor | None = None) -> Tensor:
        """Arguments as in `VideoEncoder` -> logits [B, labels]."""
        tokens = self.vision_model(frames, keep, frame_paddings=frame_paddings).tokens
        pooled = self.head_layernorm(self.head(tokens, tokens_present(tokens, frame_paddings)))
        logits: Tensor = self.classifier(pooled)
        return logits
