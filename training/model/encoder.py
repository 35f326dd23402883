"""The factorised VideoPrism encoder (arXiv 2402.13217): a ViT over each frame, then one over time per patch position.

Attribute names are the state names that `transformers`' `VideoPrismVisionModel` reads.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.config import EncoderConfig
from training.model.layers import TABLE_STD, Block, BlockSize, OffsetLayerNorm
from training.model.packing import Packing, check_visible, frames_visible
from training.model.positions import resize_grid, resize_line

CHANNELS = 3


class Encoded(NamedTuple):
    """What the encoder gives for B clips of T frames with N patches each, or K kept ones; time-major tokens.

    tokens: [B, T*N, D] after both transformers.     spatial: [B, T*N, D] after the spatial one and its norm.
    Both are 0 where a patch is hidden or in a padding frame.
    """

    tokens: Tensor
    spatial: Tensor


class PatchProjection(nn.Module):
    """One linear map from a patch's pixels to D, stored in the shape of a 3-D convolution: [D, 3, 1, P, P]."""

    def __init__(self, width: int, patch_px: int) -> None:
        super().__init__()
        fan = CHANNELS * patch_px**2
        self.patch_px = patch_px
        self.weight = nn.Parameter(
            nn.init.xavier_uniform_(torch.empty(width, fan)).view(width, CHANNELS, 1, *[patch_px] * 2)
        )
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels of patches [..., P*P*3], row-major, channel last -> [..., D]."""
        weight = self.weight.squeeze(2).permute(0, 2, 3, 1).flatten(1)
        return F.linear(pixels, weight, self.bias)


class PatchEmbeddings(nn.Module):
    """Holds the projection under its state name."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.projection = PatchProjection(config.width, config.patch_px)

    def forward(self, pixels: Tensor) -> Tensor:
        """[..., P*P*3] -> [..., D]."""
        projected: Tensor = self.projection(pixels)
        return projected


class SpatialEmbeddings(nn.Module):
    """Patches of single frames, projected, plus the learned table of places."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.side = config.grid
        self.patch_embeddings = PatchEmbeddings(config)
        self.position_embeddings = nn.Parameter(torch.randn(1, config.patches, config.width) * TABLE_STD)

    def forward(
        self, pixels: Tensor, grid: tuple[int, int], keep: Tensor | None, packing: Packing | None = None
    ) -> Tensor:
        """Pixels [B, T, N, P*P*3] of a grid of N patches, keep [B, K] -> [B, T, K or N, D], or [S, D] packed."""
        places = resize_grid(self.position_embeddings[0], self.side, grid)[None, None]
        if keep is not None:
            # dropped patches go before the projection, so none of their work is done
            index = keep[:, None, :, None].expand(-1, pixels.shape[1], -1, pixels.shape[3])
            pixels, places = pixels.gather(2, index), places[0, 0][keep][:, None]
        if packing is not None:
            places = packing.collect(places.expand(*pixels.shape[:3], -1).flatten(0, 1))
            pixels = packing.collect(pixels.flatten(0, 1))
        embedded: Tensor = self.patch_embeddings(pixels) + places
        return embedded


class TemporalEmbeddings(nn.Module):
    """The learned table of times."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.position_embeddings = nn.Parameter(torch.randn(1, config.frames, config.width) * TABLE_STD)

    def forward(self, x: Tensor) -> Tensor:
        """[B*N, T, D] -> the same plus times."""
        return x + resize_line(self.position_embeddings[0], x.shape[1])


def cut_patches(frames: Tensor, patch_px: int) -> Tensor:
    """[B, T, H, W, 3] -> [B, T, N, P*P*3]: patches row-major, the pixels within row-major, channel last."""
    rows, columns = frames.shape[2] // patch_px, frames.shape[3] // patch_px
    tiles = frames.unflatten(3, (columns, patch_px)).unflatten(2, (rows, patch_px))
    return tiles.transpose(3, 4).flatten(4).flatten(2, 3)


def check_frames(frames: Tensor, patch_px: int) -> None:
    """Refuse frames of a wrong layout, type or size."""
    shape = tuple(frames.shape)
    if frames.dim() != 5 or shape[4] != CHANNELS or not all(shape):
        raise ValueError(f"frames have shape {shape}; allowed: [B, T, H, W, 3] without a 0; permute or stack them so")
    if not frames.is_floating_point():
        raise ValueError(f"frames are {frames.dtype}; allowed: floating point in [0, 1]; divide bytes by 255")
    if shape[2] % patch_px or shape[3] % patch_px:
        raise ValueError(
            f"frames are {shape[2]} x {shape[3]} px; allowed: multiples of the patch, {patch_px} px; resize them"
        )


def check_keep(keep: Tensor, clips: int, patches: int) -> None:
    """Refuse a token subset of the wrong shape, type or range; that positions are distinct is left to the caller."""
    if keep.dim() != 2 or keep.shape[0] != clips or keep.shape[1] < 1:
        raise ValueError(f"keep has shape {tuple(keep.shape)}; allowed: [{clips}, K] with K from 1; one row a clip")
    if keep.dtype != torch.int64:
        raise ValueError(f"keep is {keep.dtype}; allowed: torch.int64; convert it with .long()")
    # on other devices this would wait for the device; there the gather itself reports it
    if keep.device.type != "cpu" or torch.compiler.is_compiling():
        return
    if not 0 <= int(keep.min()) <= int(keep.max()) < patches:
        raise ValueError(
            f"keep holds {int(keep.min())} to {int(keep.max())}; allowed: 0 to {patches - 1}; draw patches of this grid"
        )


class VideoEncoder(nn.Module):
    """Frames to tokens. No class token, no pooling; every patch of every frame has a token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        size = BlockSize(width=config.width, heads=config.heads, mlp_width=config.mlp_width, logit_cap=config.logit_cap)
        self.spatial_embeddings = SpatialEmbeddings(config)
        self.spatial_layers = nn.ModuleList([Block(size) for _ in range(config.spatial_layers)])
        self.layernorm1 = OffsetLayerNorm(config.width)
        self.temporal_embeddings = TemporalEmbeddings(config)
        self.temporal_layers = nn.ModuleList([Block(size) for _ in range(config.temporal_layers)])
        self.layernorm2 = OffsetLayerNorm(config.width)

    def forward(
        self,
        frames: Tensor,
        keep: Tensor | None = None,
        *,
        visible: Tensor | None = None,
        frame_paddings: Tensor | None = None,
    ) -> Encoded:
        """Encode clips.

        Args:
            frames: [B, T, H, W, 3], floating point in [0, 1], no mean subtracted. T, H and W may differ from the
                config's: the position tables are resized. H and W are multiples of the patch.
            keep: int64 [B, K], distinct patch positions in [0, N): in every frame of a clip only these have tokens
                (tube dropping), in this order. The others cost nothing. All N without it.
            visible: bool [B, T, N], not beside keep: which patches have tokens, frame by frame. A token attends to the
                visible ones of its frame, then to those at its position in other frames: exactly as if the hidden
                ones did not exist. Of hidden ones only the attention's share of the work is done.
            frame_paddings: [B, T], 1 or True for frames that are none: as if all their patches were hidden. Times are
                those of all T frames (published code).
        """
        check_frames(frames, self.config.patch_px)
        grid = (frames.shape[2] // self.config.patch_px, frames.shape[3] // self.config.patch_px)
        if keep is not None:
            check_keep(keep, frames.shape[0], grid[0] * grid[1])
        pixels = cut_patches(frames, self.config.patch_px)
        present = self._present(pixels, keep, visible, frame_paddings)
        if present is not None:
            return self._encode_packed(pixels, grid, keep, present)
        spatial = self._over_space(self.spatial_embeddings(pixels, grid, keep))
        return Encoded(tokens=self._over_time(spatial).flatten(1, 2), spatial=spatial.flatten(1, 2))

    def _present(
        self, pixels: Tensor, keep: Tensor | None, visible: Tensor | None, frame_paddings: Tensor | None
    ) -> Tensor | None:
        """Return which tokens there are, bool [B, T, K or N], or None for all."""
        if keep is not None and visible is not None:
            raise ValueError("keep and visible are both given; allowed: one of them; hide what is dropped in visible")
        clips, frames, patches = pixels.shape[:3]
        shape = (clips, frames, patches if keep is None else keep.shape[1])
        if visible is not None:
            check_visible(visible, shape)
        if frame_paddings is None:
            return visible
        real = frames_visible(frame_paddings, shape)
        present = real if visible is None else visible & real
        check_visible(present, shape)
        return present

    def _encode_packed(self, pixels: Tensor, grid: tuple[int, int], keep: Tensor | None, present: Tensor) -> Encoded:
        """Encode the tokens that are present: bool [B, T, N], K for N beside keep."""
        clips = present.shape[0]
        frame_wise = Packing.of(present.flatten(0, 1))
        x = self.spatial_embeddings(pixels, grid, keep, frame_wise)
        for layer in self.spatial_layers:
            x = layer(x, packing=frame_wise)
        spatial = frame_wise.spread(self.layernorm1(x)).unflatten(0, (clips, -1))
        position_wise = Packing.of(present.transpose(1, 2).flatten(0, 1))
        x = position_wise.collect(self.temporal_embeddings(spatial.transpose(1, 2).flatten(0, 1)))
        for layer in self.temporal_layers:
            x = layer(x, packing=position_wise)
        tokens = position_wise.spread(self.layernorm2(x)).unflatten(0, (clips, -1)).transpose(1, 2)
        return Encoded(tokens=tokens.flatten(1, 2), spatial=spatial.flatten(1, 2))

    def _over_space(self, x: Tensor) -> Tensor:
        """[B, T, N, D] -> the same, every frame by itself."""
        clips = x.shape[0]
        x = x.flatten(0, 1)
        for layer in self.spatial_layers:
            x = layer(x)
        normed: Tensor = self.layernorm1(x)
        return normed.unflatten(0, (clips, -1))

    def _over_time(self, x: Tensor) -> Tensor:
        """[B, T, N, D] -> the same, every patch position by itself."""
        clips = x.shape[0]
        x = self.temporal_embeddings(x.transpose(1, 2).flatten(0, 1))
        for layer in self.temporal_layers:
            x = layer(x)
        normed: Tensor = self.layernorm2(x)
        return normed.unflatten(0, (clips, -1)).transpose(1, 2)
