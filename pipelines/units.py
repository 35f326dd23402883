"""The finished units of a run as the later jobs read them."""

from __future__ import annotations

from dataclasses import dataclass

from curation.store import Store
from curation.stores import open_store
from curation.unit_parts import read_unit
from schemas.units import UnitCommit


@dataclass(frozen=True, kw_only=True)
class ScoredUnits:
    """Names of a run's units and the scoring under which they are read."""

    root: str
    scoring: str
    names: tuple[str, ...]

    @property
    def store(self) -> Store:
        """The run's store."""
        return open_store(self.root)

    def read(self, name: str) -> UnitCommit:
        """Return a unit with its scores.

        Raises:
            FileNotFoundError: its media work, its parts or its scores are not finished.
        """
        commit = read_unit(self.store, name, self.scoring)
        if commit is None:
            raise FileNotFoundError(f"unit {name} is not committed under scoring {self.scoring}; run ingest again")
        return commit
