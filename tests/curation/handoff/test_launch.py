from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from curation.handoff.launch import launch_files, skypilot, trainjob
from schemas.planning import PlaceShare, StageShares
from training.loop import load_train_config

PLACE = PlaceShare(source="web", tier="clean", samples=1000, share=1.0, repeats=1.0)
STAGE = StageShares(
    stage=1,
    batch_size=64,
    samples=1000,
    duration_us=2_000_000_000,
    steps_per_epoch=16,
    places=(PLACE,),
    dropped_per_round={"web": 40},
    left_out={"no_text": 7},
)
NOTHING = STAGE.model_copy(update={"stage": 2, "places": (), "refused": "no sample", "samples": 0})


def files(*stages: StageShares) -> dict[str, bytes]:
    return launch_files(stages, "tiny_web", 3, "../..", "handoff")


def test_the_configs_name_the_run_and_the_version(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "handoff" / "launch"
    folder.mkdir(parents=True)
    (folder / "stage1.yaml").write_bytes(files(STAGE)["launch/stage1.yaml"])
    found = load_train_config(folder / "stage1.yaml")
    assert (found.run_address, found.manifest) == (tmp_path / "run", 3)
    assert (found.stage, found.batch_size, found.steps, found.optimiser.warmup_steps) == (1, 64, 16, 1)


def test_the_configs_draw_by_the_mixture_that_the_shares_are_of(tmp_path: Path) -> None:
    mixed = STAGE.model_copy(update={"mixture": {"web": 0.25, "stock": 3.0}})
    (tmp_path / "stage1.yaml").write_bytes(files(mixed)["launch/stage1.yaml"])
    assert load_train_config(tmp_path / "stage1.yaml").parts == {"web": 250_000, "stock": 3_000_000}


def test_a_stage_that_can_draw_nothing_has_no_config_but_says_why() -> None:
    found = files(STAGE, NOTHING)
    assert "launch/stage2.yaml" not in found
    assert b"Nothing is drawn: no sample." in found["launch/shares.txt"]


def test_the_shares_stand_where_the_launchers_print_them() -> None:
    found = files(STAGE)
    assert b"| web | clean | 1000 | 100.00% | 1.000 |" in found["launch/shares.txt"]
    for name in ("torchrun.sh", "sbatch.sh", "trainjob.yaml", "skypilot.yaml"):
        text = found[f"launch/{name}"]
        assert b"shares.txt" in text
        assert b"clipstrata train" in text.replace(b"\\\n  clipstrata", b"clipstrata")


@pytest.mark.parametrize("name", ["torchrun.sh", "sbatch.sh"])
def test_bash_takes_the_scripts(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(files(STAGE)[f"launch/{name}"])
    assert subprocess.run(["bash", "-n", tmp_path / name], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["trainjob.yaml", "skypilot.yaml"])
def test_bash_takes_the_commands_of_the_yaml_files(name: str, tmp_path: Path) -> None:
    document = yaml.safe_load(files(STAGE)[f"launch/{name}"])
    command = document["run"] if name == "skypilot.yaml" else document["spec"]["trainer"]["command"][-1]
    (tmp_path / "command.sh").write_text(command)
    assert subprocess.run(["bash", "-n", tmp_path / "command.sh"], capture_output=True, check=False).returncode == 0
    assert "/data/run/handoff/launch/stage" in command


def test_the_train_job_has_the_keys_of_the_custom_resource() -> None:
    """The keys are those of the CRD trainer.kubeflow.org_trainjobs.yaml of kubeflow/trainer, version v1alpha1."""
    found = trainjob("tiny-v3", "/data")
    assert (found["apiVersion"], found["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    spec = found["spec"]
    assert set(spec) <= {"runtimeRef", "initializer", "trainer", "runtimePatches", "suspend", "managedBy"}
    allowed = {"image", "command", "args", "env", "numNodes", "resourcesPerNode", "numProcPerNode"}
    assert set(spec["trainer"]) <= allowed
    assert set(spec["runtimePatches"][0]) == {"manager", "trainingRuntimeSpec"}
    assert spec["trainer"]["numNodes"] * spec["trainer"]["numProcPerNode"] == 1


def test_the_sky_task_has_the_keys_of_a_task() -> None:
    found = skypilot("tiny-v3", "/data")
    allowed = {"name", "num_nodes", "resources", "envs", "file_mounts", "workdir", "setup", "run", "config"}
    assert set(found) <= allowed
    assert found["num_nodes"] == 1
