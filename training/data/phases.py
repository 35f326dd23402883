"""An order of training whose last steps draw from some tiers alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from training.data.batches import Batch, BatchOptions, BatchPlan, Drawable, plan_batches


class Tiered(Drawable, Protocol):
    """A sample that can be drawn by its tier."""

    @property
    def tier(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class PhasedPlan:
    """Two orders, one after the other.

    Attributes:
        main: of the steps before `begins`.
        final: of the others, counted from it; rounds and epochs are its own.
        places: the final order's positions in the sequence that both were planned of.
    """

    main: BatchPlan
    final: BatchPlan
    begins: int
    places: tuple[int, ...]

    @property
    def options(self) -> BatchOptions:
        """How both draw."""
        return self.main.options

    @property
    def left_out(self) -> Mapping[str, int]:
        """What is never drawn."""
        return self.main.left_out

    def batch_at(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0.

        Raises:
            ValueError: the step is negative.
        """
        if step < self.begins:
            return self.main.batch_at(step)
        batch = self.final.batch_at(step - self.begins)
        return replace(batch, step=step, positions=tuple(self.places[position] for position in batch.positions))


def plan_phases(samples: Sequence[Tiered], options: BatchOptions, tiers: Collection[str], begins: int) -> PhasedPlan:
    """Return an order that draws from all samples, and from step `begins` on from those of some tiers.

    Raises:
        SourceTooSmall: a source has fewer samples than a batch, in all tiers or in those, and is not to be left out.
        NothingToTrainOn: no sample is left, in all tiers or in those.
    """
    places = tuple(place for place, sample in enumerate(samples) if sample.tier in tiers)
    final = plan_batches([samples[place] for place in places], options)
    return PhasedPlan(main=plan_batches(samples, options), final=final, begins=begins, places=places)
