"""Both stages, export and evaluation over one small run; the encoder opens in transformers with equal outputs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import VideoPrismVisionModel

from curation.scorers import WORLD_CLIP, load_open_clip
from schemas.config_file import ConfigError
from schemas.evaluation import Evaluation
from tests.training.loop.loop_builders import silent
from training.data import manifest_digest, read_run_manifest
from training.evaluation import ShapesOptions
from training.frozen import evaluate, export_checkpoint, run_subjects
from training.loop import open_stage_one, open_stage_two
from training.model import load_encoder
from training.recipe import RecipeResult, demo_stages, run_recipe

QUICK = ShapesOptions(
    probe_train_clips=16, probe_validation_clips=8, probe_test_clips=8, probe_steps=2, retrieval_clips=8
)


@pytest.fixture(scope="module")
def run(world_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("recipe") / "run"
    shutil.copytree(world_run, copy)
    return copy


def follow(run: Path, steps: int = 2) -> RecipeResult:
    return run_recipe(run, demo_stages(run, 80, steps), load_open_clip(WORLD_CLIP, None), QUICK, silent)


@pytest.fixture(scope="module")
def result(run: Path) -> RecipeResult:
    return follow(run)


def test_everything_lies_where_the_run_layout_says(run: Path, result: RecipeResult) -> None:
    for path in ("models/stage1/summary.json", "models/stage2/metrics.jsonl", "models/encoder/config.json"):
        assert (run / path).is_file()
    assert Evaluation.model_validate_json((run / "models/evaluation.json").read_bytes()) == result.evaluation
    assert not (run / "tmp" / "decoded").exists()


def test_the_table_holds_every_encoder_beside_chance(result: RecipeResult) -> None:
    names = [row.name for row in result.evaluation.rows]
    assert names == ["random encoder", "stage 1", "stage 2", "scorer, mean of frames"]
    assert result.evaluation.rows[0].values["text_to_video_r1"] is None
    assert all(value is not None for row in result.evaluation.rows[1:] for value in row.values.values())
    assert {measure.name: measure.chance for measure in result.evaluation.measures}["text_to_video_r1"] == 1 / 8
    assert any("global decoder" in note for note in result.evaluation.notes)


def test_the_exported_encoder_is_stage_twos_and_opens_in_transformers(run: Path, result: RecipeResult) -> None:
    ours = load_encoder(run / "models" / "encoder")
    student = open_stage_two(run / "models" / "stage2").encoder
    frames = torch.rand(2, 8, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        tokens = ours(frames).tokens
        assert torch.equal(tokens, student(frames).tokens)
        theirs = VideoPrismVisionModel.from_pretrained(run / "models" / "encoder").eval()
        found = theirs(frames.permute(0, 1, 4, 2, 3)).last_hidden_state
    assert torch.allclose(found, tokens, atol=2e-5)


def test_it_says_where_it_comes_from(run: Path, result: RecipeResult) -> None:
    facts = json.loads((run / "models" / "encoder" / "provenance.json").read_bytes())
    assert facts["manifest_sha256"] == manifest_digest(read_run_manifest(run))
    assert (facts["stage"], facts["step"], facts["weights_sha256"]) == (2, 2, result.exported.weights_sha256)


def test_what_is_finished_is_not_done_again(run: Path, result: RecipeResult) -> None:
    def times() -> dict[Path, int]:
        kept = [path for path in (run / "models").rglob("*") if path.is_file() and "encoder" not in path.parts]
        return {path: path.stat().st_mtime_ns for path in kept}

    before = times()
    assert follow(run) == result
    assert times() == before


def test_other_options_are_evaluated_anew(run: Path, result: RecipeResult, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    options, scorer = replace(QUICK, probe_rates=(1e-2,)), load_open_clip(WORLD_CLIP, None)
    again = run_recipe(tmp_path / "run", demo_stages(tmp_path / "run", 80, 2), scorer, options, silent)
    assert again.training == result.training
    assert "probe_rate_2" not in again.evaluation.settings


def test_a_cut_evaluation_is_said(run: Path, result: RecipeResult, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "models" / "evaluation.json"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"evaluation\.json: cannot be read; remove it, and evaluate again"):
        follow(tmp_path / "run")


def test_another_training_replaces_an_old_one(run: Path, result: RecipeResult, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    again = follow(copy, steps=3)
    assert [summary.steps for summary in again.training] == [3, 3]
    assert again.evaluation != result.evaluation


def test_stage_one_is_exported_too(run: Path, result: RecipeResult, tmp_path: Path) -> None:
    found = export_checkpoint(run / "models" / "stage1", tmp_path / "teacher")
    assert found.stage == 1 and found.weights_sha256 != result.exported.weights_sha256


def test_an_encoder_folder_is_evaluated_without_a_text_side(run: Path, result: RecipeResult) -> None:
    found = evaluate(run / "models" / "encoder", load_open_clip(WORLD_CLIP, None), QUICK)
    assert [row.name for row in found.rows] == ["random encoder", "encoder", "scorer, mean of frames"]
    assert found.rows[1].values["motion"] == result.evaluation.rows[2].values["motion"]


def test_a_stage_two_of_another_teacher_is_refused(run: Path, result: RecipeResult, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run / "models", copy / "models")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    shutil.rmtree(copy / "models" / "stage1")
    follow(other, steps=4)
    shutil.copytree(other / "models" / "stage1", copy / "models" / "stage1")
    assert open_stage_one(copy / "models" / "stage1").step == 4
    with pytest.raises(ConfigError, match="allowed: its own teacher; train stage 2 again"):
        run_subjects(copy, 1)


def test_a_folder_with_nothing_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds neither models/stage1 nor config\.json"):
        evaluate(tmp_path, load_open_clip(WORLD_CLIP, None), QUICK)
    with pytest.raises(ConfigError, match="holds no checkpoint; allowed: a stage's folder"):
        export_checkpoint(tmp_path, tmp_path / "out")
