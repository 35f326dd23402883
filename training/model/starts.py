"""First weights of an encoder from others: an earlier encoder's, or the image tower of an open_clip model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.config import EncoderConfig
from training.model.encoder import CHANNELS, VideoEncoder
from training.model.exchange import load_encoder
from training.model.positions import resize_grid, resize_line, resize_weights

SHARED = ("width", "heads", "mlp_width", "spatial_layers", "patch_px")
# smooth random pictures, on which the spread of an image tower's embeddings is measured
PICTURES, PICTURE_CELLS, PICTURE_SEED = 16, 8, 0


@torch.no_grad()
def start_from_encoder(model: VideoEncoder, folder: Path) -> None:
    """Give a model the weights of an encoder's folder.

    Position tables are resized. Temporal layers are taken only where there are as many as the model has.

    Raises:
        ValueError: the folder cannot be read, or its spatial transformer is of another size.
    """
    other = load_encoder(folder)
    ours, theirs = model.config, other.config
    for name in SHARED:
        _check_equal(str(folder), name, getattr(theirs, name), getattr(ours, name))
    state = other.state_dict()
    places, times = "spatial_embeddings.position_embeddings", "temporal_embeddings.position_embeddings"
    state[places] = resize_grid(state[places][0], theirs.grid, (ours.grid, ours.grid))[None]
    state[times] = resize_line(state[times][0], ours.frames)[None]
    if theirs.temporal_layers != ours.temporal_layers:
        state = {name: value for name, value in state.items() if not name.startswith("temporal_layers.")}
    model.load_state_dict(state, strict=False)


@torch.no_grad()
def start_from_open_clip(model: VideoEncoder, visual: Any) -> None:
    """Give a model's spatial transformer the weights of an open_clip vision transformer (`clip.visual`).

    What has no counterpart: its class token is left out; its first norm, which ours has not, becomes a fixed scale (see
    `_first_norm`); ours caps logits, and its QuickGELU is taken for GELU. Mean and spread of colours, which it expects
    to be taken off, and scales of its layers are folded into weights. Patches and places are resized.

    Raises:
        ValueError: it is another kind of model, or of another size.
    """
    _check_open_clip(model.config, visual)
    embed = model.spatial_embeddings
    weight = visual.conv1.weight.float()
    table = visual.positional_embedding.float()[1:]
    scale, shift = _first_norm(visual, weight, table)
    mean, spread = (torch.tensor(value).view(1, CHANNELS, 1, 1) for value in (visual.image_mean, visual.image_std))
    weight = torch.einsum("de,ecyx->dcyx", scale, weight)
    bias = -(weight * mean / spread).sum(dim=(1, 2, 3)) + shift
    embed.patch_embeddings.projection.weight.copy_(resize_patch(weight / spread, model.config.patch_px).unsqueeze(2))
    embed.patch_embeddings.projection.bias.copy_(bias)
    side, grid = int(table.shape[0] ** 0.5), model.config.grid
    embed.position_embeddings.copy_(resize_grid(table @ scale.T, side, (grid, grid))[None])
    for block, source in zip(model.spatial_layers, visual.transformer.resblocks, strict=True):
        block.load_state_dict(_block_state(source))
    model.layernorm1.weight.copy_(visual.ln_post.weight - 1)
    model.layernorm1.bias.copy_(visual.ln_post.bias)


def resize_patch(weight: Tensor, patch_px: int) -> Tensor:
    """Resize a patch projection [D, 3, P, P] to other patches [D, 3, Q, Q].

    A picture that is resized with its patches keeps its embeddings, exactly where patches grow (FlexiViT, arXiv
    2212.08013, section 3.4: the pseudo-inverse of the resizing).
    """
    if weight.shape[-1] == patch_px:
        return weight
    inverse = torch.linalg.pinv(resize_weights(weight.shape[-1], patch_px).T)
    return torch.einsum("qy,rx,dcyx->dcqr", inverse, inverse, weight)


def _first_norm(visual: Any, weight: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Return the linear map [D, D] and the shift [D] that stand for the norm before the first layer.

    A norm divides each token by its own spread; here all are divided by the mean spread over smooth random pictures.
    """
    width = table.shape[1]
    if isinstance(visual.ln_pre, nn.Identity):
        return torch.eye(width), torch.zeros(width)
    generator = torch.Generator().manual_seed(PICTURE_SEED)
    cells = torch.rand(PICTURES, CHANNELS, PICTURE_CELLS, PICTURE_CELLS, generator=generator)
    pictures = F.interpolate(cells, size=visual.image_size, mode="bilinear")
    mean, spread = (torch.tensor(value).view(1, CHANNELS, 1, 1) for value in (visual.image_mean, visual.image_std))
    tokens = F.conv2d((pictures - mean) / spread, weight, stride=weight.shape[-1]).flatten(2).transpose(1, 2) + table
    typical = tokens.var(dim=2, correction=0).mean().sqrt()
    centring = torch.eye(width) - 1 / width
    return visual.ln_pre.weight.float()[:, None] * centring / typical, visual.ln_pre.bias.float()


def _block_state(source: Any) -> dict[str, Tensor]:
    """State of one of our blocks from one of open_clip's."""
    state: dict[str, Tensor] = {}
    for norm, ours in ((source.ln_1, "layernorm_before"), (source.ln_2, "layernorm_after")):
        state |= {f"{ours}.weight": norm.weight - 1, f"{ours}.bias": norm.bias}
    for name, weight, bias in zip(
        ("q_proj", "k_proj", "v_proj"),
        source.attn.in_proj_weight.chunk(3),
        source.attn.in_proj_bias.chunk(3),
        strict=True,
    ):
        state |= {f"attention.{name}.weight": weight, f"attention.{name}.bias": bias}
    state |= {"mlp.fc1.weight": source.mlp.c_fc.weight, "mlp.fc1.bias": source.mlp.c_fc.bias}
    for layer, scale, ours in (
        (source.attn.out_proj, source.ls_1, "attention.o_proj"),
        (source.mlp.c_proj, source.ls_2, "mlp.fc2"),
    ):
        gamma = getattr(scale, "gamma", torch.ones(layer.weight.shape[0]))
        state |= {f"{ours}.weight": gamma[:, None] * layer.weight, f"{ours}.bias": gamma * layer.bias}
    return state


def _check_open_clip(config: EncoderConfig, visual: Any) -> None:
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    blocks = list(visual.transformer.resblocks) if isinstance(visual, VisionTransformer) else []
    if not blocks or any(type(block) is not ResidualAttentionBlock for block in blocks):
        raise ValueError(
            f"the image tower is a {type(visual).__name__}; allowed: open_clip's own VisionTransformer with plain "
            "blocks (ViT-B-16, ViT-L-14, ...); give such a model"
        )
    table = visual.positional_embedding
    found = {
        "width": table.shape[1],
        "heads": blocks[0].attn.num_heads,
        "mlp_width": blocks[0].mlp.c_fc.out_features,
        "spatial_layers": len(blocks),
    }
    for name, value in found.items():
        _check_equal("the image tower", name, value, getattr(config, name))
    if int((table.shape[0] - 1) ** 0.5) ** 2 != table.shape[0] - 1:
        raise ValueError(
            f"the image tower has {table.shape[0] - 1} places; allowed: a square grid; give a square model"
        )


def _check_equal(where: str, name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError(f"{where}: {name} is {found}; allowed: the model's {wanted}; start from one of its size")
