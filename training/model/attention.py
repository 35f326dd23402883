"""Attention itself: from queries, keys and values to mixed values, with and without a soft cap on the logits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention

# flex attention takes no boolean mask: what a query does not see gets this logit, whose exponential is 0 in float32
HIDDEN_LOGIT = -1e30


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, N, heads * H] -> [B, heads, N, H]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[B, heads, N, H] -> [B, N, heads * H]."""
    return x.transpose(1, 2).flatten(2)


def attend(logits: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
    """Mix values by softmax: logits [B, heads, Q, K], value [B, heads, K, H] -> [B, heads, Q, H].

    visible: bool, broadcastable to the logits; False hides. A row that sees nothing mixes all values evenly, because
    the fill is finite: no NaN. The softmax runs in float32 whatever the activations are, as published.
    """
    if visible is not None:
        logits = logits.masked_fill(~visible, torch.finfo(logits.dtype).min)
    return logits.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value


def self_attention(
    query: Tensor, key: Tensor, value: Tensor, cap: float | None, visible: Tensor | None = None
) -> Tensor:
    """Attend with logits of query * key, all [B, heads, N, H] -> [B, heads, N, H]; the query is scaled already.

    Args:
        cap: logits become cap * tanh(logits / cap). None leaves them as they are, and PyTorch's own kernels do it all.
        visible: bool, broadcastable to [B, heads, N, N]; False hides. It acts after the cap. What a row that sees
            nothing comes to is finite and means nothing.
    """
    if cap is None:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=visible, scale=1.0)
    if query.is_cuda and (visible is None or visible.shape[1:3] == (1, 1)):
        return flex_capped(_compiled_flex(), (query, key, value), cap, visible)
    logits = cap * torch.tanh(query @ key.transpose(-1, -2) / cap)
    return attend(logits, value, visible)


def flex_capped(flex: Any, parts: tuple[Tensor, Tensor, Tensor], cap: float, visible: Tensor | None) -> Tensor:
    """Attend by flex attention, which never writes the logits down.

    Args:
        flex: `flex_attention`, compiled or not. It has a gradient on a GPU only.
        parts: query, key and value, each [B, heads, N, H].
        visible: bool [B, 1, 1, N], or None: keys that all queries of a row see.
    """
    seen = None if visible is None else visible[:, 0, 0]
    mixed: Tensor = flex(*parts, score_mod=_capping(cap, seen), scale=1.0)
    return mixed


def _capping(cap: float, seen: Tensor | None) -> Callable[..., Tensor]:
    def capped(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        score = cap * torch.tanh(score / cap)
        return score if seen is None else torch.where(seen[row, key], score, HIDDEN_LOGIT)

    return capped


@cache
def _compiled_flex() -> Any:
    return torch.compile(flex_attention)
