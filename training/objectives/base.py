"""What the loop knows of a stage: something with parameters that turns a batch into a loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from training.data import ClipBatch


@dataclass(frozen=True, kw_only=True)
class StepLoss:
    """One batch's loss.

    Attributes:
        total: a scalar that can be differentiated.
        terms: what else is worth watching, scalars without a gradient, by name.
    """

    total: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)


class Objective(Protocol):
    """A stage: its trained parts and its loss."""

    @property
    def trained(self) -> nn.Module:
        """Everything that the optimiser changes and a checkpoint keeps."""
        ...

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the loss of a batch; all that is random in it comes from the generator."""
        ...

    def after_step(self) -> None:
        """Bring back what the optimiser's step took out of its range; called after every step."""
        ...


def unit_frames(batch: ClipBatch) -> Tensor:
    """Return a batch's frames as the encoder reads them: float32 [B, T, S, S, 3] in [0, 1]."""
    return torch.from_numpy(batch.frames).float().div_(255.0)
