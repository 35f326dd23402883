"""What a finished training stage says about itself: `models/stage1/summary.json`, `models/stage2/summary.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat

from schemas.canonical import canonical_json

TRAINING_SCHEMA = "clipstrata.training/1"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CurvePoint(_Model):
    """The mean loss of the steps since the point before, up to and with `step`."""

    step: int
    loss: FiniteFloat


class TrainingSummary(_Model):
    """One finished stage.

    Attributes:
        stage: 1 is video-text contrastive, 2 is masked distillation of stage 1.
        samples: clips that went through it, repeats counted; steps * batch_size.
        samples_by_source: the same by source.
        left_out: source or reason -> samples of the shards that were never drawn.
        parameters: trained ones; for stage 2 with both decoders.
        seconds: in steps, checkpoints and restarts left out.
        samples_per_s: samples over seconds.
        wait_share: the part of the seconds spent waiting for the next batch, 0 to 1.
        final_loss: the curve's last point.
        trained_on: digest of the manifest, 64 hex characters.
        weights_sha256: digest of the last checkpoint's weights.
        teacher_sha256: for stage 2, digest of the teacher's weights; None for stage 1.
    """

    schema_name: str = TRAINING_SCHEMA
    stage: Literal[1, 2]
    seed: int
    steps: int
    batch_size: int
    samples: int
    samples_by_source: dict[str, int]
    left_out: dict[str, int]
    parameters: int
    seconds: FiniteFloat
    samples_per_s: FiniteFloat
    wait_share: FiniteFloat
    final_loss: FiniteFloat
    trained_on: str
    manifest_version: int
    weights_sha256: str
    teacher_sha256: str | None = None
    curve: tuple[CurvePoint, ...]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)
