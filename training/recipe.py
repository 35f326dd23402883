"""Both stages, the export and the evaluation over one run: what the demo does after its shards are written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from curation.displays import NewDisplay, new_display
from curation.scorers import Scorer
from schemas.config_file import parse_document
from schemas.evaluation import Evaluation
from schemas.run import DECODED_FOLDER, ENCODER_FOLDER, EVALUATION_JSON
from schemas.training import TrainingSummary
from training.evaluation import ShapesOptions, answers
from training.frozen import Exported, evaluate, export_checkpoint
from training.loop import OtherTraining, TrainConfig, load_train_config, train

DEMO_CONFIGS = ("demo_stage1.yaml", "demo_stage2.yaml")


@dataclass(frozen=True, kw_only=True)
class RecipeResult:
    """What the recipe came to."""

    training: tuple[TrainingSummary, ...]
    exported: Exported
    evaluation: Evaluation


def demo_stages(run: Path, samples: int, steps: int | None = None) -> tuple[TrainConfig, ...]:
    """Return the demo's two configs for a run.

    Args:
        samples: clips in the shards; a small world gets smaller batches, so that most sources fill one.
        steps: of each stage; None is what the configs say.
    """
    folder = Path(str(files("training").joinpath("configs")))
    found = []
    for name in DEMO_CONFIGS:
        config = load_train_config(folder / name, run=run)
        changes: dict[str, int] = {"batch_size": max(2, min(config.batch_size, samples // 40))}
        if steps is not None:
            changes["steps"] = steps
        found.append(config.model_copy(update=changes))
    return tuple(found)


def run_recipe(
    run: Path,
    stages: tuple[TrainConfig, ...],
    scorer: Scorer,
    options: ShapesOptions,
    new_display: NewDisplay = new_display,
) -> RecipeResult:
    """Train both stages, export the last one's encoder and evaluate; what is finished is not done again.

    A stage of another training (other shards, another config) is removed and trained anew.
    """
    training = tuple(_train_anew_if_other(config, new_display) for config in stages)
    exported = export_checkpoint(stages[-1].folder, run / ENCODER_FOLDER)
    # The decoded frames are 70 kB a clip and of no more use.
    shutil.rmtree(run / DECODED_FOLDER, ignore_errors=True)
    weights = [*(summary.weights_sha256 for summary in training), scorer.digest]
    evaluation = _evaluated(run, weights, options)
    if evaluation is None:
        evaluation = evaluate(run, scorer, options, new_display)
    return RecipeResult(training=training, exported=exported, evaluation=evaluation)


def _train_anew_if_other(config: TrainConfig, new_display: NewDisplay) -> TrainingSummary:
    try:
        return train(config, new_display)
    except OtherTraining:
        shutil.rmtree(config.folder)
        return train(config, new_display)


def _evaluated(run: Path, weights: Sequence[str], options: ShapesOptions) -> Evaluation | None:
    """Return the run's evaluation if it is of these weights and these options.

    Raises:
        ConfigError: it cannot be read.
    """
    path = run / EVALUATION_JSON
    if not path.is_file():
        return None
    found = parse_document(path.read_bytes(), Evaluation, what=str(path), mend="remove it, and evaluate again")
    return found if answers(found, options) and found.is_of(weights) else None
