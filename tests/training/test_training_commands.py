"""`train`, `export`, `evaluate` and `demo` as a person types them: exit codes, messages, what is left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from beam_runner import _training_errors, main
from curation.store import LocalStore
from pipelines.pages import trained
from schemas.evaluation import EncoderRow, Evaluation
from schemas.run import EVALUATION_JSON
from training.evaluation import SubjectFault
from training.model import EncoderConfig, VideoEncoder, export_encoder

STAGE_ONE = {
    "stage": 1,
    "run": "run",
    "batch_size": 2,
    "steps": 2,
    "small_sources": "leave_out",
    "optimiser": {"peak_lr": 0.001},
}


@pytest.fixture
def run(world_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(world_run, tmp_path / "run")
    return tmp_path / "run"


def config(folder: Path, **changes: object) -> str:
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump({**STAGE_ONE, **changes}))
    return str(path)


def test_train_and_export(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", config(run.parent)]) == 0
    assert f"checkpoints and metrics: {run / 'models' / 'stage1'}" in capsys.readouterr().out
    assert "symmetric contrastive loss" in (run / "report" / "index.html").read_text()
    assert main(["export", str(run / "models" / "stage1"), "--out", str(run / "models" / "encoder")]) == 0
    assert "stage 1, weights" in capsys.readouterr().out
    assert main(["stats", str(run)]) == 0
    assert "stage 1" in capsys.readouterr().out
    assert main(["verify", str(run)]) == 0


def test_an_evaluation_of_other_weights_is_not_shown(run: Path) -> None:
    assert main(["train", config(run.parent)]) == 0
    store = LocalStore(run)
    (summary,), _ = trained(store)
    evaluation = Evaluation(
        suite="shapes",
        seed=1,
        settings={},
        measures=(),
        rows=(EncoderRow(name="stage 1", digest=summary.weights_sha256, values={}),),
    )
    store.write(EVALUATION_JSON, evaluation.to_bytes())
    assert trained(store) == ((summary,), evaluation)
    shutil.rmtree(run / "models" / "stage1")
    assert main(["train", config(run.parent, steps=3)]) == 0
    assert trained(store)[1] is None


WRONG = {
    "no config": (["train", "absent.yaml"], "training config absent.yaml: cannot be read"),
    "no run": (["train", "{nowhere}"], "no such folder; allowed: a run with shards"),
    "no shards": (["train", "{no_shards}"], "so no finished shards; run build first"),
    "batches beyond every source": (["train", "{big}"], "no sample is left to train on"),
    "no checkpoint": (["export", "{folder}", "--out", "x"], "holds no checkpoint; allowed: a stage's folder"),
    "nothing trained": (["evaluate", "{folder}"], "holds neither models/stage1 nor config.json"),
    "a seed below 0": (["evaluate", "{folder}", "--seed", "-1"], "--seed: seed is -1; allowed: integers from 0"),
    "another encoder": (["evaluate", "{vit}"], "model_type is 'vit'; allowed: 'videoprism_vision_model'"),
    "an encoder without weights": (["evaluate", "{bare}"], "model.safetensors: cannot be read"),
    "a cut summary": (
        ["train", "{cut}"],
        "summary.json: cannot be read; remove it; `clipstrata train` writes it again",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_exit_2_with_the_way_out(
    case: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = WRONG[case]
    for name in "abcd":
        (tmp_path / name).mkdir()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "summary.json").write_text('{"stage": 1, "se')
    export_encoder(VideoEncoder(EncoderConfig.tiny()), tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text('{"model_type": "vit"}')
    places = {
        "folder": str(tmp_path / "a"),
        "vit": str(tmp_path / "vit"),
        "bare": str(tmp_path / "bare"),
        "cut": config(tmp_path / "d", run=str(run), out=str(tmp_path / "cut")),
        "nowhere": config(tmp_path / "a", run="nowhere"),
        "no_shards": config(tmp_path / "b", run="."),
        "big": config(tmp_path / "c", run=str(run), batch_size=5000),
    }
    assert main([word.format(**places) for word in words]) == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_measured_ends_with_exit_1_and_no_traceback() -> None:
    # An evaluation draws thousands of clips before it asks an encoder, so this looks at the list alone.
    assert SubjectFault in _training_errors()


def test_a_training_that_falls_apart_is_exit_1(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = config(run.parent, steps=6, optimiser={"peak_lr": 1e30}, precision="float32")
    assert main(["train", wild]) == 1
    assert "shards shards/" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_is_whole_and_its_second_run_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["demo", "--out", str(tmp_path / "run"), "--clips", "80", "--steps", "2"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    for expected in ("all is as the manifest says", "random encoder", "stage 1", "stage 2", "page: "):
        assert expected in printed
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "random encoder" in page and 'id="encoder"' in page
    facts = json.loads((tmp_path / "run" / "models" / "encoder" / "config.json").read_bytes())
    assert facts["architectures"] == ["VideoPrismVisionModel"]
    models = tmp_path / "run" / "models"
    before = {path: path.stat().st_mtime_ns for path in models.rglob("*.safetensors") if "encoder" not in path.parts}
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "random encoder" in (tmp_path / "run" / "report" / "index.html").read_text()
