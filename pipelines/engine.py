"""Which engine runs a job, and Beam's own options: unknown flags are errors, and nothing is downloaded unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from pipelines.dataflow import EngineOptionsError, dataflow_flags, is_dataflow, scoring_hints

EMBEDDED_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# Names that mean the embedded runner. Plain DirectRunner would first try to download another runner.
_EMBEDDED_NAMES = ("DirectRunner", "FnApiRunner", EMBEDDED_RUNNER)
_THREADS = "multi_threading"
# Engines show a job's options to whoever may look at it, and keep them with it.
_SECRET_OPTIONS = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token", "azure_connection_string")


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Flags for Beam, as given; empty means the embedded runner with one worker thread per core.

    Threads are enough there: the work of a unit is done in its media child, in ffmpeg and in the model, none of which
    holds the interpreter. Worker processes cost 7 s of start per stage (docs/design/0002); ask for them with
    `--direct_running_mode=multi_processing`.

    Attributes:
        flags: for example `("--runner=FlinkRunner", "--flink_master=localhost:8081")`.
        root: the run that the jobs work on; empty where there is none.
    """

    flags: tuple[str, ...] = ()
    root: str = ""

    def to_beam(self) -> PipelineOptions:
        """Return Beam's options.

        Raises:
            EngineOptionsError: a flag is unknown to Beam, or the engine cannot work with what was given.
        """
        unknown = unknown_flags(self.flags)
        if unknown:
            raise EngineOptionsError(
                f"unknown option {unknown[0]}; allowed: clipstrata's own (see --help) and Beam's; check the spelling"
            )
        options = PipelineOptions(list(self.flags))
        if is_dataflow(options):
            _check_secrets(self.flags)
            return PipelineOptions(dataflow_flags(self.flags, self.root))
        if scoring_hints(options):
            raise EngineOptionsError(
                "--scoring_accelerator and --scoring_min_ram are asked for, and only Dataflow fits workers to a step; "
                "leave them out, or say --runner=DataflowRunner"
            )
        runner = options.view_as(StandardOptions).runner
        if runner is not None and runner not in _EMBEDDED_NAMES:
            _check_secrets(self.flags)
            return options
        kept = [flag for flag in self.flags if not flag.startswith("--runner")]
        return PipelineOptions([*self._embedded_flags(), *kept])

    def _embedded_flags(self) -> list[str]:
        workers = os.cpu_count() or 1
        return [
            f"--runner={EMBEDDED_RUNNER}",
            f"--direct_running_mode={_THREADS}",
            f"--direct_num_workers={workers}",
        ]


def _check_secrets(flags: Sequence[str]) -> None:
    for flag in flags:
        name = flag.split("=", 1)[0].removeprefix("--")
        if name in _SECRET_OPTIONS:
            raise EngineOptionsError(
                f"--{name} is given: a distributed engine shows it with the job; give workers their keys by their "
                "service account, or by a Secret of their environment"
            )


def unknown_flags(flags: Sequence[str]) -> list[str]:
    """Return the flags that no Beam option knows (their values stay with them when written `--name=value`)."""
    known = PipelineOptions(list(flags)).get_all_options(drop_default=False, retain_unknown_options=False)
    names = set(known)
    unknown = []
    for flag in flags:
        name = flag.split("=", 1)[0]
        if (
            name.startswith("--")
            and name[2:].replace("-", "_") not in names | {"runner"}
            and not _is_negation(name, names)
        ):
            unknown.append(flag)
    return unknown


def _is_negation(name: str, names: set[str]) -> bool:
    return name.startswith("--no_") and name[5:] in names


@contextmanager
def running(options: EngineOptions) -> Iterator[beam.Pipeline]:
    """Yield a pipeline; leaving the block runs it to its end and raises when it failed."""
    # Beam 2.77's embedded runner flushes its streams every second from a thread of their own, with no lock between the
    # two, and so do its worker threads: elements that are being written then are lost or torn, and a job loses rows
    # without a word. At 0 a stream is flushed by size alone, by the thread that writes. There is no option for it.
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
    if options.to_beam().view_as(GoogleCloudOptions).template_location:
        raise EngineOptionsError(
            "--template_location is given: a run is several jobs, each of which stands on the last; allowed: none, or "
            "`clipstrata submit`, which sends one"
        )
    with open_pipeline(options) as pipeline:
        yield pipeline


def open_pipeline(options: EngineOptions) -> beam.Pipeline:
    """Return a pipeline that nothing runs yet.

    Raises:
        EngineOptionsError: Beam or the engine cannot work with the options.
    """
    found = options.to_beam()
    try:
        return beam.Pipeline(options=found)
    except ValueError as error:
        raise EngineOptionsError(f"Beam refuses the options: {error}") from error
