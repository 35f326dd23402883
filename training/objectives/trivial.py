"""What a student reaches that says the same of every clip: the batch's mean at each place.

A teacher's tokens share a large part, so a low distance proves nothing by itself; it must lie below this.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from training.objectives.ranks import Ranks


class TrivialDistance:
    """The mean cosine distance of all targets from their mean, of a batch that comes in chunks and on ranks.

    The cosines of one vector with many are its product with the sum of their unit vectors, so two sums are enough and
    no target is kept.
    """

    def __init__(self) -> None:
        self._clips = 0
        self._sum: Tensor | None = None
        self._units: Tensor | None = None

    def add(self, targets: Tensor) -> None:
        """Add the targets of some clips: [b, ..., D], at least one."""
        targets = targets.detach().float()
        total, units = targets.sum(dim=0), F.normalize(targets, dim=-1).sum(dim=0)
        self._sum = total if self._sum is None else self._sum + total
        self._units = units if self._units is None else self._units + units
        self._clips += targets.shape[0]

    def distance(self, ranks: Ranks) -> Tensor:
        """Return the distance over all chunks and ranks: a float32 scalar.

        Raises:
            ValueError: nothing was added.
        """
        if self._sum is None or self._units is None:
            raise ValueError("no targets; allowed: those of at least one clip; add some first")
        mean = F.normalize(ranks.sum(self._sum), dim=-1)
        cosines = (mean * ranks.sum(self._units)).sum(dim=-1) / (self._clips * ranks.world)
        return 1.0 - cosines.mean()
