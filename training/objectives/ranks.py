"""What the ranks of a training tell each other: features, sums and gradients.

Losses are means over a rank's own rows, so the mean over ranks is the loss of the global batch, and the mean of the
ranks' gradients is its gradient. It is exact because the gradient of `gather` is a sum over ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Ranks(Protocol):
    """This process among those that share a batch. Every method is called by all ranks, in the same order."""

    @property
    def rank(self) -> int: ...

    @property
    def world(self) -> int: ...

    def gather(self, rows: Tensor) -> Tensor:
        """[B, ...] of each rank -> [world * B, ...], rank by rank; what flows back is summed over all ranks."""
        ...

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of every rank's values, in their shape, without a gradient."""
        ...

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make every rank's gradients their mean over the ranks."""
        ...


class SingleProcess:
    """One process has the whole batch."""

    rank = 0
    world = 1

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows."""
        return rows

    def sum(self, values: Tensor) -> Tensor:
        """Return the values."""
        return values.detach()

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leave gradients as they are."""


class ProcessGroup:
    """The processes of `torch.distributed`, whose default group must be up."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()

    def gather(self, rows: Tensor) -> Tensor:
        """See `Ranks`."""
        gathered: Tensor = _Gather.apply(rows)
        return gathered

    def sum(self, values: Tensor) -> Tensor:
        """See `Ranks`."""
        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """See `Ranks`. All gradients travel as one tensor; the same parameters must have one on every rank."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.world
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


class _Gather(torch.autograd.Function):
    """All ranks' rows; `torch.distributed` alone would cut the gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        every = rows.new_empty((dist.get_world_size() * rows.shape[0], *rows.shape[1:]))
        dist.all_gather_into_tensor(every, rows.contiguous())
        return every

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
