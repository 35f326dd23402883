from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.judge_world import SCORER, WorldSize, world_config
from schemas.config_file import ConfigError
from schemas.cuts_file import CutsFile, load_cuts, with_cuts
from schemas.judging import Cuts

CONFIG = world_config(WorldSize(sources=2, samples=1), Path("."))
FILE = CutsFile(corpus="made", scoring=SCORER.scoring, aggregation="mean", cuts={"s01": Cuts(high=0.3, low=0.2)})


def test_cuts_take_the_place_of_those_of_the_sources_named() -> None:
    found = with_cuts(CONFIG, FILE, SCORER)
    assert [found.cuts_of(source) for source in found.sources] == [CONFIG.cuts, Cuts(high=0.3, low=0.2)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus": "other"}, "is of corpus 'other'"),
        ({"scoring": "0" * 16}, "scores of two models do not compare"),
        ({"aggregation": "max"}, "scores of two models do not compare"),
        ({"cuts": {"nobody": Cuts()}}, r"names sources \['nobody'\]"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_cuts(CONFIG, FILE.model_copy(update=change), SCORER)


def test_a_run_that_was_not_scored_takes_none() -> None:
    with pytest.raises(ConfigError, match="this run has None"):
        with_cuts(CONFIG, FILE, None)


def test_a_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "cuts.yaml"
    path.write_text('corpus: made\nscoring: "1"\naggregation: mean\ncuts:\n  s00: {clean: 0.3, high: 0.2, lo: 0.1}\n')
    with pytest.raises(ConfigError, match="lo: unknown key"):
        load_cuts(path)
