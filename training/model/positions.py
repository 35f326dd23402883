"""Position tables: resizing learned ones, making sinusoidal ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.model.config import Wavelengths

MAX_TIMESCALE = 10_000.0  # Vaswani et al. 2017, section 3.5


def resize_weights(old: int, new: int) -> Tensor:
    """Return the float32 matrix [new, old] that resizes a line of `old` entries linearly to `new`; rows sum to 1.

    Sample centres lie at half-integers. When shrinking, the triangle kernel is widened by old / new (anti-aliasing),
    which is what `jax.image.resize`, used by the published code, does; `torch`'s plain linear resizing does not.
    """
    scale = old / new
    reach = max(scale, 1.0)
    centre = (torch.arange(new, dtype=torch.float64) + 0.5) * scale - 0.5
    distance = (centre[:, None] - torch.arange(old, dtype=torch.float64)[None, :]).abs()
    weights = (1.0 - distance / reach).clamp(min=0.0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(torch.float32)


def resize_line(table: Tensor, length: int) -> Tensor:
    """Resize a learned table [L, D] to [length, D]; the same table comes back when nothing changes."""
    if length == table.shape[0]:
        return table
    weights = resize_weights(table.shape[0], length).to(device=table.device, dtype=table.dtype)
    return weights @ table


def resize_grid(table: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    """Resize a learned table of a square grid [side * side, D] to [rows * columns, D], both row-major."""
    rows, columns = grid
    if (rows, columns) == (side, side):
        return table
    down = resize_weights(side, rows).to(device=table.device, dtype=table.dtype)
    across = resize_weights(side, columns).to(device=table.device, dtype=table.dtype)
    square = table.unflatten(0, (side, side))
    return torch.einsum("yr,xc,rcd->yxd", down, across, square).flatten(0, 1)


def sinusoids(length: int, width: int, wavelengths: Wavelengths = "published") -> Tensor:
    """Return the fixed float32 table [length, width]: first all sines, then all cosines, wavelengths geometric.

    The published code spreads them from 2 pi to 2 pi * MAX_TIMESCALE, both included; `transformers` stops one short of
    the longest.
    """
    half = width // 2
    step = math.log(MAX_TIMESCALE) / (half - 1 if wavelengths == "published" else half)
    rates = torch.exp(-step * torch.arange(half, dtype=torch.float32))
    angles = torch.arange(length, dtype=torch.float32)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
