"""The one loop of both stages: batch, loss, gradient, step, metrics, checkpoint."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from curation.displays import Display
from schemas.canonical import canonical_json
from training.data import ClipBatch
from training.loop.checkpoints import newest_checkpoint, restore, write_checkpoint
from training.loop.config import TrainConfig
from training.loop.interrupts import held_interrupts
from training.loop.metrics import MetricsLog
from training.loop.optimiser import learning_rate, new_optimiser
from training.objectives import Objective, StepLoss


class TrainingStopped(RuntimeError):
    """A loss or a gradient is not finite; the message names step, source and shards."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One stage's training.

    Attributes:
        batch_at: step -> batch, a pure function.
        identity: what the result is a function of; it goes into every checkpoint.
        extra: files that go into every checkpoint, by name.
    """

    config: TrainConfig
    objective: Objective
    batch_at: Callable[[int], ClipBatch]
    identity: Mapping[str, Any]
    extra: Mapping[str, bytes] = field(default_factory=dict)


def fit(job: Fit, display: Display) -> None:
    """Train to the last step, from the newest checkpoint if there is one.

    Raises:
        TrainingStopped: a loss or a gradient is not finite. The newest checkpoint is from before it.
        KeyboardInterrupt: Ctrl-C. The step under way is finished and has a checkpoint.
    """
    config = job.config
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    optimiser = new_optimiser(job.objective.trained, config.optimiser)
    first = _resume(job, folder, optimiser)
    job.objective.trained.train()
    with MetricsLog(folder, first) as log, held_interrupts() as interrupted:
        for step in range(first, config.steps):
            line = _step(job, optimiser, step)
            log.write(line)
            display.show(step + 1, config.steps, f"loss {line['loss']:.3f}, {_rate(line, config):.0f} clips/s")
            stop = interrupted()
            if stop or (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                log.flush()
                _checkpoint(job, optimiser, step + 1)
            if stop:
                raise KeyboardInterrupt


def _rate(line: Mapping[str, Any], config: TrainConfig) -> float:
    return config.batch_size / max(1e-9, float(line["step_s"]))


def _resume(job: Fit, folder: Path, optimiser: torch.optim.Optimizer) -> int:
    found = newest_checkpoint(folder)
    if found is None:
        return 0
    restore(found, job.objective.trained, optimiser)
    return found.facts.step


def _checkpoint(job: Fit, optimiser: torch.optim.Optimizer, step: int) -> None:
    facts = {"stage": job.config.stage, "step": step, "identity": dict(job.identity)}
    write_checkpoint(job.config.folder, facts, job.objective.trained, optimiser, job.extra)


def step_generator(seed: int, stage: int, step: int) -> torch.Generator:
    """Return the source of everything random in a step: it depends on seed, stage and step alone."""
    digest = hashlib.sha256(canonical_json(["step", seed, stage, step])).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _step(job: Fit, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    """Train on one batch; return its line of metrics."""
    config = job.config
    started = time.monotonic()
    batch = job.batch_at(step)
    waited = time.monotonic() - started
    optimiser.zero_grad(set_to_none=True)
    found = job.objective.backward(batch, step_generator(config.seed, config.stage, step))
    _check_finite("loss", found.total, batch, config.folder)
    parameters = list(job.objective.trained.parameters())
    norm = nn.utils.clip_grad_norm_(parameters, config.optimiser.clip_norm)
    _check_finite("gradient norm", norm, batch, config.folder)
    rate = learning_rate(step, config.steps, config.optimiser)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    job.objective.after_step()
    return {
        **_numbers(found),
        "step": step,
        "lr": rate,
        "grad_norm": float(norm),
        "source": batch.source,
        "epoch": batch.epoch,
        "wait_s": waited,
        "step_s": time.monotonic() - started,
    }


def _numbers(found: StepLoss) -> dict[str, float]:
    return {"loss": float(found.total.detach()), **{name: float(value) for name, value in found.terms.items()}}


def _check_finite(what: str, value: torch.Tensor, batch: ClipBatch, folder: Path) -> None:
    if not bool(torch.isfinite(value)):
        where = f"source {batch.source}, shards {', '.join(sorted(set(batch.shards)))}"
        newest = newest_checkpoint(folder)
        kept = "there is no checkpoint yet" if newest is None else f"the checkpoint of step {newest.facts.step} stays"
        raise TrainingStopped(
            f"step {batch.step}: the {what} is {float(value.detach())}; {where}; {kept}; lower the learning rate, or "
            "look at these shards with `clipstrata verify`"
        )
