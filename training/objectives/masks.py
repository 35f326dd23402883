"""Which patches a step sees. All draws come from generators that the step seeds, one a clip.

In a tube a position is left out in every frame of its clip, so the encoder never spends work on it. BEVT's masks leave
whole frames visible, so frames differ in how many patches they have; clips do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

# BEiT's blockwise masking, which BEVT's and so VideoPrism's masks are made of: aspect ratios of a block, and the
# smallest block, 16 patches of a grid of 14 x 14
LONGEST_BLOCK = 1 / 0.3
SMALLEST_BLOCK = 16 / 14**2
BLOCK_TRIES = 10
# BEVT's pre-training configuration (github.com/xyzforever/BEVT): a mask holds for at least so much of a clip
SHORTEST_RUN = 0.5

MaskKind = Literal["tubes", "blocks", "bevt"]
MASK_KINDS: tuple[MaskKind, ...] = ("tubes", "blocks", "bevt")


@dataclass(frozen=True, kw_only=True)
class MaskShape:
    """What is drawn.

    Attributes:
        kind: `tubes`, single positions in all frames; `blocks`, rectangles in all frames; `bevt`, rectangles in a run
            of frames, which goes on at the first frame after the last one, and all other frames whole.
        masked_share: the share of a clip's patches that is masked. Of `bevt` too: the shorter the run, the more of its
            frames is masked. The paper's is 0.65 and does not say of what.
        frames: T.
        grid: patches along a side of a frame.
    """

    kind: MaskKind
    masked_share: float
    frames: int
    grid: int

    def __post_init__(self) -> None:
        if self.kind not in MASK_KINDS:
            raise ValueError(f"mask is {self.kind!r}; allowed: {', '.join(MASK_KINDS)}; give one of them")
        kept_count(self.grid**2, self.masked_share)


@dataclass(frozen=True, kw_only=True)
class ClipMasks:
    """What is visible of B clips of T frames of N patches each; every clip has as many visible patches, V.

    Attributes:
        places: int64 [B, V], ascending; place t * N + n is patch n of frame t.
        keep: int64 [B, K], the patch positions that every frame shows; None where frames differ.
        visible: bool [B, T, N].
    """

    places: Tensor
    keep: Tensor | None
    visible: Tensor

    def rows(self, rows: slice, device: torch.device) -> ClipMasks:
        """Return those of some clips."""
        keep = None if self.keep is None else self.keep[rows].to(device)
        return ClipMasks(places=self.places[rows].to(device), keep=keep, visible=self.visible[rows].to(device))


def draw_masks(generators: Sequence[torch.Generator], shape: MaskShape) -> ClipMasks:
    """Return a mask for each clip, each of its own generator."""
    clips, patches = len(generators), shape.grid**2
    if shape.kind == "bevt":
        visible = torch.stack([_bevt_visible(shape, generator) for generator in generators])
        return ClipMasks(places=visible.flatten(1).nonzero()[:, 1].view(clips, -1), keep=None, visible=visible)
    count = kept_count(patches, shape.masked_share)
    draw = tube_keep(generators, patches, count) if shape.kind == "tubes" else block_keep(generators, shape.grid, count)
    visible = torch.zeros(clips, patches, dtype=torch.bool).scatter_(1, draw, True)
    return ClipMasks(
        places=tube_places(draw, shape.frames, patches),
        keep=draw,
        visible=visible[:, None].repeat(1, shape.frames, 1),
    )


def tube_places(keep: Tensor, frames: int, patches: int) -> Tensor:
    """Return the places of tubes, frame by frame: positions int64 [B, K] -> int64 [B, T*K]."""
    starts = torch.arange(frames, device=keep.device) * patches
    return (starts[None, :, None] + keep[:, None, :]).flatten(1)


def kept_count(patches: int, dropped_share: float) -> int:
    """Return how many of `patches` positions stay: all but the rounded share, at least one.

    Raises:
        ValueError: the share is not in [0, 1).
    """
    if not 0 <= dropped_share < 1:
        raise ValueError(f"dropped_share is {dropped_share}; allowed: 0 up to but not 1; give such a share")
    return max(1, patches - round(patches * dropped_share))


def tube_keep(generators: Sequence[torch.Generator], patches: int, count: int) -> Tensor:
    """Return `count` different positions for each clip, uniform, ascending: int64 [clips, count]."""
    drawn = torch.stack([torch.randperm(patches, generator=generator)[:count] for generator in generators])
    return drawn.sort(dim=1).values


def block_keep(generators: Sequence[torch.Generator], grid: int, count: int) -> Tensor:
    """Return the `count` positions that blockwise masks leave of a square grid, ascending: int64 [clips, count].

    Rectangles of random size and place are masked until exactly grid * grid - count positions are; the last rectangle
    is cut short where it would mask more.
    """
    return torch.stack([_block_keep(grid, count, generator) for generator in generators])


def _block_keep(grid: int, count: int, generator: torch.Generator) -> Tensor:
    # A plain set: a tensor that is asked for place after place would take ten times as long.
    wanted, masked = grid * grid - count, set[int]()
    for _ in range(BLOCK_TRIES * grid * grid):
        left = wanted - len(masked)
        if not left:
            break
        masked.update([place for place in _block(grid, left, generator) if place not in masked][:left])
    visible = [place for place in range(grid * grid) if place not in masked]
    # Draws that only hit what is masked already are rare; what is missing after so many is filled in order.
    return torch.tensor(visible[len(visible) - count :], dtype=torch.int64)


def _block(grid: int, area: int, generator: torch.Generator) -> list[int]:
    """Return the positions of one rectangle of at most about `area` positions, row by row."""
    size, aspect, down, across = torch.rand(4, generator=generator).tolist()
    wanted = max(1.0, SMALLEST_BLOCK * grid**2, size * area)
    ratio = math.exp((2 * aspect - 1) * math.log(LONGEST_BLOCK))
    rows = min(grid, max(1, round(math.sqrt(wanted * ratio))))
    columns = min(grid, max(1, round(math.sqrt(wanted / ratio))))
    top, left = int(down * (grid - rows + 1)), int(across * (grid - columns + 1))
    return [row * grid + column for row in range(top, top + rows) for column in range(left, left + columns)]


def _bevt_visible(shape: MaskShape, generator: torch.Generator) -> Tensor:
    """Return one clip's mask: bool [T, N], True is visible; exactly the wanted share of all T*N is False.

    One blockwise mask holds for all frames of the run. What its frames cannot share evenly is one more patch, drawn
    alone, in the first frames of the run.
    """
    patches = shape.grid**2
    visible = torch.ones(shape.frames, patches, dtype=torch.bool)
    wanted = shape.frames * patches - kept_count(shape.frames * patches, shape.masked_share)
    if not wanted:
        return visible
    # Not so short that a frame of the run would have to be masked whole, if it can be helped.
    needed = math.ceil(wanted / max(1, patches - 1))
    shortest = min(shape.frames, max(math.ceil(SHORTEST_RUN * shape.frames), needed))
    length = shortest + _below(shape.frames - shortest + 1, generator)
    first = _below(shape.frames, generator)
    run = [(first + turn) % shape.frames for turn in range(length)]
    each, rest = divmod(wanted, length)
    keep = _block_keep(shape.grid, patches - each, generator)
    visible[run] = torch.zeros(patches, dtype=torch.bool).index_fill_(0, keep, True)
    if rest:
        visible[run[:rest], keep[_below(len(keep), generator)]] = False
    return visible


def _below(count: int, generator: torch.Generator) -> int:
    """Return a whole number from 0 to count - 1."""
    return int(torch.randint(count, (1,), generator=generator))
