"""The one loop of both stages: batch, gradient, step, metrics, checkpoint; in one process or several."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from signal import Signals
from typing import Any

import torch
from torch import nn

from curation.displays import Display
from schemas.canonical import canonical_json
from training.data import ClipBatch
from training.loop.average import RunningMean
from training.loop.checkpoints import newest_checkpoint, restore, write_checkpoint
from training.loop.config import TrainConfig
from training.loop.interrupts import held_interrupts, raise_for
from training.loop.launch import Team
from training.loop.metrics import Log, MetricsLog, NoLog
from training.loop.optimiser import learning_rate, new_optimiser
from training.loop.speed import Speed, peak_memory
from training.objectives import Objective, StepLoss


class TrainingStopped(RuntimeError):
    """A number of a step is not finite; the message names step, source and shards."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One stage's training.

    Attributes:
        batch_at: step -> this process's part of its batch, a pure function.
        identity: what the result is a function of; it goes into every checkpoint.
        extra: files that go into every checkpoint, by name.
        speed: what turns seconds into rates.
        team: the processes that share each batch; the first one writes.
    """

    config: TrainConfig
    objective: Objective
    batch_at: Callable[[int], ClipBatch]
    identity: Mapping[str, Any]
    extra: Mapping[str, bytes] = field(default_factory=dict)
    speed: Speed | None = None
    team: Team = field(default_factory=Team)


def fit(job: Fit, display: Display) -> None:
    """Train to the last step, from the newest checkpoint if there is one.

    Raises:
        TrainingStopped: a number of a step is not finite. The newest checkpoint is from before it.
        KeyboardInterrupt: Ctrl-C. The step under way is finished and has a checkpoint.
        TrainingPaused: SIGTERM; the same, and the exit code is 0.
    """
    config = job.config
    config.folder.mkdir(parents=True, exist_ok=True)
    state = _State(job)
    first = state.resume()
    job.objective.trained.train()
    with _log(job, first) as log, held_interrupts() as interrupted:
        for step in range(first, config.step_count):
            line = _step(job, state, step)
            log.write(line)
            display.show(step + 1, config.step_count, _note(line))
            stop = _agreed(interrupted(), job.team)
            if stop or (step + 1) % config.checkpoint_every == 0 or step + 1 == config.step_count:
                log.flush()
                state.keep(step + 1)
            if stop:
                raise_for(stop)


def _log(job: Fit, first: int) -> AbstractContextManager[Log]:
    return MetricsLog(job.config.folder, first) if job.team.is_first else NoLog()


def _note(line: Mapping[str, Any]) -> str:
    used = f", {line['mfu']:.0%} of the device" if "mfu" in line else ""
    return f"loss {line['loss']:.3f}, {line['clips_per_s']:.0f} clips/s, {line['wait_share']:.0%} waiting{used}"


def _agreed(asked: Signals | None, team: Team) -> Signals | None:
    """Return the signal that any process was sent: all stop after the same step, whenever each got it."""
    if team.world == 1:
        return asked
    known = (Signals.SIGINT, Signals.SIGTERM)
    sent = torch.tensor([asked is one for one in known], dtype=torch.int64, device=team.device)
    counts = team.ranks.sum(sent).tolist()
    return next((one for one, count in zip(known, counts, strict=True) if count), None)


class _State:
    """What steps change, and checkpoints keep."""

    def __init__(self, job: Fit) -> None:
        self._job = job
        config, trained = job.config, job.objective.trained
        job.team.begin_alike(trained)
        self.optimiser = new_optimiser(trained, config.optimiser)
        self.average = None if config.ema_decay is None else RunningMean(trained, config.ema_decay)

    def resume(self) -> int:
        """Go to the newest checkpoint; return how many steps are done."""
        found = newest_checkpoint(self._job.config.folder)
        if found is None:
            return 0
        restore(found, self._job.objective.trained, self.optimiser)
        kept = found.average()
        if self.average is not None and kept is not None:
            self.average.load(kept)
        return found.facts.step

    def keep(self, step: int) -> None:
        """Write the checkpoint of `step` steps done, for all processes."""
        job = self._job
        if job.team.is_first:
            facts = {"stage": job.config.stage, "step": step, "identity": dict(job.identity)}
            trained = job.objective.trained
            write_checkpoint(job.config.folder, facts, trained, self.optimiser, job.extra, average=self.average)


def step_generator(seed: int, stage: int, step: int) -> torch.Generator:
    """Return the source of everything random in a step: it depends on seed, stage and step alone."""
    digest = hashlib.sha256(canonical_json(["step", seed, stage, step])).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _step(job: Fit, state: _State, step: int) -> dict[str, Any]:
    """Train on one batch; return its line of metrics."""
    config, speed = job.config, job.speed or Speed(clips=job.config.batch_size)
    started = time.monotonic()
    batch = job.batch_at(step)
    waited = time.monotonic() - started
    state.optimiser.zero_grad(set_to_none=True)
    found = job.objective.backward(batch, step_generator(config.seed, config.stage, step))
    for name, value in {"loss": found.total, **found.terms}.items():
        _check_finite(name, value, batch, job)
    norm = nn.utils.clip_grad_norm_(job.objective.trained.parameters(), config.optimiser.clip_norm or math.inf)
    _check_finite("gradient norm", norm, batch, job)
    rate = learning_rate(step, config.step_count, config.optimiser)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    state.optimiser.step()
    job.objective.after_step()
    if state.average is not None:
        state.average.update(job.objective.trained, step)
    return {
        **_numbers(found),
        "step": step,
        "lr": rate,
        "grad_norm": float(norm),
        "source": batch.source,
        "epoch": batch.epoch,
        "memory_bytes": peak_memory(job.team.device),
        **speed.of(waited, time.monotonic() - started),
    }


def _numbers(found: StepLoss) -> dict[str, float]:
    return {"loss": float(found.total.detach()), **{name: float(value) for name, value in found.terms.items()}}


def _check_finite(what: str, value: torch.Tensor, batch: ClipBatch, job: Fit) -> None:
    """Refuse what is not finite; it is of the global batch, so that all processes come to the same."""
    if not bool(torch.isfinite(value)):
        shards = sorted({shard for part in job.team.every(batch.shards) for shard in part})
        where = f"source {batch.source}, shards {', '.join(shards)}"
        newest = newest_checkpoint(job.config.folder)
        kept = "there is no checkpoint yet" if newest is None else f"the checkpoint of step {newest.facts.step} stays"
        raise TrainingStopped(
            f"step {batch.step}: the {what} is {float(value.detach())}; {where}; {kept}; lower the learning rate, or "
            "look at these shards with `clipstrata verify`"
        )
