"""A running mean of the weights: what a training hands on, beside what its optimiser changes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class RunningMean:
    """An exponential mean of all that a module keeps; it starts as the module.

    Args:
        decay: the part of the mean that stays in a late step, in (0, 1). Early ones keep (1 + step) / (10 + step) of it
            at most, as TensorFlow's `ExponentialMovingAverage` does: the first weights are soon forgotten.
    """

    def __init__(self, trained: nn.Module, decay: float) -> None:
        self._decay = decay
        self._values = {name: value.detach().clone() for name, value in trained.state_dict().items()}

    @torch.no_grad()
    def update(self, trained: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 0; what is no float is copied."""
        kept = min(self._decay, (1 + step) / (10 + step))
        for name, value in trained.state_dict().items():
            if value.is_floating_point():
                self._values[name].lerp_(value, 1 - kept)
            else:
                self._values[name].copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Return the mean by name."""
        return self._values

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Bring the mean to where a checkpoint left it.

        Raises:
            ValueError: other names.
        """
        if values.keys() != self._values.keys():
            raise ValueError("a running mean of other weights; allowed: that of the same module; remove the checkpoint")
        for name, value in values.items():
            self._values[name].copy_(value)
