from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, PrismRunnerOptions, StandardOptions
from apache_beam.testing.util import assert_that

from pipelines.engine import EMBEDDED_RUNNER, EngineOptions, running
from pipelines.flags import EngineOptionsError

SENTENCE = "what a row says, in about as many words as a caption has " * 3


@pytest.mark.parametrize("flags", [(), ("--runner=DirectRunner",), ("--runner=FnApiRunner",)])
def test_the_embedded_runner_is_pinned_and_downloads_nothing(flags: tuple[str, ...]) -> None:
    options = EngineOptions(flags=flags).to_beam()
    assert options.view_as(StandardOptions).runner == EMBEDDED_RUNNER
    assert options.view_as(DirectOptions).direct_running_mode == "multi_threading"


def test_flags_win_over_our_defaults() -> None:
    options = EngineOptions(flags=("--direct_running_mode=multi_processing", "--direct_num_workers=7")).to_beam()
    found = options.view_as(DirectOptions)
    assert (found.direct_running_mode, found.direct_num_workers) == ("multi_processing", 7)


def test_another_runner_gets_its_flags_untouched() -> None:
    flags = ("--runner=PortableRunner", "--region=here", "--no_auth")
    assert EngineOptions(flags=flags).all_flags() == flags


def test_prism_is_the_one_that_was_built_here(tmp_path: Path) -> None:
    (tmp_path / "prism").touch()
    options = EngineOptions(flags=("--runner=PrismRunner",), tools=tmp_path).to_beam()
    assert options.view_as(PrismRunnerOptions).prism_location == str(tmp_path / "prism")


def test_a_prism_that_is_named_wins(tmp_path: Path) -> None:
    flags = ("--runner=PrismRunner", "--prism_location=/elsewhere/prism")
    assert EngineOptions(flags=flags, tools=tmp_path).all_flags() == flags


def test_without_prism_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(EngineOptionsError, match="`make prism` builds it"):
        EngineOptions(flags=("--runner=PrismRunner",), tools=tmp_path).to_beam()


@pytest.mark.parametrize("flag", ["--runer=X", "--direct_num_wrkers=2", "--no_such_thing"])
def test_an_unknown_flag_is_refused(flag: str) -> None:
    with pytest.raises(EngineOptionsError, match=f"unknown option {flag}"):
        EngineOptions(flags=(flag,)).to_beam()


class TalkFor(beam.DoFn):
    """Yields (key, sentence) without a pause for some seconds, and last (-1, how many it yielded)."""

    def process(self, seconds: float) -> Iterator[tuple[int, object]]:
        started, said = time.monotonic(), 0
        while time.monotonic() - started < seconds:
            yield said % 1_000, SENTENCE
            said += 1
        yield -1, said


def test_threads_lose_nothing_of_what_is_written_for_seconds_on_end() -> None:
    """A flush from another thread tore what was being written, about once in two seconds."""

    def whole(groups: list[tuple[int, list[object]]]) -> None:
        found = {key: list(values) for key, values in groups}
        said = found.pop(-1)
        assert [sum(map(len, found.values()))] == said
        assert {value for values in found.values() for value in values} == {SENTENCE}

    with running(EngineOptions(flags=("--direct_num_workers=2",))) as pipeline:
        groups = pipeline | beam.Create([3.0]) | beam.ParDo(TalkFor()) | beam.GroupByKey()
        assert_that(groups, whole)
