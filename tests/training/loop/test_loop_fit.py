"""The loop on a made-up objective: what is random in a step, and what stops it."""

from __future__ import annotations

import math
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from curation.displays import NoDisplay
from tests.training.loop.loop_builders import stage_one
from training.data import ClipBatch
from training.loop import TrainingStopped
from training.loop.checkpoints import FOLDER
from training.loop.fit import Fit, fit, step_generator
from training.loop.metrics import read_metrics
from training.objectives import StepLoss


def drawn(seed: int, stage: int, step: int) -> list[float]:
    return torch.rand(4, generator=step_generator(seed, stage, step)).tolist()


def test_equal_places_draw_alike() -> None:
    assert drawn(1, 2, 3) == drawn(1, 2, 3)


@pytest.mark.parametrize("other", [(2, 2, 3), (1, 1, 3), (1, 2, 4)], ids=["seed", "stage", "step"])
def test_another_seed_stage_or_step_draws_anew(other: tuple[int, int, int]) -> None:
    assert drawn(1, 2, 3) != drawn(*other)


class Weight(nn.Module):
    """One number."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.tensor(1.0))


class Square:
    """A loss that is a weight's square; remembers the weight after each step."""

    def __init__(self) -> None:
        self.trained = Weight()
        self.after: list[float] = []

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        return StepLoss(total=self.trained.number.square())

    def backward(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        found = self.loss(batch, generator)
        found.total.backward()
        return found

    def after_step(self) -> None:
        self.after.append(self.trained.number.item())


class FallsApart(Square):
    """Has no finite gradient at one step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        number = self.trained.number
        if batch.step != self._step:
            return super().loss(batch, generator)
        # The root of 0 is 0, and it climbs infinitely fast there.
        return StepLoss(total=(number - number.detach()).sqrt())


class GoesBlank(Square):
    """Says NaN at one step: of the loss, or of something that is only watched."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__()
        self._step, self._what = step, what

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        good, blank = self.trained.number.square(), torch.tensor(math.nan)
        if batch.step != self._step:
            return StepLoss(total=good, terms={"temperature": good.detach()})
        return StepLoss(total=good * blank) if self._what == "loss" else StepLoss(total=good, terms={self._what: blank})


class Interrupted(Square):
    """A signal comes while a step is under way, once or more often: Ctrl-C unless another is said."""

    def __init__(self, step: int, presses: int = 1, number: signal.Signals = signal.SIGINT) -> None:
        super().__init__()
        self._step, self._presses, self._number = step, presses, number

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        for _ in range(self._presses if batch.step == self._step else 0):
            signal.raise_signal(self._number)
        return super().loss(batch, generator)


def batch_at(step: int) -> ClipBatch:
    frames = np.zeros((2, 1, 1, 1, 3), np.uint8)
    shards = ("shards/b.tar", "shards/a.tar")
    return ClipBatch(
        step=step, source="stock", epoch=0, keys=("k", "l"), texts=("a", "b"), shards=shards, frames=frames
    )


def job(folder: Path, objective: Square, **changes: object) -> Fit:
    return Fit(
        config=stage_one(folder, folder, **{"checkpoint_every": 1, "steps": 4, **changes}),
        objective=objective,
        batch_at=batch_at,
        identity={},
    )


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / FOLDER).glob("*"))


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_a_weight_or_a_checkpoint(tmp_path: Path) -> None:
    objective = FallsApart(step=2)
    said = (
        r"step 2: the gradient norm is inf; source stock, shards shards/a\.tar, shards/b\.tar; "
        r"the checkpoint of step 2 stays; lower"
    )
    with pytest.raises(TrainingStopped, match=said):
        fit(job(tmp_path, objective), NoDisplay())
    assert checkpoints(tmp_path) == ["step-00000001", "step-00000002"]
    assert [line["step"] for line in read_metrics(tmp_path)] == [0, 1]
    assert torch.isfinite(objective.trained.number)


@pytest.mark.parametrize("what", ["loss", "temperature"])
def test_a_number_that_is_none_stops_before_it_is_written_down(what: str, tmp_path: Path) -> None:
    objective = GoesBlank(step=1, what=what)
    with pytest.raises(TrainingStopped, match=rf"step 1: the {what} is nan; source stock, shards shards/a\.tar"):
        fit(job(tmp_path, objective), NoDisplay())
    assert [line["step"] for line in read_metrics(tmp_path)] == [0]
    assert len(objective.after) == 1 and torch.isfinite(objective.trained.number)


def test_no_checkpoint_is_promised_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped, match="there is no checkpoint yet; lower"):
        fit(job(tmp_path, FallsApart(step=0)), NoDisplay())
    assert checkpoints(tmp_path) == []


def test_an_objective_is_told_of_every_step_after_the_weights_changed(tmp_path: Path) -> None:
    objective = Square()
    fit(job(tmp_path, objective), NoDisplay())
    assert len(objective.after) == 4
    assert objective.after == sorted(objective.after, reverse=True) and objective.after[0] < 1


def test_ctrl_c_finishes_the_step_and_keeps_it(tmp_path: Path) -> None:
    whole, handler = Square(), signal.getsignal(signal.SIGINT)
    fit(job(tmp_path / "whole", whole, checkpoint_every=100), NoDisplay())
    with pytest.raises(KeyboardInterrupt):
        fit(job(tmp_path / "cut", Interrupted(step=1), checkpoint_every=100), NoDisplay())
    assert signal.getsignal(signal.SIGINT) is handler
    assert checkpoints(tmp_path / "cut") == ["step-00000002"]
    assert [line["step"] for line in read_metrics(tmp_path / "cut")] == [0, 1]
    rest = Square()
    fit(job(tmp_path / "cut", rest, checkpoint_every=100), NoDisplay())
    assert rest.after == whole.after[2:]


def test_ctrl_c_twice_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(job(tmp_path, Interrupted(step=1, presses=2), checkpoint_every=100), NoDisplay())
    assert checkpoints(tmp_path) == []


def test_sigterm_finishes_the_step_keeps_it_and_ends_with_code_0(tmp_path: Path) -> None:
    whole, handler = Square(), signal.getsignal(signal.SIGTERM)
    fit(job(tmp_path / "whole", whole, checkpoint_every=100), NoDisplay())
    with pytest.raises(SystemExit) as caught:
        fit(job(tmp_path / "cut", Interrupted(1, number=signal.SIGTERM), checkpoint_every=100), NoDisplay())
    assert caught.value.code == 0
    assert signal.getsignal(signal.SIGTERM) is handler
    assert checkpoints(tmp_path / "cut") == ["step-00000002"]
    rest = Square()
    fit(job(tmp_path / "cut", rest, checkpoint_every=100), NoDisplay())
    assert rest.after == whole.after[2:]


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        objective = Interrupted(1, number=signal.SIGTERM)
        fit(job(tmp_path, objective), NoDisplay())
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(objective.after) == 4


def test_a_training_in_another_thread_holds_no_signals(tmp_path: Path) -> None:
    objective = Square()
    worker = threading.Thread(target=fit, args=(job(tmp_path, objective), NoDisplay()))
    worker.start()
    worker.join()
    assert len(objective.after) == 4
