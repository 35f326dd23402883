"""Launch files: `clipstrata train` on one manifest version, started by torchrun, sbatch, Kubeflow or SkyPilot.

`clipstrata train` is one process on one machine, and every file starts one: a second rank would train the same steps
again. It goes on from its newest checkpoint by itself, so whoever starts a stopped job again needs no other command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from curation.handoff.data_card import shares_text
from schemas.planning import StageShares

LAUNCH_FOLDER = "launch"
CHECKPOINT_EVERY = 1_000
WARMUP_SHARE = 0.05
# Of the paper's recipe at its batch of thousands; a start, to be found anew for another batch.
PEAK_LR = 5e-4
# Where the jobs of a cluster see the hand-off: the run folder is mounted there.
MOUNT = "/data/run"


def launch_files(shares: Sequence[StageShares], corpus: str, version: int, run: str, handoff: str) -> dict[str, bytes]:
    """Return path -> bytes of the launch files of the stages that can draw something.

    Args:
        run: path from the launch folder to the run.
        handoff: path from the run to the hand-off, for jobs that mount the run; "" where it lies elsewhere.
    """
    able = [own for own in shares if own.places]
    files = {f"{LAUNCH_FOLDER}/stage{own.stage}.yaml": _config(own, version, run) for own in able}
    mounted = f"{MOUNT}/{handoff or 'handoff'}/{LAUNCH_FOLDER}"
    name = f"clipstrata-{corpus.replace('_', '-').strip('-')}-v{version}"
    files |= {
        f"{LAUNCH_FOLDER}/shares.txt": (shares_text(shares) + "\n").encode("utf-8"),
        f"{LAUNCH_FOLDER}/torchrun.sh": _TORCHRUN.encode("utf-8"),
        f"{LAUNCH_FOLDER}/sbatch.sh": _SBATCH.replace("NAME", name).encode("utf-8"),
        f"{LAUNCH_FOLDER}/trainjob.yaml": _yaml(_TRAINJOB_HEAD, trainjob(name, mounted)),
        f"{LAUNCH_FOLDER}/skypilot.yaml": _yaml(_SKYPILOT_HEAD, skypilot(name, mounted)),
    }
    return files


def _config(shares: StageShares, version: int, run: str) -> bytes:
    steps = max(1, shares.steps_per_epoch)
    document = {
        "stage": shares.stage,
        "run": run,
        "manifest": version,
        "batch_size": shares.batch_size,
        "steps": steps,
        "small_sources": "leave_out",
        **({"mixture": shares.mixture} if shares.mixture else {}),
        "checkpoint_every": CHECKPOINT_EVERY,
        "optimiser": {"peak_lr": PEAK_LR, "warmup_steps": round(steps * WARMUP_SHARE)},
    }
    return _yaml("# One epoch; docs/training.md lists every key. Say how often with `steps`.\n", document)


def _yaml(head: str, document: Mapping[str, object]) -> bytes:
    return (head + yaml.safe_dump(dict(document), sort_keys=False)).encode("utf-8")


def _command(folder: str) -> str:
    return f'cat {folder}/shares.txt && clipstrata train {folder}/stage"${{STAGE:-1}}".yaml'


def trainjob(name: str, folder: str) -> dict[str, Any]:
    """Return a TrainJob of Kubeflow Trainer v2; its runtime is the `torch-distributed` that the trainer brings."""
    volume = {"name": "run", "persistentVolumeClaim": {"claimName": "clipstrata-run"}}
    container = {"name": "node", "volumeMounts": [{"name": "run", "mountPath": MOUNT}]}
    pod = {"template": {"spec": {"volumes": [volume], "containers": [container]}}}
    jobs = {"replicatedJobs": [{"name": "node", "template": {"spec": pod}}]}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name},
        "spec": {
            "runtimeRef": {"name": "torch-distributed"},
            "trainer": {
                "image": "YOUR-REGISTRY/clipstrata",
                "command": ["bash", "-c", _command(folder)],
                "env": [{"name": "STAGE", "value": "1"}],
                "numNodes": 1,
                "numProcPerNode": 1,
                "resourcesPerNode": {"limits": {"nvidia.com/gpu": 1}},
            },
            "runtimePatches": [
                {"manager": "clipstrata.dev/handoff", "trainingRuntimeSpec": {"template": {"spec": jobs}}}
            ],
        },
    }


def skypilot(name: str, folder: str) -> dict[str, Any]:
    """Return a SkyPilot task."""
    return {
        "name": name,
        "num_nodes": 1,
        "resources": {"accelerators": "A100:1", "image_id": "docker:YOUR-REGISTRY/clipstrata"},
        "envs": {"STAGE": "1"},
        "file_mounts": {MOUNT: {"source": "s3://YOUR-BUCKET", "mode": "MOUNT"}},
        "run": _command(folder),
    }


_TORCHRUN = """#!/usr/bin/env bash
# One process: `clipstrata train` does not spread over ranks. torchrun gives it restarts and its environment.
#   ./torchrun.sh        stage 1
#   STAGE=2 ./torchrun.sh
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cat "$here/shares.txt"
exec torchrun --standalone --nnodes=1 --nproc-per-node=1 --max-restarts="${RESTARTS:-3}" --no-python \\
  clipstrata train "$here/stage${STAGE:-1}.yaml"
"""

_SBATCH = """#!/usr/bin/env bash
#SBATCH --job-name=NAME
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=INT@300
# Submit it from this folder: sbatch sbatch.sh, or sbatch --export=ALL,STAGE=2 sbatch.sh. Slurm runs a copy of this
# file, so the folder is the one that it was submitted from. Five minutes before the limit clipstrata is interrupted: it
# writes a checkpoint and ends with 130, and the job is queued again.
set -uo pipefail
here="${SLURM_SUBMIT_DIR:?submit it with sbatch from the folder that holds it}"
cat "$here/shares.txt"
srun clipstrata train "$here/stage${STAGE:-1}.yaml"
code=$?
if [ "$code" -eq 130 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""

_TRAINJOB_HEAD = """# Kubeflow Trainer v2. Yours to set: the image, the claim that holds the run, the resources.
#   kubectl apply -f trainjob.yaml
"""

_SKYPILOT_HEAD = """# Yours to set: the image, the accelerator, the bucket that holds the run.
#   sky jobs launch skypilot.yaml --env STAGE=1
"""
