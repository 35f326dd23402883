"""A small run of the built-in world, made once: real clips in real shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.build import build
from pipelines.demo import demo_config
from pipelines.watching import Watcher
from tests.builders import IN_PROCESS


@pytest.fixture(scope="session")
def world_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a world of 80 clips, sharded."""
    out = tmp_path_factory.mktemp("world") / "run"
    build(demo_config(out, clips=80), out, IN_PROCESS, watcher=Watcher(quiet=True))
    return out
