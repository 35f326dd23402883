"""What frozen encoders can do, in one table: `models/evaluation.json`. Chance stands beside every measure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from schemas.canonical import canonical_json

EVALUATION_SCHEMA = "clipstrata.evaluation/1"

Group = Literal["appearance", "motion", "retrieval"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measure(_Model):
    """One column of the table; its values are shares in [0, 1], higher is better.

    Attributes:
        name: unique, such as `motion`, `motion.direction` or `text_to_video_r1`.
        title: for people.
        chance: what guessing gives.
        summary: whether it stands for its group where there is little room: the mean over a group's factors, or R@1.
    """

    name: str
    title: str
    group: Group
    chance: FiniteFloat = Field(ge=0, le=1)
    summary: bool = False


class EncoderRow(_Model):
    """One encoder's values.

    Attributes:
        name: for people: `random encoder`, `stage 1`, `stage 2 (step 50 of 500)`, `scorer, mean of frames`.
        digest: of its weights, 64 hex characters.
        values: measure name -> share; None where the encoder cannot be asked (no text side).
    """

    name: str
    digest: str
    values: dict[str, FiniteFloat | None]


class Evaluation(_Model):
    """A suite's table.

    Attributes:
        seed: of the clips and of the probes.
        settings: what else the values depend on, by name, with units: `probe_train_clips`, `probe_steps`, ...
        notes: what a reader must know to read the table right, one sentence each.
    """

    schema_name: str = EVALUATION_SCHEMA
    suite: Literal["shapes"]
    seed: int
    settings: dict[str, int | float]
    measures: tuple[Measure, ...]
    rows: tuple[EncoderRow, ...]
    notes: tuple[str, ...] = ()

    def is_of(self, weights: Iterable[str]) -> bool:
        """Return whether there are weights and each of them, given by digest, has a row."""
        wanted = set(weights)
        return bool(wanted) and wanted.issubset(row.digest for row in self.rows)

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)
