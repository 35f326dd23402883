"""The two decoders of stage 2 (arXiv 2402.13217, section 3.3 and Algorithm 1); neither outlives the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.model.config import LOGIT_CAP, check_count, check_heads
from training.model.layers import TABLE_STD, AttentionPool, Block, BlockSize, OffsetLayerNorm, new_linear


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Both decoders have this size. The paper's (Table 11): width 512, 4 layers, mlp_width 2048."""

    width: int = 512
    heads: int = 8
    mlp_width: int = 2048
    layers: int = 4

    def __post_init__(self) -> None:
        for name in ("width", "heads", "mlp_width", "layers"):
            check_count(name, getattr(self, name))
        check_heads(self.width, self.heads)


class _Trunk(nn.Module):
    """Project in, attend over all tokens, norm, project out: [B, M, D] -> [B, M, P]; P is D unless it is given.

    What the layers add to stays float32 where products are bfloat16, as it does in the encoder.
    """

    def __init__(self, outer: int, config: DecoderConfig, predicted: int | None = None) -> None:
        super().__init__()
        size = BlockSize(width=config.width, heads=config.heads, mlp_width=config.mlp_width, logit_cap=LOGIT_CAP)
        self.project_in = new_linear(outer, config.width)
        self.layers = nn.ModuleList([Block(size) for _ in range(config.layers)])
        self.layernorm = OffsetLayerNorm(config.width)
        self.project_out = new_linear(config.width, predicted or outer)

    def enter(self, visible: Tensor) -> Tensor:
        """[B, V, D] -> float32 [B, V, W]."""
        projected: Tensor = self.project_in(visible).float()
        return projected

    def attend(self, x: Tensor) -> Tensor:
        """[B, M, W] -> [B, M, P]."""
        for layer in self.layers:
            x = layer(x)
        predicted: Tensor = self.project_out(self.layernorm(x))
        return predicted


class LocalDecoder(_Trunk):
    """Predicts something for every place of a clip, such as the teacher's tokens, from the student's visible tokens.

    Visible tokens stand at their places and copies of one learned mask token at all others; then all are put into a
    random order, and only then get the embeddings of the places: slot i always says that it is place i and holds
    anything. A student that starts as its teacher could otherwise copy its visible tokens to where they belong.
    """

    def __init__(self, outer: int, places: int, config: DecoderConfig, predicted: int | None = None) -> None:
        super().__init__(outer, config, predicted)
        self.mask_token = nn.Parameter(torch.randn(1, 1, config.width) * TABLE_STD)
        self.position_embeddings = nn.Parameter(torch.randn(1, places, config.width) * TABLE_STD)

    def forward(self, visible: Tensor, places: Tensor, order: Tensor | None = None) -> Tensor:
        """Predict [B, T*N, P], slot i for place i; P is the width of the tokens unless it was given.

        Args:
            visible: [B, V, D], the student's tokens.
            places: int64 [B, V], the place of each, from 0 to T*N - 1, none twice in a clip.
            order: int64 [B, T*N], one permutation a clip: slot i gets what stands at place order[i]. None leaves all
                where it stands.

        Raises:
            ValueError: places or order have another shape.
        """
        clips, count = visible.shape[0], self.position_embeddings.shape[1]
        _check_shape("places", places, (clips, visible.shape[1]), "give a place a token")
        entered = self.enter(visible)
        content = self.mask_token.to(entered.dtype).repeat(clips, count, 1)
        content = content.scatter(1, places[..., None].expand_as(entered), entered)
        if order is not None:
            _check_shape("order", order, (clips, count), "give a permutation a clip")
            content = content.gather(1, order[..., None].expand_as(content))
        return self.attend(content + self.position_embeddings)


def _check_shape(name: str, found: Tensor, allowed: tuple[int, int], mend: str) -> None:
    if found.shape != allowed:
        raise ValueError(f"{name} is {tuple(found.shape)}; allowed: {allowed}; {mend}")


class GlobalDecoder(_Trunk):
    """Predicts the teacher's pooled vector from the visible tokens alone: no mask tokens, no order, no places."""

    def __init__(self, outer: int, heads: int, config: DecoderConfig) -> None:
        super().__init__(outer, config)
        self.head = AttentionPool(outer, heads, outer)

    def forward(self, visible: Tensor) -> Tensor:
        """[B, V, D] -> [B, D], not of unit length."""
        pooled: Tensor = self.head(self.attend(self.enter(visible)))
        return pooled


def shuffled_order(generators: Sequence[torch.Generator], places: int) -> Tensor:
    """Return one random permutation of all places for each clip: int64 [clips, places]."""
    return torch.stack([torch.randperm(places, generator=generator) for generator in generators])
