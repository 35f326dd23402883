"""Wider layers that compute the same: `transformers` has one width for a pooler and the encoder's MLPs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from training.model.sizes import ModelSizes

State = dict[str, Tensor]


def one_width(sizes: ModelSizes, state: Mapping[str, Tensor]) -> tuple[ModelSizes, State]:
    """Return a model whose pooler is as wide as its encoder's MLPs, the narrower of them widened by zeros."""
    found = dict(state)
    video, inner = sizes.video, sizes.pooling_width
    if inner is None or inner == video.mlp_width:
        return sizes, found
    wanted = math.ceil(max(inner, video.mlp_width) / video.heads) * video.heads
    for prefix in {name.split("mlp.")[0] for name in state if ".mlp." in name and not name.startswith("text_model.")}:
        found |= _wider_mlp(state, f"{prefix}mlp.", wanted)
    head = "video_model.head." if sizes.kind == "video_text" else "head."
    found |= _wider_pooler(state, head, video.heads, wanted)
    return replace(sizes, video=replace(video, mlp_width=wanted), pooling_width=wanted), found


def _wider_mlp(state: Mapping[str, Tensor], prefix: str, width: int) -> State:
    """Add units that are always gelu(0) = 0, and that nothing reads."""
    more = width - state[f"{prefix}fc1.bias"].shape[0]
    return {
        f"{prefix}fc1.weight": F.pad(state[f"{prefix}fc1.weight"], (0, 0, 0, more)),
        f"{prefix}fc1.bias": F.pad(state[f"{prefix}fc1.bias"], (0, more)),
        f"{prefix}fc2.weight": F.pad(state[f"{prefix}fc2.weight"], (0, more)),
    }


def _wider_pooler(state: Mapping[str, Tensor], prefix: str, heads: int, width: int) -> State:
    """Add to each head dimensions that are 0 in queries, keys and values."""
    scale = state[f"{prefix}per_dim_scale"]
    old, new = scale.shape[0], width // heads

    def wider(rows: Tensor) -> Tensor:
        per_head = rows.unflatten(0, (heads, old))
        blank = per_head.new_zeros(heads, new - old, *per_head.shape[2:])
        return torch.cat([per_head, blank], dim=1).flatten(0, 1).contiguous()

    found = {f"{prefix}per_dim_scale": F.pad(scale, (0, new - old))}
    for name in ("q_proj", "k_proj", "v_proj"):
        # the query is divided by the root of a head's width, which is another one now
        factor = (new / old) ** 0.5 if name == "q_proj" else 1.0
        for part in ("weight", "bias"):
            found[f"{prefix}{name}.{part}"] = wider(state[f"{prefix}{name}.{part}"]) * factor
    found[f"{prefix}o_proj.weight"] = wider(state[f"{prefix}o_proj.weight"].T).T.contiguous()
    return found
