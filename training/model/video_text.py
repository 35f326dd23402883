"""The video-text model: encoder, auxiliary layers and pooling on one side, the text tower on the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.model.config import EncoderConfig, TextConfig, check_count
from training.model.encoder import VideoEncoder
from training.model.layers import AttentionPool, Block, BlockSize, OffsetLayerNorm
from training.model.packing import Packing, tokens_present
from training.model.text import TextTower

UNIT_EPS = 1e-12  # published code: under the square root of the unit-length division
INNER_FACTOR = 4  # published code: the pooler's attention is 4 * D wide
AUXILIARY_LAYERS = 2  # published configurations


def unit_length(x: Tensor) -> Tensor:
    """[..., D] -> the same with length 1, in float32; a zero vector stays zero."""
    x = x.float()
    return x * torch.rsqrt(x.square().sum(dim=-1, keepdim=True).clamp(min=UNIT_EPS))


class VideoTower(nn.Module):
    """Frames to one vector a clip, not normalised to unit length.

    pooling_width: of the pooler's attention; 4 * D without it, as published.
    """

    def __init__(
        self, config: EncoderConfig, auxiliary_layers: int = AUXILIARY_LAYERS, pooling_width: int | None = None
    ) -> None:
        super().__init__()
        if auxiliary_layers != 0:  # none at all is the paper's own description
            check_count("auxiliary_layers", auxiliary_layers)
        size = BlockSize(width=config.width, heads=config.heads, mlp_width=config.mlp_width, logit_cap=config.logit_cap)
        self.vision_model = VideoEncoder(config)
        self.auxiliary_layers = nn.ModuleList([Block(size) for _ in range(auxiliary_layers)])
        self.head = AttentionPool(config.width, config.heads, pooling_width or INNER_FACTOR * config.width)
        self.head_layernorm = OffsetLayerNorm(config.width)

    def forward(self, frames: Tensor, keep: Tensor | None = None, *, frame_paddings: Tensor | None = None) -> Tensor:
        """Arguments as in `VideoEncoder` -> [B, D]."""
        tokens = self.vision_model(frames, keep, frame_paddings=frame_paddings).tokens
        return self.pool(tokens, tokens_present(tokens, frame_paddings))

    def pool(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Encoder tokens [B, M, D], any subset of a clip's -> [B, D]: attention over all of them, then the pooler.

        present: bool [B, M], False for tokens that are not there. The published code has no such mask here: it pools
        over padding frames too.
        """
        packing = None if present is None else Packing.of(present)
        x = tokens if packing is None else packing.collect(tokens)
        for layer in self.auxiliary_layers:
            x = layer(x, packing=packing)
        if packing is not None:
            x = packing.spread(x)
        pooled: Tensor = self.head_layernorm(self.head(x, present))
        return pooled


class VideoTextModel(nn.Module):
    """Both towers. Embeddings have unit length; a temperature is the loss's business, the checkpoints hold none."""

    def __init__(
        self,
        video: EncoderConfig,
        text: TextConfig,
        auxiliary_layers: int = AUXILIARY_LAYERS,
        pooling_width: int | None = None,
    ) -> None:
        super().__init__()
        if video.width != text.width:
            raise ValueError(
                f"text width is {text.width} and video width {video.width}; allowed: equal widths; change one of them"
            )
        self.video_model = VideoTower(video, auxiliary_layers, pooling_width)
        self.text_model = TextTower(text)

    def embed_video(
        self, frames: Tensor, keep: Tensor | None = None, *, frame_paddings: Tensor | None = None
    ) -> Tensor:
        """Arguments as in `VideoEncoder` -> float32 [B, D], unit length."""
        return unit_length(self.video_model(frames, keep, frame_paddings=frame_paddings))

    def embed_text(self, ids: Tensor, paddings: Tensor) -> Tensor:
        """Arguments as in `TextTower` -> float32 [B, D], unit length."""
        return unit_length(self.text_model(ids, paddings))

    def forward(
        self, frames: Tensor, ids: Tensor, paddings: Tensor, keep: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return (video, text) embeddings, each float32 [B, D] of unit length."""
        return self.embed_video(frames, keep), self.embed_text(ids, paddings)
