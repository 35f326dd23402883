"""A training that is stopped, wherever and however often, ends at the bits of one that never was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.config_file import ConfigError
from tests.training.loop.loop_builders import silent, stage_one, stage_two
from training.data import BatchOptions, plan_batches, read_index, read_run_manifest
from training.data.shards import open_ranges
from training.loop import StageOneConfig, StageTwoConfig, load_train_config, train
from training.loop.checkpoints import newest_checkpoint
from training.loop.metrics import TIMED, read_metrics

Config = StageOneConfig | StageTwoConfig
Make = Callable[[Path], Config]


class Stop(Exception):
    """What a test interrupts a training with."""


class StopsAfter:
    """Stops in the step after some, whose checkpoint is then the newest."""

    def __init__(self, step: int) -> None:
        self._step = step

    def show(self, done: int, total: int, note: str = "") -> None:
        if done == self._step + 1 and note:
            raise Stop

    def close(self, seconds: float) -> None:
        """Nothing was shown."""


def outcome(config: Config) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the digests of the last checkpoint, and all metrics but those of the machine."""
    newest = newest_checkpoint(config.folder)
    assert newest is not None and newest.facts.step == config.step_count
    lines = read_metrics(config.folder)
    return newest.facts.files, [{name: line[name] for name in line.keys() - TIMED} for line in lines]


def stopped(config: Config, *steps: int) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Train with a stop after each of some steps, going on from the folder alone, to the end."""
    for step in steps:
        with pytest.raises(Stop):
            train(config, lambda title, step=step: StopsAfter(step))
        newest = newest_checkpoint(config.folder)
        assert newest is not None and newest.facts.step == step
        config = load_train_config(config.folder)
    train(config, silent)
    return outcome(config)


SOURCE = "asr_howto"
ONE_SOURCE = {"mixture": {SOURCE: 1}, "steps": 5, "checkpoint_every": 1}


@pytest.fixture(scope="module")
def round_of(world_run: Path) -> int:
    """How many batches of two a round of the source has."""
    samples = read_index(open_ranges(world_run), read_run_manifest(world_run)).samples
    options = BatchOptions(size=2, seed=0, texts_only=True, small_sources="leave_out", mixture={SOURCE: 1})
    return plan_batches(samples, options).batches_per_round[SOURCE]


@pytest.fixture(scope="module")
def whole(world_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], list[dict[str, Any]]]:
    config = stage_one(world_run, tmp_path_factory.mktemp("whole") / "out", **ONE_SOURCE)
    train(config, silent)
    return outcome(config)


def test_stopped_in_a_round_at_its_end_and_twice(
    world_run: Path, tmp_path: Path, whole: tuple[dict[str, str], list[dict[str, Any]]], round_of: int
) -> None:
    assert 2 <= round_of <= 3, "a round ends within the steps of the test"
    places = {"at a round's end": (round_of,), "in a round, and after the next one's first batch": (1, round_of + 1)}
    for name, steps in places.items():
        config = stage_one(world_run, tmp_path / name, **ONE_SOURCE)
        assert stopped(config, *steps) == whole, name


WAYS: dict[str, dict[str, Any]] = {
    "straight from shards": {"loader": {"kind": "stream", "ahead": 3, "workers": 1}},
    "nothing ahead": {"loader": {"ahead": 0}},
}


@pytest.mark.parametrize("way", WAYS)
def test_however_samples_come_the_bits_are_the_same(
    way: str, world_run: Path, tmp_path: Path, whole: tuple[dict[str, str], list[dict[str, Any]]]
) -> None:
    assert stopped(stage_one(world_run, tmp_path / "out", **ONE_SOURCE, **WAYS[way]), 3) == whole


OTHERS: dict[str, dict[str, Any]] = {
    "changed clips in chunks, SigLIP, Adafactor, a running mean": {
        "augment": {"crop": 0.5, "flip": 0.5, "colour": 0.3},
        "chunk_clips": 1,
        "loss": "sigmoid",
        "ema_decay": 0.9,
        "optimiser": {"kind": "adafactor", "peak_lr": 0.01},
    },
    "noise in one stage, recomputed": {"synthetic": True, "rebuild": True, "recompute": True},
}


@pytest.mark.parametrize("case", OTHERS)
def test_each_way_to_train_goes_on_at_its_bits(case: str, world_run: Path, tmp_path: Path) -> None:
    keys = {"steps": 3, "checkpoint_every": 1, **OTHERS[case]}
    once = stage_one(world_run, tmp_path / "once", **keys)
    train(once, silent)
    assert stopped(stage_one(world_run, tmp_path / "cut", **keys), 1) == outcome(once)


SECOND: dict[str, dict[str, Any]] = {
    "blocks": {},
    "the paper's masks in chunks, a teacher that remembers": {
        "mask": "bevt",
        "chunk_clips": 1,
        "teacher_memory_mb": 10,
    },
}


@pytest.fixture(scope="module")
def teacher(world_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = stage_one(world_run, tmp_path_factory.mktemp("teacher") / "out", steps=1)
    train(config, silent)
    return config.folder


@pytest.mark.parametrize("case", SECOND)
def test_stage_two_goes_on_at_its_bits(case: str, world_run: Path, teacher: Path, tmp_path: Path) -> None:
    keys = {"steps": 3, "checkpoint_every": 1, **SECOND[case]}
    once = stage_two(world_run, tmp_path / "once", teacher, **keys)
    train(once, silent)
    assert stopped(stage_two(world_run, tmp_path / "cut", teacher, **keys), 2) == outcome(once)


def test_changed_clips_train_something_else(
    world_run: Path, tmp_path: Path, whole: tuple[dict[str, str], list[dict[str, Any]]]
) -> None:
    config = stage_one(world_run, tmp_path / "out", **ONE_SOURCE, augment={"crop": 0.5})
    train(config, silent)
    assert [line["loss"] for line in outcome(config)[1]] != [line["loss"] for line in whole[1]]


def test_the_last_steps_are_of_the_cleanest_tier_and_the_first_as_without(world_run: Path, tmp_path: Path) -> None:
    keys = {"steps": 6, "checkpoint_every": 1}
    train(stage_one(world_run, tmp_path / "without", **keys), silent)
    config = stage_one(world_run, tmp_path / "with", **keys, final_phase={"share": 0.3})
    assert stopped(config, 3, 5)[1][:4] == outcome(stage_one(world_run, tmp_path / "without", **keys))[1][:4]
    clean = {shard.source for shard in read_run_manifest(world_run).shards if shard.tier == "clean"}
    assert {line["source"] for line in read_metrics(config.folder)[4:]} <= clean
    once = stage_one(world_run, tmp_path / "once", **keys, final_phase={"share": 0.3})
    train(once, silent)
    assert outcome(once) == outcome(config)


def test_noise_teaches_nobody_and_lies_apart(world_run: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "noise", steps=1, synthetic=True)
    train(config, silent)
    with pytest.raises(ConfigError, match="was trained on noise; allowed: one that was trained on clips"):
        train(stage_two(world_run, tmp_path / "two", config.folder), silent)
    with pytest.raises(ValueError, match="synthetic is on and out is missing"):
        StageOneConfig.model_validate({**config.model_dump(), "out": None})
