"""Two processes under torchrun: they do what one does, stop and die together, and another number of them goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from schemas.config_file import ConfigError
from tests.training.loop.loop_builders import silent, stage_one, stage_two
from training.loop import StageOneConfig, StageTwoConfig, open_stage_one, open_stage_two, train
from training.loop.checkpoints import FOLDER, newest_checkpoint
from training.loop.launch import Team, is_first_process, launched
from training.loop.metrics import read_metrics
from training.loop.train import _train

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 240
LONG = {"steps": 2_000, "checkpoint_every": 3}


def write(config: StageOneConfig | StageTwoConfig, path: Path) -> str:
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True)))
    return str(path)


@contextmanager
def two_ranks(folder: Path, *configs: StageOneConfig | StageTwoConfig) -> Iterator[subprocess.Popen[bytes]]:
    """Train configs under torchrun; whatever is left of it is killed."""
    folder.mkdir()
    files = [write(config, folder / f"{number}.yaml") for number, config in enumerate(configs)]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    worker = ["-m", "tests.training.loop.rank_worker", str(folder), *files]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen([*launcher, *worker], cwd=ROOT, env=environ, stdout=log, stderr=log)
        try:
            yield started
        finally:
            # It ends its processes, which are in sessions of their own.
            started.terminate()
            started.wait(PATIENCE_S)


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder)]


def wait_for_checkpoint(config: StageOneConfig, training: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while newest_checkpoint(config.folder) is None:
        assert training.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def pid_of(folder: Path, rank: int) -> int:
    return int((folder / f"pid-{rank}").read_text())


@pytest.fixture(scope="module")
def one(world_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Both stages in one process."""
    folder = tmp_path_factory.mktemp("one")
    train(stage_one(world_run, folder / "1", batch_size=4), silent)
    train(stage_two(world_run, folder / "2", folder / "1", batch_size=4), silent)
    return folder / "1", folder / "2"


@pytest.mark.slow
def test_two_ranks_are_one_with_the_same_batch(world_run: Path, one: tuple[Path, Path], tmp_path: Path) -> None:
    # The first stage in chunks of one clip too; the second learns from the teacher of the one process.
    first = stage_one(world_run, tmp_path / "1", batch_size=4, chunk_clips=1)
    second = stage_two(world_run, tmp_path / "2", one[0], batch_size=4)
    with two_ranks(tmp_path / "ranks", first, second) as training:
        assert training.wait(PATIENCE_S) == 0, (tmp_path / "ranks" / "log").read_text()
    for alone, shared in zip(one, (tmp_path / "1", tmp_path / "2"), strict=True):
        assert losses(shared) == pytest.approx(losses(alone), abs=1e-5)
        lines = [[line["source"] for line in read_metrics(folder)] for folder in (alone, shared)]
        assert lines[0] == lines[1]
        norms = [[line["grad_norm"] for line in read_metrics(folder)] for folder in (alone, shared)]
        assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    pairs: list[tuple[Any, Any]] = [
        (open_stage_one(one[0]).model, open_stage_one(tmp_path / "1").model),
        (open_stage_two(one[1]).encoder, open_stage_two(tmp_path / "2").encoder),
    ]
    for model, other in pairs:
        for name, value in model.state_dict().items():
            assert torch.allclose(value, other.state_dict()[name], atol=1e-4), name
            # Adam turns the rounding of a gradient near 0 into a whole step; that is of few weights.
            assert (value - other.state_dict()[name]).abs().mean() < 1e-5, name


@pytest.mark.slow
def test_one_rank_that_is_told_to_stop_stops_all_and_one_process_goes_on(world_run: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "cut", batch_size=4, **LONG)
    with two_ranks(tmp_path / "ranks", config) as training:
        wait_for_checkpoint(config, training, tmp_path / "ranks" / "log")
        os.kill(pid_of(tmp_path / "ranks", 1), signal.SIGTERM)
        assert training.wait(PATIENCE_S) == 0, (tmp_path / "ranks" / "log").read_text()
    steps = len(losses(config.folder))
    newest = newest_checkpoint(config.folder)
    assert newest is not None and 0 < newest.facts.step == steps < 2_000
    with pytest.raises(ValueError, match="the steps that were done are there"):
        train(config, lambda title: _Stop(steps + 2))
    whole = stage_one(world_run, tmp_path / "whole", batch_size=4, **LONG)
    with pytest.raises(ValueError, match="the steps that were done are there"):
        train(whole, lambda title: _Stop(steps + 2))
    assert losses(config.folder) == pytest.approx(losses(whole.folder), abs=1e-3)


class _Stop:
    def __init__(self, step: int) -> None:
        self._step = step

    def show(self, done: int, total: int, note: str = "") -> None:
        if done == self._step:
            raise ValueError("the steps that were done are there")

    def close(self, seconds: float) -> None:
        """Nothing was shown."""


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_all_and_loses_nothing(world_run: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "cut", batch_size=4, **LONG)
    with two_ranks(tmp_path / "ranks", config) as training:
        wait_for_checkpoint(config, training, tmp_path / "ranks" / "log")
        os.kill(pid_of(tmp_path / "ranks", 1), signal.SIGKILL)
        started = time.monotonic()
        assert training.wait(PATIENCE_S) != 0
        assert time.monotonic() - started < 60, "nobody hangs"
    with pytest.raises(ProcessLookupError):
        os.kill(pid_of(tmp_path / "ranks", 0), 0)
    newest = newest_checkpoint(config.folder)
    assert newest is not None
    assert len(list((config.folder / FOLDER).glob("step-*"))) <= 2
    with pytest.raises(ValueError, match="the steps that were done are there"):
        train(config, lambda title: _Stop(newest.facts.step + 1))
    assert [line["step"] for line in read_metrics(config.folder)] == list(range(newest.facts.step + 1))


class Third:
    """The third of three, of whom the others never come."""

    rank, world = 2, 3

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nobody is there")

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nobody is there")

    def average_gradients(self, parameters: object) -> None:
        raise AssertionError("nobody is there")


def test_ranks_that_cannot_share_a_batch_are_refused(world_run: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "out", batch_size=4)
    with pytest.raises(ConfigError, match="batch_size is 4 and 3 processes share it; allowed: a multiple"):
        _train(config, Team(ranks=Third()), silent)
    assert not config.folder.exists()


def test_a_process_alone_is_the_first_and_needs_nobody() -> None:
    team = launched("cpu", environ={})
    assert (team.rank, team.world, team.is_first, team.part) == (0, 1, True, (0, 1))
    assert team.every("a") == ["a"]
    assert team.device.type == "cpu"
    assert is_first_process({}) and is_first_process({"RANK": "0"}) and not is_first_process({"RANK": "1"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="device is cuda and this machine has 0 GPUs"):
        launched("cuda", environ={})
