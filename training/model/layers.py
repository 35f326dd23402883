"""Blocks that all towers share. Attribute names are the state names that `transformers` reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from training.model.attention import attend, join_heads, self_attention, split_heads
from training.model.config import LAYER_NORM_EPS
from training.model.packing import Packing

# 1 / softplus(0): a per-dimension scale of 0 leaves the query as it is (published pooling layer)
SOFTPLUS_UNIT = 1.442695041
TABLE_STD = 0.02  # initial spread of learned position tables, as in ViT


@dataclass(frozen=True, kw_only=True)
class BlockSize:
    """What a transformer block needs to be built; `activation` maps [..., M] to [..., M]; no cap is None."""

    width: int
    heads: int
    mlp_width: int
    logit_cap: float | None
    activation: Callable[[Tensor], Tensor] = F.gelu  # exact erf form, as published


def new_linear(inputs: int, outputs: int) -> nn.Linear:
    """A biased linear layer, weights Xavier-uniform, bias 0."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class OffsetLayerNorm(nn.Module):
    """Layer norm whose stored weight is an offset from 1, as in the published checkpoints."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [..., D] over D, in float32 whatever the activations are -> float32."""
        return F.layer_norm(x.float(), self.weight.shape, 1.0 + self.weight, self.bias, LAYER_NORM_EPS)


def joint_linear(x: Tensor, *layers: nn.Linear) -> tuple[Tensor, ...]:
    """Apply layers of one width to the same [..., D] by one product -> one [..., W] for each.

    One product of three times the width reads x once and, where products are bfloat16, converts it once.
    """
    weight = torch.cat([layer.weight for layer in layers])
    bias = torch.cat([layer.bias for layer in layers])
    return F.linear(x, weight, bias).chunk(len(layers), dim=-1)


class Attention(nn.Module):
    """Multi-head self-attention, its logits soft-capped or not."""

    def __init__(self, size: BlockSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.logit_cap = size.logit_cap
        self.scale = (size.width // size.heads) ** -0.5
        self.q_proj = new_linear(size.width, size.width)
        self.k_proj = new_linear(size.width, size.width)
        self.v_proj = new_linear(size.width, size.width)
        self.o_proj = new_linear(size.width, size.width)

    def forward(self, x: Tensor, visible: Tensor | None = None, packing: Packing | None = None) -> Tensor:
        """[B, N, D] -> [B, N, D]; visible: bool, broadcastable to [B, heads, N, N], applied after the cap.

        With a packing: [S, D] -> [S, D], each token among those of its row.
        """
        query, key, value = joint_linear(x, self.q_proj, self.k_proj, self.v_proj)
        query = query * self.scale
        if packing is not None:
            query, key, value = packing.spread(query), packing.spread(key), packing.spread(value)
            visible = packing.visible
        query, key, value = (split_heads(part, self.heads) for part in (query, key, value))
        mixed = join_heads(self_attention(query, key, value, self.logit_cap, visible))
        projected: Tensor = self.o_proj(mixed if packing is None else packing.collect(mixed))
        return projected


class Mlp(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, size: BlockSize) -> None:
        super().__init__()
        self.activation = size.activation
        self.fc1 = new_linear(size.width, size.mlp_width)
        self.fc2 = new_linear(size.mlp_width, size.width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        mapped: Tensor = self.fc2(self.activation(self.fc1(x)))
        return mapped


class Block(nn.Module):
    """Pre-norm transformer block: norm, attention, residual; norm, MLP, residual.

    recompute: see `set_recompute`.
    """

    def __init__(self, size: BlockSize) -> None:
        super().__init__()
        self.recompute = False
        self.layernorm_before = OffsetLayerNorm(size.width)
        self.attention = Attention(size)
        self.layernorm_after = OffsetLayerNorm(size.width)
        self.mlp = Mlp(size)

    def forward(self, x: Tensor, visible: Tensor | None = None, packing: Packing | None = None) -> Tensor:
        """[B, N, D] -> [B, N, D], or with a packing [S, D] -> [S, D]; arguments as in `Attention`."""
        if self.recompute and torch.is_grad_enabled():
            recomputed: Tensor = checkpoint(self._map, x, visible, packing, use_reentrant=False)
            return recomputed
        return self._map(x, visible, packing)

    def _map(self, x: Tensor, visible: Tensor | None, packing: Packing | None) -> Tensor:
        x = x + self.attention(self.layernorm_before(x), visible, packing)
        mapped: Tensor = x + self.mlp(self.layernorm_after(x))
        return mapped


def set_recompute(model: nn.Module, on: bool = True) -> None:
    """Say whether the blocks of a model keep their activations for the backward pass, or only their inputs.

    With `on` the backward pass computes each block once more (gradient checkpointing): about a third more work, equal
    bits, and memory for one block's activations.
    """
    for module in model.modules():
        if isinstance(module, Block):
            module.recompute = on


class AttentionPool(nn.Module):
    """One learned query attends over all tokens; the head of probes and of the video-text model.

    inner: width of the attention, a multiple of heads; the video-text model uses 4 * D, classifiers D. Logits are not
    capped here. There is no norm: the video-text model puts its own behind it.
    """

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        if inner % heads:
            raise ValueError(f"inner is {inner} with heads {heads}; allowed: a multiple of heads; change one of them")
        self.heads = heads
        self.scale = SOFTPLUS_UNIT * (inner // heads) ** -0.5
        self.per_dim_scale = nn.Parameter(torch.zeros(inner // heads))
        self.pooling_attention_query = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.q_proj = new_linear(width, inner)
        self.k_proj = new_linear(width, inner)
        self.v_proj = new_linear(width, inner)
        self.o_proj = new_linear(inner, width)

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """[B, N, D] -> [B, D]; present: bool [B, N], False for tokens that are not there."""
        query = split_heads(self.q_proj(self.pooling_attention_query), self.heads)
        query = query * (self.scale * F.softplus(self.per_dim_scale))
        key, value = (split_heads(x, self.heads) for x in joint_linear(tokens, self.k_proj, self.v_proj))
        visible = None if present is None else present[:, None, None, :]
        mixed: Tensor = self.o_proj(join_heads(attend(query @ key.transpose(-1, -2), value, visible)))
        return mixed.squeeze(1)
