"""The two ledgers: every row read and every sample planned is accounted for, per source."""

from __future__ import annotations

from dataclasses import dataclass


class LedgerError(ValueError):
    """A ledger does not add up: something was lost or counted twice."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Counts of one source (or one unit of it).

    Records: read = expanded + merged + rejected. Samples: planned = kept + rejected. A record expands when it plans
    samples (one, or several where its span is made into parts), and merges when another record of the source planned
    the same sample. Dropped texts stand beside the ledgers: they take no clip with them.
    """

    records_read: int = 0
    records_expanded: int = 0
    records_merged: int = 0
    records_rejected: int = 0
    samples_planned: int = 0
    samples_kept: int = 0
    samples_rejected: int = 0
    texts_kept: int = 0
    texts_dropped: int = 0

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def check(self, whose: str) -> None:
        """Raise LedgerError unless both ledgers add up; `whose` names them in the message."""
        told = self.records_expanded + self.records_merged + self.records_rejected
        if self.records_read != told:
            raise LedgerError(
                f"{whose}: {self.records_read} records read, but {self.records_expanded} expanded + "
                f"{self.records_merged} merged + {self.records_rejected} rejected = {told}"
            )
        told = self.samples_kept + self.samples_rejected
        if self.samples_planned != told:
            raise LedgerError(
                f"{whose}: {self.samples_planned} samples planned, but {self.samples_kept} kept + "
                f"{self.samples_rejected} rejected = {told}"
            )
        if self.samples_planned < self.records_expanded:
            raise LedgerError(
                f"{whose}: {self.records_expanded} records expanded, but {self.samples_planned} samples planned"
            )
