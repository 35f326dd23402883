"""Configs of a few steps, for tests of the loop."""

from __future__ import annotations

from pathlib import Path

from curation.displays import Display, NoDisplay
from training.loop import StageOneConfig, StageTwoConfig
from training.loop.config import OptimiserConfig

RATE = OptimiserConfig(peak_lr=1e-3, warmup_steps=1)


def silent(title: str) -> Display:
    return NoDisplay()


def stage_one(run: Path, out: Path, **changes: object) -> StageOneConfig:
    keys: dict[str, object] = {"steps": 6, "checkpoint_every": 2, "batch_size": 2, "precision": "float32"}
    keys |= {"stage": 1, "run": str(run), "out": str(out), "small_sources": "leave_out", "optimiser": RATE, **changes}
    return StageOneConfig.model_validate(keys)


def stage_two(run: Path, out: Path, teacher: Path, **changes: object) -> StageTwoConfig:
    keys: dict[str, object] = {"steps": 4, "checkpoint_every": 2, "batch_size": 2, "precision": "float32"}
    keys |= {"stage": 2, "run": str(run), "out": str(out), "teacher": str(teacher), "small_sources": "leave_out"}
    return StageTwoConfig.model_validate({**keys, "optimiser": RATE, **changes})
