"""A masked autoencoder's loss (He et al. 2022, arXiv 2111.06377): the pixels of the patches that were left out.

The paper's one-stage arm trains it together with the contrastive loss, in place of a second stage. How it weighs the
two is not stated: here they count alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.model.encoder import cut_patches

PATCH_EPS = 1e-6  # He et al., released code: under the root of a patch's variance


def patch_targets(frames: Tensor, patch_px: int) -> Tensor:
    """Return each patch's pixels, of mean 0 and spread 1 within the patch: float32 [B, T*N, P*P*3].

    Args:
        frames: [B, T, S, S, 3].
    """
    pixels = cut_patches(frames.float(), patch_px).flatten(1, 2)
    centred = pixels - pixels.mean(dim=-1, keepdim=True)
    return centred / (pixels.var(dim=-1, keepdim=True) + PATCH_EPS).sqrt()


def hidden_error(predicted: Tensor, target: Tensor, places: Tensor) -> Tensor:
    """Return each clip's mean squared error over the places that are not visible: float32 [B].

    Args:
        predicted, target: [B, T*N, P].
        places: int64 [B, V], the visible ones, fewer than T*N.
    """
    errors = (predicted.float() - target).square().mean(dim=-1)
    hidden = torch.ones_like(errors).scatter(1, places, 0.0)
    return (errors * hidden).sum(dim=1) / (errors.shape[1] - places.shape[1])
