"""Evaluating a frozen encoder: with which settings of the process, and what is said of a stage that is not finished."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from curation.displays import NoDisplay
from curation.store import LocalStore
from pipelines.pages import trained
from schemas.evaluation import Evaluation
from schemas.run import EVALUATION_JSON
from tests.training.loop.loop_builders import silent, stage_one, stage_two
from training.evaluation import ShapesOptions
from training.frozen import evaluate, export_checkpoint, run_subjects
from training.loop import train
from training.model import EncoderConfig, VideoEncoder, export_encoder

QUICK = ShapesOptions(
    probe_train_clips=8, probe_validation_clips=8, probe_test_clips=8, probe_steps=1, retrieval_clips=6
)
SMALL = EncoderConfig(
    frames=2, image_px=8, patch_px=4, width=8, heads=4, mlp_width=16, spatial_layers=1, temporal_layers=1
)


class Watchful:
    """A scorer that knows nothing and remembers how this process computes."""

    name, digest, image_size = "watchful", "a" * 64, 4

    def __init__(self) -> None:
        self.seen: set[tuple[int, bool]] = set()

    def _watched(self, count: int) -> NDArray[np.float32]:
        self.seen.add((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return np.tile(np.float32([1, 0, 0, 0]), (count, 1))

    def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._watched(len(frames))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._watched(len(texts))

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        return [0] * len(texts)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    export_encoder(VideoEncoder(SMALL), tmp_path / "ours")
    return tmp_path / "ours"


def test_an_evaluation_adds_up_in_one_order_with_one_number_of_threads(encoder: Path) -> None:
    scorer, before = Watchful(), torch.get_num_threads()
    usable = len(os.sched_getaffinity(0))
    torch.set_num_threads(usable + 1)
    try:
        evaluate(encoder, scorer, QUICK)
        assert torch.get_num_threads() == usable + 1
    finally:
        torch.set_num_threads(before)
    assert scorer.seen == {(usable, True)}
    assert not torch.are_deterministic_algorithms_enabled()


class Notes(NoDisplay):
    """A display that keeps what it was told last."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[int, int]] = {}

    def show(self, done: int, total: int, note: str = "") -> None:
        self.last[note] = (done, total)


def test_an_evaluation_shows_how_far_it_is(encoder: Path) -> None:
    titles, notes = [], Notes()

    def display(title: str) -> Notes:
        titles.append(title)
        return notes

    evaluate(encoder, Watchful(), QUICK, display)
    assert titles == ["evaluation: probes and retrieval"]
    assert notes.last["clips"] == (30, 30)
    assert notes.last["ours: tokens"] == notes.last["scorer, mean of frames: tokens"] == (24, 24)


class Impatient(Exception):
    """What a test interrupts a training with."""


class StopsAtThree(NoDisplay):
    """A display whose reader loses patience after three steps of six."""

    def show(self, done: int, total: int, note: str = "") -> None:
        if (done, total) == (3, 6):
            raise Impatient


def export_over_an_old_folder(stage: Path, out: Path) -> None:
    """An export that fails between weights and config leaves no folder that says something wrong of its weights."""
    export_checkpoint(stage, out)
    (out / "config.json.part").mkdir()
    with pytest.raises(IsADirectoryError):
        export_checkpoint(stage, out)
    assert sorted(path.name for path in out.iterdir()) == ["config.json.part", "model.safetensors"]


def names_of(run: Path) -> list[str]:
    return [subject.name for subject in run_subjects(run, 1)]


def test_a_stage_that_is_not_finished_is_named_so_and_shown_on_no_page_alone(world_run: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = stage_one(world_run, models / "stage1")
    with pytest.raises(Impatient):
        train(first, lambda title: StopsAtThree())
    export_over_an_old_folder(models / "stage1", tmp_path / "out")
    assert names_of(tmp_path) == ["random encoder", "stage 1 (step 2 of 6)"]
    table = Evaluation(suite="shapes", seed=1, settings={}, measures=(), rows=())
    LocalStore(tmp_path).write(EVALUATION_JSON, table.to_bytes())
    assert trained(LocalStore(tmp_path)) == ((), None)
    train(first, silent)
    assert names_of(tmp_path) == ["random encoder", "stage 1"]
    with pytest.raises(Impatient):
        train(stage_two(world_run, models / "stage2", models / "stage1", steps=6), lambda title: StopsAtThree())
    assert names_of(tmp_path) == ["random encoder", "stage 1", "stage 2 (step 2 of 6)"]
