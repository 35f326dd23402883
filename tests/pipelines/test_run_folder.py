from __future__ import annotations

from pathlib import Path

import pytest

from curation.store import LocalStore
from pipelines.run_folder import only_build, open_run, read_run
from schemas.config_file import ConfigError
from schemas.corpus import load_corpus
from tests.builders import write_corpus


def test_one_build_at_a_time(tmp_path: Path) -> None:
    with (
        only_build(LocalStore(tmp_path)),
        pytest.raises(ConfigError, match="another build is at work"),
        only_build(LocalStore(tmp_path)),
    ):
        pytest.fail("two builds hold one run")
    with only_build(LocalStore(tmp_path)):
        pass


def test_a_later_stage_is_forgotten_when_an_earlier_one_is_done_again(tmp_path: Path) -> None:
    run = open_run(load_corpus(write_corpus(tmp_path / "in")), tmp_path / "run")
    for stage in ("ingest", "judge", "shard", "judge"):
        run.finish(stage, "f" * 64, "0" * 64, 1.0)
    assert [state.stage for state in read_run(tmp_path / "run").stages] == ["ingest", "judge"]


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    config = load_corpus(write_corpus(tmp_path / "in"))
    (tmp_path / "run").write_text("a file")
    with pytest.raises(ConfigError, match="is no run and not empty"):
        open_run(config, tmp_path / "run")
