"""Which engine runs a job, and Beam's own options: unknown flags are errors, and nothing is downloaded unasked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from curation.stores import open_store
from pipelines.dataflow import dataflow_flags, is_dataflow, scoring_hints
from pipelines.flags import EngineOptionsError, GivenFlags, name_of
from pipelines.flink import FlinkSession, flink_defaults, new_job_name, on_cluster, warn_of_versions
from pipelines.flink_rest import Flink
from pipelines.job_server import FlinkServer, PrismServer, job_server, local_flink_folder
from pipelines.prism import prism_defaults
from pipelines.worker_pool import threads_here
from schemas.run import RunAddress

EMBEDDED_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# Names that mean the embedded runner. Plain DirectRunner would first try to download another runner.
_EMBEDDED_NAMES = ("", "DirectRunner", "FnApiRunner", EMBEDDED_RUNNER)
_THREADS = "multi_threading"
# Engines show a job's options to whoever may look at it, and keep them with it.
_SECRET_OPTIONS = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token", "azure_connection_string")
_FLINK, _PRISM = "FlinkRunner", "PrismRunner"
# Where `make prism` and `make flink` put what they build.
TOOLS = Path(sys.prefix) / "engines"


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Flags for Beam, as given; empty means the embedded runner with one worker thread per core.

    Threads are enough there: the work of a unit is done in its media child, in ffmpeg and in the model, none of which
    holds the interpreter. Worker processes cost 7 s of start per stage (docs/design/0002); ask for them with
    `--direct_running_mode=multi_processing`.

    Attributes:
        flags: for example `("--runner=FlinkRunner", "--flink_master=localhost:8081")`.
        tools: folder of the engines that were built here.
        root: the run that jobs work on, empty where there is none; a job on a cluster is noted there, so that the next
            build can end it.
    """

    flags: tuple[str, ...] = ()
    tools: Path = TOOLS
    root: str = ""

    def of_run(self, root: RunAddress) -> EngineOptions:
        """Return the same engine for jobs that work on a run."""
        return replace(self, root=str(root))

    @property
    def given(self) -> GivenFlags:
        """The flags, to be asked."""
        return GivenFlags(self.flags)

    def all_flags(self) -> tuple[str, ...]:
        """Return the flags with what this engine needs beside them; a Flink cluster is asked what it offers.

        Raises:
            EngineOptionsError: a flag is unknown to Beam, or the engine cannot work with what was given.
        """
        unknown = unknown_flags(self.flags)
        if unknown:
            raise EngineOptionsError(
                f"unknown option {unknown[0]}; allowed: clipstrata's own (see --help) and Beam's; check the spelling"
            )
        runner, options = self.given.value("runner"), PipelineOptions(list(self.flags))
        if is_dataflow(options):
            _check_secrets(self.flags)
            return tuple(dataflow_flags(self.flags, self.root))
        if scoring_hints(options):
            raise EngineOptionsError(
                "--scoring_accelerator and --scoring_min_ram are asked for, and only Dataflow fits workers to a step; "
                "leave them out, or say --runner=DataflowRunner"
            )
        if runner in _EMBEDDED_NAMES:
            return (*self._embedded_flags(), *self.given.without("runner"))
        _check_secrets(self.flags)
        if runner == _FLINK:
            return (*flink_defaults(self.given, self.tools), *self.flags)
        if runner == _PRISM:
            return (*prism_defaults(self.given, self.tools), *self.flags)
        return self.flags

    def to_beam(self) -> PipelineOptions:
        """Return Beam's options.

        Raises:
            EngineOptionsError: as `all_flags`.
        """
        return PipelineOptions(list(self.all_flags()))

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
    names = set(known) | {"runner"}
    return [flag for flag in flags if flag.startswith("--") and not _is_known(name_of(flag), names)]


def _is_known(name: str, names: set[str]) -> bool:
    return name in names or (name.startswith("no_") and name[3:] in names)


@contextmanager
def running(options: EngineOptions) -> Iterator[beam.Pipeline]:
    """Yield a pipeline; leaving the block runs it to its end and raises when it failed."""
    # Beam 2.77's embedded runner flushes its streams every second from a thread of their own, with no lock between the
    # two, and so do its worker threads: elements that are being written then are lost or torn, and a job loses rows
    # without a word. At 0 a stream is flushed by size alone, by the thread that writes. There is no option for it.
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
    with ExitStack() as stack:
        flags = GivenFlags(options.all_flags())
        if PipelineOptions(list(flags.flags)).view_as(GoogleCloudOptions).template_location:
            raise EngineOptionsError(
                "--template_location is given: a run is several jobs, each of which stands on the last; allowed: none, "
                "or `clipstrata submit`, which sends one"
            )
        runner = flags.value("runner")
        if runner == _FLINK:
            flags = _with_flink(flags, options, stack)
        elif runner == _PRISM:
            flags = _with_job_server(PrismServer, _with_threads(flags, stack), stack)
        with _opened(flags.flags) as pipeline:
            yield pipeline


def open_pipeline(options: EngineOptions) -> beam.Pipeline:
    """Return a pipeline that nothing runs yet.

    Raises:
        EngineOptionsError: Beam or the engine cannot work with the options.
    """
    return _opened(options.all_flags())


def _opened(flags: Sequence[str]) -> beam.Pipeline:
    try:
        return beam.Pipeline(options=PipelineOptions(list(flags)))
    except ValueError as error:
        raise EngineOptionsError(f"Beam refuses the options: {error}") from error


def _with_flink(flags: GivenFlags, options: EngineOptions, stack: ExitStack) -> GivenFlags:
    """Enter what a job on Flink needs around it, and return its flags."""
    warn_of_versions(flags, beam.__version__)
    if on_cluster(flags):
        flags = _cancelled_in_time(flags, options, stack)
    else:
        flags = _with_threads(flags, stack)
        if not flags.has("job_endpoint"):
            flags = flags.add(f"--flink_conf_dir={stack.enter_context(local_flink_folder())}")
    return flags if flags.has("flink_submit_uber_jar") else _with_job_server(FlinkServer, flags, stack)


def _with_job_server(kind: type[FlinkServer] | type[PrismServer], flags: GivenFlags, stack: ExitStack) -> GivenFlags:
    """Start a job server for the job where none is given."""
    if flags.has("job_endpoint"):
        return flags
    return flags.add(f"--job_endpoint={stack.enter_context(job_server(kind, flags))}")


def _with_threads(flags: GivenFlags, stack: ExitStack) -> GivenFlags:
    """Let this process be the worker. Beam's own way, LOOPBACK, listens for its threads on every interface."""
    if flags.has("environment_type"):
        return flags
    address = stack.enter_context(threads_here())
    return flags.add("--environment_type=EXTERNAL", f"--environment_config={address}")


def _cancelled_in_time(flags: GivenFlags, options: EngineOptions, stack: ExitStack) -> GivenFlags:
    """Give a job on a cluster a name of its own, and have it end with the block."""
    name = flags.value("job_name") or new_job_name()
    session = FlinkSession(
        flink=Flink(flags.value("flink_master").strip()),
        name=name,
        noted_in=open_store(options.root) if options.root else None,
    )
    stack.enter_context(session.ended_with_the_block())
    return GivenFlags((*flags.without("job_name"), f"--job_name={name}"))
