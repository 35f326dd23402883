"""Dataflow's options, by literal flags: what is set, what is left to the caller, and what is refused."""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)

from pipelines.dataflow import cores_of, hints_for, is_dataflow, scoring_hints
from pipelines.engine import EngineOptions, EngineOptionsError

IMAGE = "europe-west4-docker.pkg.dev/my-project/repo/clipstrata:0.1.0-cpu"
QUIET = "disable_logging_submission_environment"
NEEDED = ("--runner=DataflowRunner", "--project=p", "--region=r", f"--sdk_container_image={IMAGE}")


def beam_options(*more: str, root: str = "gs://lab/run/") -> PipelineOptions:
    return EngineOptions(flags=(*NEEDED, *more), root=root).to_beam()


def test_defaults_fit_a_run_in_a_bucket() -> None:
    options = beam_options()
    cloud, workers = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    assert cloud.temp_location == cloud.staging_location == "gs://lab/run/tmp/dataflow"
    assert cloud.labels == ["clipstrata=0-3-0"]
    assert (workers.machine_type, workers.disk_size_gb, workers.sdk_container_image) == ("n1-standard-4", 100, IMAGE)
    assert options.view_as(DebugOptions).experiments == [QUIET, "no_use_multiple_sdk_containers"]
    assert options.view_as(DebugOptions).number_of_worker_harness_threads == 4
    assert options.view_as(SetupOptions).save_main_session is False
    assert options.view_as(SetupOptions).sdk_location == "container"
    assert scoring_hints(options) == {}


def test_what_is_given_wins_and_lists_grow() -> None:
    options = beam_options(
        "--temp_location=gs://other/tmp",
        "--machine_type=g2-standard-8",
        "--disk_size_gb=200",
        "--labels=team=video",
        "--experiments=use_nvidia_mps",
    )
    cloud, debug = options.view_as(GoogleCloudOptions), options.view_as(DebugOptions)
    assert cloud.temp_location == cloud.staging_location == "gs://other/tmp"
    assert cloud.labels == ["clipstrata=0-3-0", "team=video"]
    assert debug.experiments == [QUIET, "no_use_multiple_sdk_containers", "use_nvidia_mps"]
    assert debug.number_of_worker_harness_threads == 8
    assert options.view_as(WorkerOptions).disk_size_gb == 200
    assert (
        beam_options("--staging_location=gs://staged/x").view_as(GoogleCloudOptions).staging_location == "gs://staged/x"
    )


def test_a_process_per_core_is_left_to_dataflow_with_its_threads() -> None:
    debug = beam_options("--experiments=use_multiple_sdk_containers").view_as(DebugOptions)
    assert (debug.experiments, debug.number_of_worker_harness_threads) == ([QUIET, "use_multiple_sdk_containers"], None)


@pytest.mark.parametrize(
    ("machine", "cores"),
    [
        ("n1-standard-16", 16),
        ("g2-standard-4", 4),
        ("c3-standard-22-lssd", 22),
        ("n2-custom-6-20480", 6),
        ("custom-4-8192", 4),
        ("a2-highgpu-1g", None),
        ("e2-medium", None),
    ],
)
def test_names_of_machines_tell_their_cores(machine: str, cores: int | None) -> None:
    assert cores_of(machine) == cores


@pytest.mark.parametrize("runner", ["DataflowRunner", "dataflow", "apache_beam.runners.DataflowRunner"])
def test_each_name_of_the_runner_is_known(runner: str) -> None:
    assert is_dataflow(PipelineOptions([f"--runner={runner}"]))
    assert not is_dataflow(PipelineOptions(["--runner=FlinkRunner"])) and not is_dataflow(PipelineOptions([]))


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(EngineOptionsError) as told:
        EngineOptions(flags=("--runner=DataflowRunner",)).to_beam()
    lines = str(told.value).splitlines()
    assert lines[0] == "Dataflow cannot run this job:"
    assert [line.split()[0] for line in lines[1:-1]] == [
        "--sdk_container_image",
        "--project",
        "--region",
        "--temp_location",
    ]
    assert "build the image of deploy/images, push it" in lines[1]
    assert lines[-1] == "  see docs/dataflow.md"


def test_a_run_on_this_machine_is_refused() -> None:
    with pytest.raises(EngineOptionsError, match="--out is /data/run: a folder of this machine"):
        beam_options("--temp_location=gs://lab/tmp", root="/data/run")


@pytest.mark.parametrize("place", ["gs://No_Bucket/x", "gs://bucket", "/tmp/x", "s3://bucket/x"])
def test_a_place_that_beam_would_replace_by_a_bucket_of_its_own_is_refused(place: str) -> None:
    for name in ("temp_location", "staging_location"):
        with pytest.raises(EngineOptionsError, match=f"--{name} is {place}: not a folder in a bucket"):
            beam_options(f"--{name}={place}")
    if place.startswith("gs://"):
        with pytest.raises(EngineOptionsError, match=f"--out is {place}: not a folder in a bucket"):
            beam_options(root=place)


def test_hints_are_for_the_step_that_was_meant() -> None:
    options = beam_options("--scoring_accelerator=type:nvidia-l4;count:1", "--scoring_min_ram=16GB")
    assert hints_for(options, "cuda") == {"accelerator": "type:nvidia-l4;count:1", "min_ram": "16GB"}
    assert hints_for(beam_options("--scoring_min_ram=16GB"), "cpu") == {"min_ram": "16GB"}


def test_a_gpu_that_would_be_idle_is_refused() -> None:
    with pytest.raises(EngineOptionsError, match=r"the scorer computes on cpu: .* write `scorer: \{device: cuda"):
        hints_for(beam_options("--scoring_accelerator=type:nvidia-l4;count:1"), "cpu")


@pytest.mark.parametrize("runner", [(), ("--runner=FlinkRunner",)])
def test_hints_are_refused_where_nothing_would_come_of_them(runner: tuple[str, ...]) -> None:
    with pytest.raises(EngineOptionsError, match="only Dataflow fits workers to a step"):
        EngineOptions(flags=(*runner, "--scoring_min_ram=16GB")).to_beam()


@pytest.mark.parametrize("runner", ["DataflowRunner", "FlinkRunner"])
@pytest.mark.parametrize("name", ["s3_secret_access_key", "s3_access_key_id", "s3_session_token"])
def test_keys_are_not_sent_as_options(runner: str, name: str) -> None:
    flags = (*NEEDED[1:], f"--runner={runner}", f"--{name}=canary-secret")
    with pytest.raises(EngineOptionsError, match=f"--{name} is given: a distributed engine shows it") as told:
        EngineOptions(flags=flags, root="gs://lab/run").to_beam()
    assert "canary" not in str(told.value)
    EngineOptions(flags=(f"--{name}=canary-secret",)).to_beam()
