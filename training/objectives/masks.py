"""Which patch positions a step sees. A position that is left out is left out in every frame of its clip (a tube), so
the encoder never spends work on it. All draws come from a generator that the step seeds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# BEiT's blockwise masking, which BEVT's and so VideoPrism's masks are made of: aspect ratios of a block
LONGEST_BLOCK = 1 / 0.3
BLOCK_TRIES = 10


def kept_count(patches: int, dropped_share: float) -> int:
    """Return how many of `patches` positions stay: all but the rounded share, at least one.

    Raises:
        ValueError: the share is not in [0, 1).
    """
    if not 0 <= dropped_share < 1:
        raise ValueError(f"dropped_share is {dropped_share}; allowed: 0 up to but not 1; give such a share")
    return max(1, patches - round(patches * dropped_share))


def tube_keep(clips: int, patches: int, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` different positions for each clip, uniform, ascending: int64 [clips, count]."""
    drawn = torch.rand(clips, patches, generator=generator).argsort(dim=1)[:, :count]
    return drawn.sort(dim=1).values


def block_keep(clips: int, grid: int, count: int, generator: torch.Generator) -> Tensor:
    """Return the `count` positions that blockwise masks leave of a square grid, ascending: int64 [clips, count].

    Rectangles of random size and place are masked until exactly grid * grid - count positions are; the last rectangle
    is cut short where it would mask more.
    """
    return torch.stack([_block_keep(grid, count, generator) for _ in range(clips)])


def _block_keep(grid: int, count: int, generator: torch.Generator) -> Tensor:
    wanted = grid * grid - count
    masked = torch.zeros(grid * grid, dtype=torch.bool)
    for _ in range(BLOCK_TRIES * grid * grid):
        left = wanted - int(masked.sum())
        if not left:
            break
        fresh = [place for place in _block(grid, left, generator) if not masked[place]]
        masked[fresh[:left]] = True
    # Draws that only hit what is masked already are rare; what is missing after so many is filled in order.
    missing = (~masked).nonzero()[: wanted - int(masked.sum()), 0]
    masked[missing] = True
    return (~masked).nonzero()[:, 0]


def _block(grid: int, area: int, generator: torch.Generator) -> list[int]:
    """Return the positions of one rectangle of at most about `area` positions, row by row."""
    size, aspect, down, across = torch.rand(4, generator=generator).tolist()
    wanted = max(1.0, size * area)
    ratio = math.exp((2 * aspect - 1) * math.log(LONGEST_BLOCK))
    rows = min(grid, max(1, round(math.sqrt(wanted * ratio))))
    columns = min(grid, max(1, round(math.sqrt(wanted / ratio))))
    top, left = int(down * (grid - rows + 1)), int(across * (grid - columns + 1))
    return [row * grid + column for row in range(top, top + rows) for column in range(left, left + columns)]
