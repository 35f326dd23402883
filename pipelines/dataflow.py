"""A job on Dataflow: what clipstrata sets unless told otherwise, and what it refuses before anything is sent.

Workers run one container with one process each, with a thread per core: what a unit does is done in its media child and
in the model, none of which holds the interpreter, and a process per core would load a model per core.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)

from pipelines.flags import EngineOptionsError
from schemas.run import CODE_VERSION

# n1, because Dataflow adds accelerators to it; 15 GB for a model, ffmpeg's frames and Beam's buffers.
MACHINE_TYPE = "n1-standard-4"
# Batch workers get 25 GB otherwise, and an image with CUDA takes most of it.
DISK_GB = 100
ONE_PROCESS = "no_use_multiple_sdk_containers"
_PROCESS_PER_CORE = "use_multiple_sdk_containers"
# Beam would stage what is installed where a job is started from, with its paths; the image says what workers have.
_NO_INVENTORY = "disable_logging_submission_environment"
_PLACE = re.compile(r"gs://[a-z0-9][-_a-z0-9.]+[a-z0-9]/\S+")
_CORES = re.compile(r"custom-(\d+)-\d+|-(\d+)(?:-lssd|-metal)?$")


class ScoringHardware(PipelineOptions):
    """Flags for what the scoring step alone needs; Dataflow starts workers of their own for it (right fitting)."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument(
            "--scoring_accelerator",
            help="GPU of the scoring step's workers, as type:nvidia-tesla-t4;count:1;install-nvidia-driver",
        )
        parser.add_argument("--scoring_min_ram", help="memory of the scoring step's workers, as 16GB")


def is_dataflow(options: PipelineOptions) -> bool:
    """Return whether a job with these options goes to Dataflow."""
    runner = options.view_as(StandardOptions).runner or ""
    return runner.lower() in ("dataflow", "dataflowrunner") or runner.endswith(".DataflowRunner")


def hints_for(options: PipelineOptions, device: str) -> dict[str, str]:
    """Return Beam's resource hints for a model on a device.

    Raises:
        EngineOptionsError: a GPU is asked for, and the model would not use it.
    """
    hints = scoring_hints(options)
    if "accelerator" in hints and device == "cpu":
        raise EngineOptionsError(
            f"--scoring_accelerator is {hints['accelerator']}, and the scorer computes on cpu: the GPU would "
            "stay idle; write `scorer: {device: cuda, dtype: float32}` into the corpus file, or leave the option out"
        )
    return hints


def scoring_hints(options: PipelineOptions) -> dict[str, str]:
    """Return the hints that were asked for."""
    wanted = options.view_as(ScoringHardware)
    hints = {"accelerator": wanted.scoring_accelerator, "min_ram": wanted.scoring_min_ram}
    return {name: value for name, value in hints.items() if value}


def dataflow_flags(flags: Sequence[str], root: str) -> list[str]:
    """Return flags for a job: clipstrata's defaults, then what was given, which wins.

    Args:
        root: the run; empty where there is none.

    Raises:
        EngineOptionsError: something is missing or cannot work.
    """
    given = PipelineOptions(list(flags))
    _check(given, root)
    return [*_defaults(given, root), *flags]


def _check(given: PipelineOptions, root: str) -> None:
    cloud, problems = given.view_as(GoogleCloudOptions), []
    if root and "://" not in root:
        problems.append(
            f"--out is {root}: a folder of this machine, which workers cannot reach; allowed: gs://BUCKET/FOLDER"
        )
    if not given.view_as(WorkerOptions).sdk_container_image:
        problems.append(
            "--sdk_container_image is missing: workers need clipstrata and its packages; build the image of "
            "deploy/images, push it, and give its name with its digest or tag"
        )
    problems += [f"--{name} is missing" for name in ("project", "region") if not getattr(cloud, name)]
    if not cloud.temp_location and not root.startswith("gs://"):
        problems.append("--temp_location is missing: a folder in a bucket, as gs://BUCKET/FOLDER")
    # Beam would warn, and go on with a bucket of its own making.
    places = {"temp_location": cloud.temp_location, "staging_location": cloud.staging_location}
    places["out"] = root if root.startswith("gs://") else None
    problems += [
        f"--{name} is {place}: not a folder in a bucket; allowed: gs://BUCKET/FOLDER, the bucket in lower case"
        for name, place in places.items()
        if place and not _PLACE.fullmatch(place)
    ]
    if problems:
        raise EngineOptionsError("\n  ".join(["Dataflow cannot run this job:", *problems, "see docs/dataflow.md"]))


def _defaults(given: PipelineOptions, root: str) -> list[str]:
    cloud, machine = given.view_as(GoogleCloudOptions), given.view_as(WorkerOptions).machine_type or MACHINE_TYPE
    experiments = given.view_as(DebugOptions).experiments or []
    # Under tmp/, of which nothing is ever part of a digest.
    place = cloud.temp_location or f"{root.rstrip('/')}/tmp/dataflow"
    found = [
        f"--temp_location={place}",
        f"--staging_location={place}",
        f"--machine_type={machine}",
        f"--disk_size_gb={DISK_GB}",
        f"--labels=clipstrata={CODE_VERSION.replace('.', '-')}",
        # Beam would pickle `__main__` otherwise; all that workers need is in their image.
        "--no_save_main_session",
        f"--experiments={_NO_INVENTORY}",
        "--sdk_location=container",
    ]
    if ONE_PROCESS not in experiments and _PROCESS_PER_CORE not in experiments:
        found.append(f"--experiments={ONE_PROCESS}")
        cores = cores_of(machine)
        found += [] if cores is None else [f"--number_of_worker_harness_threads={cores}"]
    return found


def cores_of(machine_type: str) -> int | None:
    """Return how many cores the name of a machine type tells, or None."""
    told = _CORES.search(machine_type)
    return None if told is None else int(told.group(1) or told.group(2))
