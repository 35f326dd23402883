"""What the loop knows of a stage: something with parameters that turns a batch into gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from training.data import ClipBatch
from training.objectives.ranks import Ranks, SingleProcess


@dataclass(frozen=True, kw_only=True)
class StepLoss:
    """One batch's loss.

    Attributes:
        total: a scalar. That of `loss` can be differentiated, that of `backward` cannot any more.
        terms: what else is worth watching, scalars without a gradient, by name.
    """

    total: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a step is computed. What it computes does not hang on it, but for rounding.

    Attributes:
        chunk_clips: clips whose activations are in memory at a time; None is the whole batch.
        ranks: which part of the global batch is here, and how the parts are put together.
        autocast: gives the context of forward passes; gradients are computed outside of it.
    """

    chunk_clips: int | None = None
    ranks: Ranks = field(default_factory=SingleProcess)
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext

    def __post_init__(self) -> None:
        if self.chunk_clips is not None and self.chunk_clips < 1:
            raise ValueError(f"chunk_clips is {self.chunk_clips}; allowed: from 1, or None for the whole batch")

    def chunks(self, clips: int) -> Iterator[slice]:
        """Yield the parts of `clips` clips in which a step goes through them."""
        size = self.chunk_clips or clips
        for start in range(0, clips, size):
            yield slice(start, min(start + size, clips))

    def clip_generators(self, clips: int, generator: torch.Generator) -> list[torch.Generator]:
        """Return a source of everything random for each of this rank's clips.

        Their seeds are drawn for the global batch, of which this rank has rows rank, rank + world, ...: what a clip
        gets does not hang on how many ranks there are, and no rank draws for the clips of others.
        """
        ranks = self.ranks
        seeds = torch.randint(2**63 - 1, (clips * ranks.world,), generator=generator)[ranks.rank :: ranks.world]
        return [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]


class Objective(Protocol):
    """A stage: its trained parts and its loss.

    Batches are this rank's part of the global batch: rows rank, rank + world, ... of it. All that is random comes from
    the generator, which must be in the same state on all ranks.
    """

    @property
    def trained(self) -> nn.Module:
        """Everything that the optimiser changes and a checkpoint keeps."""
        ...

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the loss of a batch in one piece, of this rank's rows."""
        ...

    def backward(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Add the gradient of the global batch's mean loss to the trained parts, and return that loss.

        The batch goes through in chunks; the gradient is that of the whole batch all the same. Gradients must be zero
        before: ranks average whatever is there after it.
        """
        ...

    def after_step(self) -> None:
        """Bring back what the optimiser's step took out of its range; called after every step."""
        ...


def device_of(module: nn.Module) -> torch.device:
    """Return where a module's parameters are."""
    return next(module.parameters()).device


def unit_frames(batch: ClipBatch, rows: slice = slice(None), device: torch.device | None = None) -> Tensor:
    """Return frames as the encoder reads them: float32 [rows, T, S, S, 3] in [0, 1]."""
    # Bytes travel, a quarter of what floats would.
    return torch.from_numpy(batch.frames[rows]).to(device).float().div_(255.0)
