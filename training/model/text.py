"""The text tower: causal, with one learned class token behind the text."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.config import TextConfig
from training.model.layers import Block, BlockSize, OffsetLayerNorm
from training.model.positions import sinusoids


def check_text(ids: Tensor, paddings: Tensor, config: TextConfig) -> None:
    """Refuse texts of a wrong shape or type; that ids are below the vocabulary is left to the embedding."""
    if ids.dim() != 2 or not 1 <= ids.shape[1] <= config.max_tokens:
        raise ValueError(
            f"ids have shape {tuple(ids.shape)}; allowed: [B, L] with L from 1 to {config.max_tokens}; cut the texts"
        )
    if ids.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"ids are {ids.dtype}; allowed: torch.int32 or torch.int64; convert them with .long()")
    if paddings.shape != ids.shape:
        raise ValueError(
            f"paddings have shape {tuple(paddings.shape)}; allowed: that of ids, {tuple(ids.shape)}; one value a token"
        )


class TextEmbeddings(nn.Module):
    """Tokens scaled by sqrt(D) plus fixed positions, then the class token, scaled too but without a position."""

    position_embedding: Tensor

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.scale = config.width**0.5
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        # with the scale, tokens start at unit spread, like the sinusoids
        nn.init.normal_(self.token_embedding.weight, std=config.width**-0.5)
        self.cls_emb = nn.Parameter(torch.randn(1, 1, config.width) * config.width**-0.5)
        table = sinusoids(config.max_tokens, config.width, config.wavelengths)
        self.register_buffer("position_embedding", table, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """[B, L] -> [B, L + 1, D]."""
        tokens = self.token_embedding(ids) * self.scale + self.position_embedding[: ids.shape[1]]
        return torch.cat([tokens, (self.cls_emb * self.scale).expand(ids.shape[0], -1, -1)], dim=1)


class TextTower(nn.Module):
    """Token ids to one vector a text, not normalised to unit length."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        size = BlockSize(
            width=config.width,
            heads=config.heads,
            mlp_width=config.mlp_width,
            logit_cap=config.logit_cap,
            activation=F.relu,
        )
        self.embeddings = TextEmbeddings(config)
        self.layers = nn.ModuleList([Block(size) for _ in range(config.layers)])
        self.layernorm = OffsetLayerNorm(config.width)

    def forward(self, ids: Tensor, paddings: Tensor) -> Tensor:
        """Ids [B, L] int32 or int64, paddings [B, L] (1 or True is padding) -> [B, D], the class token."""
        check_text(ids, paddings, self.config)
        x = self.embeddings(ids)
        present = F.pad(paddings == 0, (0, 1), value=True)  # the class token is never padding
        length = x.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        visible = causal[None, None] & present[:, None, None, :]
        for layer in self.layers:
            x = layer(x, visible)
        last: Tensor = self.layernorm(x[:, -1])
        return last
