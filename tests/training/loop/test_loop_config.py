"""Training configs: paths, refusals, and every config that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from schemas.config_file import ConfigError
from training.loop import StageOneConfig, StageTwoConfig, load_train_config
from training.loop.config import CONFIG_YAML, OptimiserConfig, config_to_keep
from training.loop.optimiser import learning_rate
from training.model import VideoTextModel

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


LENGTHS = {
    "steps": ({"steps": 10}, 10),
    "samples in full batches": ({"samples": 40}, 10),
    "samples with a rest": ({"samples": 41}, 11),
    "an epoch of 30 samples": ({"epochs": 1}, 8),
    "a part of an epoch": ({"epochs": 0.5}, 4),
    "less than a batch": ({"epochs": 0.01}, 1),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_durations_come_to_whole_steps(case: str, tmp_path: Path) -> None:
    changes, expected = LENGTHS[case]
    config = load_train_config(write(tmp_path, **{"steps": None, **changes}))
    found = config.in_steps(lambda: 30)
    assert (found.steps, found.samples, found.epochs) == (expected, None, None)


def test_epochs_are_steps_only_when_somebody_says_how_long_one_is(tmp_path: Path) -> None:
    config = load_train_config(write(tmp_path, steps=None, epochs=2))
    with pytest.raises(ValueError, match=r"epochs is 2\.0; its steps hang on the shards"):
        _ = config.step_count


KEPT = {
    "a duration in epochs": ({"steps": None, "epochs": 2.5}, "models/stage1", {"run": "../.."}),
    "in the run": ({}, "models/stage1", {"run": "../.."}),
    "elsewhere": ({"out": "models"}, "../models", {"run": "{run}", "out": "."}),
    "stage 2 of a teacher beside it": (
        {"stage": 2, "teacher": "run/models/other"},
        "models/stage2",
        {"run": "../..", "teacher": "../other"},
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_folder_keeps_its_config_which_reads_as_the_same(case: str, tmp_path: Path) -> None:
    changes, folder, paths = KEPT[case]
    config = load_train_config(write(tmp_path, **changes))
    run = tmp_path / "run"
    assert config.folder == (run / folder).resolve()
    config.folder.mkdir(parents=True)
    (config.folder / CONFIG_YAML).write_bytes(config_to_keep(config))
    written = yaml.safe_load((config.folder / CONFIG_YAML).read_text())
    said = {name: written[name] for name in ("run", "out", "teacher") if name in written}
    assert said == {name: text.format(run=run) for name, text in paths.items()}
    assert load_train_config(config.folder) == config


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"holds no config\.yaml; allowed: a config's file, or the folder of a training"
    ):
        load_train_config(tmp_path)


WRONG = {
    "a mixture of nothing": ({"mixture": {}}, "mixture: Dictionary should have at least 1 item"),
    "a part of nothing": ({"mixture": {"stock": 0}}, "mixture.stock: Input should be greater than or equal to"),
    "no stage": ({"stage": ...}, "stage: missing; add it (docs/training.md shows each key)"),
    "stage 3": ({"stage": 3}, "stage: Input should be 1 or 2"),
    "unknown key": ({"step": 3}, "step: unknown key; check the spelling against docs/training.md"),
    "a key of the other stage": ({"masked_share": 0.5}, "masked_share: unknown key"),
    "no duration": ({"steps": ...}, "nothing says how long; allowed: exactly one of steps, samples, epochs; give one"),
    "two durations": ({"epochs": 2}, "steps and epochs says how long; allowed: exactly one"),
    "no end": ({"steps": ..., "epochs": float("inf")}, "epochs: Input should be a finite number"),
    "a mean that forgets nothing": ({"ema_decay": 1.0}, "ema_decay: Input should be less than 1"),
    "a last rate that is never reached": (
        {"optimiser": {"peak_lr": 0.1, "final_lr": 0.01, "fall": "inverse_sqrt"}},
        "final_lr is of linear and cosine and fall is inverse_sqrt; remove final_lr",
    ),
    "no batch": ({"batch_size": 0}, "batch_size: Input should be greater than or equal to 1"),
    "all tokens dropped": ({"dropped_share": 1.0}, "dropped_share: Input should be less than 1"),
    "nothing to rebuild": (
        {"rebuild": True, "dropped_share": 0},
        "rebuild is on and dropped_share 0; allowed: a share",
    ),
    "another mask": ({"stage": 2, "mask": "rows"}, "mask: Input should be 'tubes', 'blocks' or 'bevt'"),
    "another start": ({"stage": 2, "start": "zero"}, "start: Input should be 'teacher' or 'random'"),
    "chunks of nothing": ({"chunk_clips": 0}, "chunk_clips: Input should be greater than or equal to 1"),
    "unknown model": ({"model": "huge"}, "model: Input should be 'tiny', 'small', 'base', 'large' or 'giant'"),
    "unknown tier": ({"tiers": ["best"]}, "tiers.0"),
    "rates the wrong way round": (
        {"optimiser": {"peak_lr": 0.1, "final_lr": 0.2}},
        "final_lr is 0.2 and peak_lr 0.1; allowed: final_lr <= peak_lr",
    ),
    "momentum for Adafactor": (
        {"optimiser": {"peak_lr": 0.1, "kind": "adafactor", "beta1": 0.9}},
        "beta1 is of adamw and kind is adafactor; remove it, or take adamw",
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


# What the paper says of each size (tables 9 to 11 and appendix B), and what was decided where it contradicts itself.
PUBLISHED = {
    "base": (1e-4, 114_365_184 - 8 * 768),  # a table of 8 times in place of 16
    "large": (5e-5, 353_965_056),
    "giant": (5e-5, 1_112_755_072),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_are_trained_as_the_paper_says(name: str, tmp_path: Path) -> None:
    rate, parameters = PUBLISHED[name]
    first, second = (
        load_train_config(ROOT / "training" / "configs" / f"{name}_stage{stage}.yaml", run=tmp_path) for stage in (1, 2)
    )
    assert isinstance(first, StageOneConfig) and isinstance(second, StageTwoConfig)
    assert (first.batch_size, first.steps, first.optimiser.warmup_steps) == (4096, 200_000, 20_000)
    assert (first.optimiser.peak_lr, first.optimiser.fall, first.optimiser.weight_decay) == (rate, "linear", 1e-4)
    assert (first.encoder.frames, first.encoder.image_px, first.encoder.patch_px, first.dropped_share) == (
        8,
        288,
        18,
        0.5,
    )
    assert (second.batch_size, second.steps, second.optimiser.warmup_steps) == (4096, 300_000, 25_000)
    assert (second.optimiser.peak_lr, second.optimiser.final_lr, second.optimiser.fall) == (5e-4, 1e-5, "cosine")
    assert (second.mask, second.masked_share, second.decoder, second.optimiser.weight_decay) == (
        "bevt",
        0.65,
        "base",
        0.05,
    )
    with torch.device("meta"):
        model = VideoTextModel(first.encoder, first.text)
    found = sum(parameter.numel() for parameter in model.video_model.vision_model.parameters())
    assert found == parameters


def test_a_model_without_a_cap_or_with_other_frames_is_another_encoder(tmp_path: Path) -> None:
    config = load_train_config(write(tmp_path, model="base", frames=4, soft_cap=False))
    assert isinstance(config, StageOneConfig)
    assert (config.encoder.frames, config.encoder.logit_cap, config.text.logit_cap) == (4, None, None)
    assert config.encoder.width == 768 and config.pixel_decoder is None


RATES = {
    "first step of the warm-up": (0, "cosine", 0.25),
    "last step of the warm-up": (2, "cosine", 0.75),
    "peak": (3, "cosine", 1.0),
    "half way down, cosine": (6, "cosine", 0.55),
    "a third down, linear": (5, "linear", 0.7),
    "last step": (9, "linear", 0.1),
}
# A last rate of 0: these two never get there.
UNENDING = {
    "constant": (9, "constant", 1.0),
    "warm-up of constant": (0, "constant", 0.25),
    "peak, inverse square root": (3, "inverse_sqrt", 1.0),
    "four times the peak's step": (15, "inverse_sqrt", 0.5),
}


@pytest.mark.parametrize("case", RATES)
def test_the_rate_climbs_and_falls(case: str) -> None:
    step, fall, expected = RATES[case]
    config = OptimiserConfig.model_validate({"peak_lr": 1.0, "final_lr": 0.1, "warmup_steps": 3, "fall": fall})
    assert learning_rate(step, 10, config) == pytest.approx(expected)


@pytest.mark.parametrize("case", UNENDING)
def test_rates_that_do_not_hang_on_the_last_step(case: str) -> None:
    step, fall, expected = UNENDING[case]
    config = OptimiserConfig.model_validate({"peak_lr": 1.0, "warmup_steps": 3, "fall": fall})
    assert [learning_rate(step, steps, config) for steps in (16, 1_000)] == [pytest.approx(expected)] * 2


def test_there_is_no_rate_beyond_the_last_step() -> None:
    with pytest.raises(ValueError, match="step is 10; allowed: 0 to 9"):
        learning_rate(10, 10, OptimiserConfig(peak_lr=1.0))
