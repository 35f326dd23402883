"""Metrics of a batch that goes through in chunks and on several ranks: sums and counts, divided once at the end."""

from __future__ import annotations

import torch
from torch import Tensor

from training.objectives.ranks import Ranks


class Tally:
    """Sums and counts by name. All ranks add the same names with the same counts."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, total: Tensor, count: int) -> None:
        """Add a scalar sum over `count` things."""
        total = total.detach().double()
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._counts[name] = self._counts.get(name, 0) + count

    def means(self, ranks: Ranks) -> dict[str, Tensor]:
        """Return the mean of each name over all chunks and ranks: float32 scalars; of nothing there is none."""
        found = {name: total for name, total in self._sums.items() if self._counts[name]}
        if not found:
            return {}
        sums = ranks.sum(torch.stack(list(found.values())))
        return {
            name: (total / (self._counts[name] * ranks.world)).float() for name, total in zip(found, sums, strict=True)
        }
