"""Which engine runs a job, and Beam's own options: unknown flags are errors, and nothing is downloaded unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers

EMBEDDED_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# Names that mean the embedded runner. Plain DirectRunner would first try to download another runner.
_EMBEDDED_NAMES = ("DirectRunner", "FnApiRunner", EMBEDDED_RUNNER)
_THREADS = "multi_threading"


class EngineOptionsError(ValueError):
    """A flag for Beam is not one of its options."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Flags for Beam, as given; empty means the embedded runner with one worker thread per core.

    Threads are enough there: the work of a unit is done in its media child, in ffmpeg and in the model, none of which
    holds the interpreter. Worker processes cost 7 s of start per stage (docs/design/0002); ask for them with
    `--direct_running_mode=multi_processing`.

    Attributes:
        flags: for example `("--runner=FlinkRunner", "--flink_master=localhost:8081")`.
    """

    flags: tuple[str, ...] = ()

    def to_beam(self) -> PipelineOptions:
        """Return Beam's options.

        Raises:
            EngineOptionsError: a flag is unknown to Beam.
        """
        unknown = unknown_flags(self.flags)
        if unknown:
            raise EngineOptionsError(
                f"unknown option {unknown[0]}; allowed: clipstrata's own (see --help) and Beam's; check the spelling"
            )
        options = PipelineOptions(list(self.flags))
        runner = options.view_as(StandardOptions).runner
        if runner is not None and runner not in _EMBEDDED_NAMES:
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
    with beam.Pipeline(options=options.to_beam()) as pipeline:
        yield pipeline
