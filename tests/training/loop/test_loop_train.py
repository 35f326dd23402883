"""Both stages on a small real run: the same curve twice, resuming to the bit, refusals, and what is left on disk."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from curation.displays import NoDisplay
from curation.manifests import commit_manifest
from curation.shard_ranges import LocalRanges
from curation.store import LocalStore
from schemas.config_file import ConfigError
from tests.training.loop.loop_builders import RATE, silent, stage_one, stage_two
from training.data import ManifestRefused, manifest_digest, read_index, read_run_manifest
from training.loop import (
    OtherTraining,
    TrainingStopped,
    load_train_config,
    open_stage_one,
    open_stage_two,
    read_summary,
    train,
)
from training.loop.checkpoints import FOLDER, newest_checkpoint
from training.loop.config import OptimiserConfig
from training.loop.metrics import TIMED, read_metrics


def curve(folder: Path) -> list[dict[str, object]]:
    return [{name: value for name, value in line.items() if name not in TIMED} for line in read_metrics(folder)]


class Stop(Exception):
    """What a test interrupts a training with."""


class StopsAt(NoDisplay):
    """A display whose reader loses patience."""

    def __init__(self, step: int) -> None:
        self._step = step

    def show(self, done: int, total: int, note: str = "") -> None:
        if done == self._step and total == 6:
            raise Stop


@pytest.fixture(scope="module")
def first(world_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished stage 1."""
    out = tmp_path_factory.mktemp("models") / "stage1"
    train(stage_one(world_run, out), silent)
    return out


def test_the_same_seed_gives_the_same_curve_and_weights(world_run: Path, first: Path, tmp_path: Path) -> None:
    train(stage_one(world_run, tmp_path / "again"), silent)
    assert curve(tmp_path / "again") == curve(first)
    assert open_stage_one(tmp_path / "again").weights_sha256 == open_stage_one(first).weights_sha256


def test_another_seed_gives_another_curve(world_run: Path, first: Path, tmp_path: Path) -> None:
    train(stage_one(world_run, tmp_path / "other", seed=9), silent)
    assert [line["loss"] for line in curve(tmp_path / "other")] != [line["loss"] for line in curve(first)]


@pytest.mark.parametrize("step", [1, 3, 4, 5])
def test_an_interrupted_training_ends_at_the_same_bits(world_run: Path, first: Path, tmp_path: Path, step: int) -> None:
    config = stage_one(world_run, tmp_path / "cut")
    with pytest.raises(Stop):
        train(config, lambda title: StopsAt(step))
    assert read_summary(config.folder) is None
    train(config, silent)
    assert curve(config.folder) == curve(first)
    assert open_stage_one(config.folder).weights_sha256 == open_stage_one(first).weights_sha256


def test_the_folder_alone_is_enough_to_go_on(world_run: Path, first: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "cut")
    with pytest.raises(Stop):
        train(config, lambda title: StopsAt(3))
    train(load_train_config(config.folder), silent)
    assert curve(config.folder) == curve(first)
    assert open_stage_one(config.folder).weights_sha256 == open_stage_one(first).weights_sha256


def test_adafactor_goes_on_at_the_same_bits(world_run: Path, tmp_path: Path) -> None:
    rate = OptimiserConfig(kind="adafactor", peak_lr=1e-2)
    train(stage_one(world_run, tmp_path / "whole", optimiser=rate), silent)
    config = stage_one(world_run, tmp_path / "cut", optimiser=rate)
    with pytest.raises(Stop):
        train(config, lambda title: StopsAt(3))
    train(config, silent)
    assert curve(config.folder) == curve(tmp_path / "whole")
    assert open_stage_one(config.folder).weights_sha256 == open_stage_one(tmp_path / "whole").weights_sha256


def test_a_running_mean_is_handed_on_and_goes_on_at_the_same_bits(world_run: Path, first: Path, tmp_path: Path) -> None:
    train(stage_one(world_run, tmp_path / "whole", ema_decay=0.9), silent)
    config = stage_one(world_run, tmp_path / "cut", ema_decay=0.9)
    with pytest.raises(Stop):
        train(config, lambda title: StopsAt(3))
    train(config, silent)
    newest = [newest_checkpoint(tmp_path / name) for name in ("whole", "cut")]
    assert newest[0] is not None and newest[1] is not None
    assert newest[0].facts.files == newest[1].facts.files
    assert newest[0].facts.files["weights.safetensors"] == open_stage_one(first).weights_sha256, "training is the same"
    mean = newest[0].average()
    opened = open_stage_one(tmp_path / "whole")
    assert mean is not None and opened.weights_sha256 == newest[0].facts.files["average.safetensors"]
    table = "vision_model.spatial_embeddings.position_embeddings"
    assert torch.equal(opened.model.video_model.state_dict()[table], mean[f"model.video_model.{table}"])
    assert not torch.equal(mean[f"model.video_model.{table}"], newest[0].weights()[f"model.video_model.{table}"])


def test_an_epoch_is_as_many_samples_as_there_are_to_draw(world_run: Path, tmp_path: Path) -> None:
    samples = read_index(LocalRanges(world_run), read_run_manifest(world_run)).samples
    texts = Counter(sample.source for sample in samples if sample.has_text and sample.weights_1e4["stage1"])
    drawable = sum(count for count in texts.values() if count >= 2)
    config = stage_one(world_run, tmp_path / "epochs", steps=None, epochs=0.2)
    summary = train(config, silent)
    assert summary.steps == math.ceil(0.2 * drawable / 2)
    assert train(load_train_config(config.folder), silent) == summary, "the kept config says epochs, and is the same"
    steps = stage_one(world_run, config.folder, steps=summary.steps)
    assert train(steps, silent) == summary, "said in steps it is the same training"


def test_stage_two_learns_from_it_resumes_and_repeats(world_run: Path, first: Path, tmp_path: Path) -> None:
    summary = train(stage_two(world_run, tmp_path / "a", first), silent)
    train(stage_two(world_run, tmp_path / "b", first), silent)
    assert curve(tmp_path / "a") == curve(tmp_path / "b")
    assert summary.stage == 2 and summary.samples == 8
    assert (
        summary.teacher_sha256 == open_stage_one(first).weights_sha256 == open_stage_two(tmp_path / "a").teacher_sha256
    )
    assert {"local", "global", "local_trivial", "global_trivial"} <= set(read_metrics(tmp_path / "a")[0])


def test_arms_of_an_ablation_train_and_open(world_run: Path, first: Path, tmp_path: Path) -> None:
    one = stage_one(world_run, tmp_path / "one", steps=1, loss="sigmoid", rebuild=True, chunk_clips=1)
    train(one, silent)
    assert {"bias", "contrastive", "rebuilt"} <= set(read_metrics(one.folder)[0])
    open_stage_one(one.folder)
    arm = {"mask": "tubes", "shuffled": False, "whole_clip": False, "start": "random", "teacher_memory_mb": 1}
    two = stage_two(world_run, tmp_path / "two", first, steps=1, **arm)
    train(two, silent)
    line = read_metrics(two.folder)[0]
    assert line["loss"] == line["local"] and {"local_visible", "local_masked"} <= set(line)
    open_stage_two(two.folder)


def test_chunks_and_memory_belong_to_the_same_training(world_run: Path, first: Path, tmp_path: Path) -> None:
    config = stage_two(world_run, tmp_path / "cut", first)
    train(config, silent)
    losses = [line["loss"] for line in read_metrics(config.folder)]
    other = stage_two(world_run, tmp_path / "other", first, chunk_clips=1, teacher_memory_mb=1)
    train(other, silent)
    assert [line["loss"] for line in read_metrics(other.folder)] == pytest.approx(losses, abs=1e-4)
    assert train(other.model_copy(update={"chunk_clips": None, "teacher_memory_mb": 0}), silent) is not None


def test_each_batch_is_of_one_source_and_adds_up_in_the_summary(first: Path) -> None:
    summary = read_summary(first)
    assert summary is not None
    assert sum(summary.samples_by_source.values()) == summary.samples == 12
    assert summary.left_out["no_text"] > 0
    assert [point.step for point in summary.curve] == [1, 2, 3, 4, 5, 6]
    assert 0 <= summary.wait_share < 1
    assert summary.final_loss == pytest.approx(read_metrics(first)[-1]["loss"], abs=1e-6)


def test_checkpoints_state_the_manifest_and_only_the_newest_stay(world_run: Path, first: Path) -> None:
    assert sorted(path.name for path in (first / FOLDER).iterdir()) == ["step-00000004", "step-00000006"]
    newest = newest_checkpoint(first)
    assert newest is not None
    assert newest.facts.identity["manifest_sha256"] == manifest_digest(read_run_manifest(world_run))
    assert sorted(path.name for path in first.iterdir()) == [
        FOLDER,
        "config.yaml",
        "metrics.jsonl",
        "summary.json",
        "tensorboard",
    ]


def test_tensorboard_shows_what_the_metrics_say(first: Path) -> None:
    board = EventAccumulator(str(first / "tensorboard")).Reload()
    lines = read_metrics(first)
    for name in ("loss", "lr", "grad_norm", "temperature", "accuracy"):
        shown = [(event.step, event.value) for event in board.Scalars(name)]
        assert shown == [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in lines], name
    assert {"clips_per_s", "wait_share", "memory_bytes"} <= set(board.Tags()["scalars"])


def test_tensorboard_shows_the_loss_of_each_source_by_itself(first: Path) -> None:
    board = EventAccumulator(str(first / "tensorboard")).Reload()
    lines = read_metrics(first)
    for source in {line["source"] for line in lines}:
        shown = [(event.step, event.value) for event in board.Scalars(f"loss_of/{source}")]
        assert shown == [(line["step"], pytest.approx(line["loss"])) for line in lines if line["source"] == source]


def test_a_line_says_what_share_of_the_device_was_used(world_run: Path, first: Path, tmp_path: Path) -> None:
    train(stage_one(world_run, tmp_path / "out", steps=2, peak_tflops=2.0), silent)
    for line in read_metrics(tmp_path / "out"):
        assert line["mfu"] == pytest.approx(line["tflops_per_s"] / 2.0) and 0 < line["mfu"] < 1
        assert line["clips_per_s"] == pytest.approx(2 / line["step_s"])
    assert "mfu" not in read_metrics(first)[0] and read_metrics(first)[0]["tflops_per_s"] > 0


def test_a_finished_stage_is_not_trained_again(world_run: Path, first: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*") if path.is_file()}
    assert train(stage_one(world_run, first), lambda title: StopsAt(1)) == read_summary(first)
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*") if path.is_file()} == before


def test_another_training_is_not_mixed_in(world_run: Path, first: Path) -> None:
    with pytest.raises(OtherTraining, match=r"another training \(other config\); allowed: an empty folder"):
        train(stage_one(world_run, first, seed=5), silent)


def test_another_manifest_is_another_training_and_the_pinned_one_goes_on(
    world_run: Path, first: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(world_run, run)
    with pytest.raises(Stop):
        train(stage_one(run, tmp_path / "out"), lambda title: StopsAt(3))
    old = read_run_manifest(run)
    commit_manifest(LocalStore(run), old.model_copy(update={"shards": old.shards[:-1]}))
    with pytest.raises(OtherTraining, match=r"\(other manifest_sha256, manifest_version\)"):
        train(stage_one(run, tmp_path / "out"), silent)
    config = stage_one(run, tmp_path / "out", manifest=1)
    train(config, silent)
    assert curve(config.folder) == curve(first)
    assert open_stage_one(config.folder).weights_sha256 == open_stage_one(first).weights_sha256


def test_a_damaged_checkpoint_is_said(world_run: Path, first: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    weights = copy / FOLDER / "step-00000006" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigError, match=r"weights\.safetensors is missing or its bytes changed; remove that folder"):
        train(stage_one(world_run, copy), silent)
    shutil.rmtree(weights.parent)
    train(stage_one(world_run, copy), silent)
    assert open_stage_one(copy).weights_sha256 == open_stage_one(first).weights_sha256


def test_a_teacher_that_is_not_finished_is_refused(world_run: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "half")
    with pytest.raises(Stop):
        train(config, lambda title: StopsAt(3))
    with pytest.raises(ConfigError, match="is at step 2 of 6; train stage 1 to its end first"):
        train(stage_two(world_run, tmp_path / "two", config.folder), silent)


def test_a_loss_that_is_not_finite_stops_with_step_source_and_shards(world_run: Path, tmp_path: Path) -> None:
    # A rate at which the first step throws the weights far away: the next loss or gradient is not finite.
    wild = RATE.model_copy(update={"peak_lr": 1e30, "warmup_steps": 0})
    with pytest.raises(TrainingStopped, match=r"step [1-5]: the (loss|gradient norm) is .*source \w+, shards shards/"):
        train(stage_one(world_run, tmp_path / "wild", optimiser=wild), silent)


def test_metrics_are_never_ahead_of_a_resumed_step(world_run: Path, tmp_path: Path) -> None:
    config = stage_one(world_run, tmp_path / "cut")
    with pytest.raises(Stop):
        train(config, lambda title: StopsAt(5))
    with (config.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "los')
    train(config, silent)
    assert [line["step"] for line in read_metrics(config.folder)] == [0, 1, 2, 3, 4, 5]


def test_a_run_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestRefused, match="run build first"):
        train(stage_one(tmp_path, tmp_path / "out"), silent)


def test_no_global_random_state_is_touched(world_run: Path, tmp_path: Path) -> None:
    torch.manual_seed(4)
    before = torch.get_rng_state()
    train(stage_one(world_run, tmp_path / "one", steps=1), silent)
    train(stage_two(world_run, tmp_path / "two", tmp_path / "one", steps=1), silent)
    open_stage_two(tmp_path / "two")
    assert torch.equal(torch.get_rng_state(), before)


def test_summaries_are_canonical(first: Path) -> None:
    document = json.loads((first / "summary.json").read_bytes())
    assert document["schema_name"] == "clipstrata.training/1"
    assert list(document) == sorted(document)
