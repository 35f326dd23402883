"""Training configs: paths, refusals, and every config that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from schemas.config_file import ConfigError
from training.loop import load_train_config
from training.loop.config import OptimiserConfig
from training.loop.optimiser import learning_rate

ROOT = Path(__file__).resolve().parents[3]
GOOD = {"stage": 1, "run": "run", "batch_size": 4, "steps": 10, "optimiser": {"peak_lr": 0.001}}


def write(folder: Path, **changes: object) -> Path:
    (folder / "run").mkdir(exist_ok=True)
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_train_config(write(tmp_path, stage=2, teacher="../first", out="second"))
    assert config.run_address == tmp_path / "run"
    assert config.folder == tmp_path / "second"
    assert str(config.teacher_folder) == str(tmp_path.parent / "first")


def test_stages_lie_in_the_run_unless_told_otherwise(tmp_path: Path) -> None:
    assert load_train_config(write(tmp_path)).folder == tmp_path / "run" / "models" / "stage1"
    second = load_train_config(write(tmp_path, stage=2))
    assert second.folder == tmp_path / "run" / "models" / "stage2"
    assert second.teacher_folder == tmp_path / "run" / "models" / "stage1"


def test_a_mixture_is_parts_in_any_unit(tmp_path: Path) -> None:
    assert load_train_config(write(tmp_path)).parts is None
    found = load_train_config(write(tmp_path, mixture={"stock": 0.25, "crawl": 3}))
    assert found.parts == {"stock": 250_000, "crawl": 3_000_000}


WRONG = {
    "a mixture of nothing": ({"mixture": {}}, "mixture: Dictionary should have at least 1 item"),
    "a part of nothing": ({"mixture": {"stock": 0}}, "mixture.stock: Input should be greater than or equal to"),
    "no stage": ({"stage": ...}, "stage: missing; add it (docs/training.md shows each key)"),
    "stage 3": ({"stage": 3}, "stage: Input should be 1 or 2"),
    "unknown key": ({"step": 3}, "step: unknown key; check the spelling against docs/training.md"),
    "a key of the other stage": ({"masked_share": 0.5}, "masked_share: unknown key"),
    "no batch": ({"batch_size": 0}, "batch_size: Input should be greater than or equal to 1"),
    "all tokens dropped": ({"dropped_share": 1.0}, "dropped_share: Input should be less than 1"),
    "unknown model": ({"model": "huge"}, "model: Input should be 'tiny', 'small', 'base', 'large' or 'giant'"),
    "unknown tier": ({"tiers": ["best"]}, "tiers.0"),
    "rates the wrong way round": (
        {"optimiser": {"peak_lr": 0.1, "final_lr": 0.2}},
        "final_lr is 0.2 and peak_lr 0.1; allowed: final_lr <= peak_lr",
    ),
    "a run that is not there": ({"run": "nowhere"}, "no such folder; allowed: a run with shards"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_how_to_mend_it(case: str, tmp_path: Path) -> None:
    changes, message = WRONG[case]
    path = write(tmp_path)
    document = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError) as caught:
        load_train_config(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("path", sorted((ROOT / "training" / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_that_ships_is_read(path: Path, tmp_path: Path) -> None:
    assert load_train_config(path, run=tmp_path).run_address == tmp_path


RATES = {
    "first step of the warm-up": (0, "cosine", 0.25),
    "last step of the warm-up": (2, "cosine", 0.75),
    "peak": (3, "cosine", 1.0),
    "half way down, cosine": (6, "cosine", 0.55),
    "a third down, linear": (5, "linear", 0.7),
    "last step": (9, "linear", 0.1),
}


@pytest.mark.parametrize("case", RATES)
def test_the_rate_climbs_and_falls(case: str) -> None:
    step, fall, expected = RATES[case]
    config = OptimiserConfig.model_validate({"peak_lr": 1.0, "final_lr": 0.1, "warmup_steps": 3, "fall": fall})
    assert learning_rate(step, 10, config) == pytest.approx(expected)


def test_there_is_no_rate_beyond_the_last_step() -> None:
    with pytest.raises(ValueError, match="step is 10; allowed: 0 to 9"):
        learning_rate(10, 10, OptimiserConfig(peak_lr=1.0))
