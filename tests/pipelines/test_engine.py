from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from pipelines.engine import EMBEDDED_RUNNER, EngineOptions, EngineOptionsError


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
    options = EngineOptions(flags=("--runner=FlinkRunner", "--parallelism=2", "--no_auth")).to_beam()
    assert options.view_as(StandardOptions).runner == "FlinkRunner"


@pytest.mark.parametrize("flag", ["--runer=X", "--direct_num_wrkers=2", "--no_such_thing"])
def test_an_unknown_flag_is_refused(flag: str) -> None:
    with pytest.raises(EngineOptionsError, match=f"unknown option {flag}"):
        EngineOptions(flags=(flag,)).to_beam()
