"""The frozen encoder of a run: exporting it, and evaluating it beside what it is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curation.displays import NewDisplay, new_display, shown
from curation.scorers import Scorer
from curation.stores import open_store
from schemas.canonical import canonical_json
from schemas.config_file import ConfigError
from schemas.evaluation import Evaluation
from schemas.run import EVALUATION_JSON, stage_folder
from training.evaluation import EncoderSubject, ScorerSubject, ShapesOptions, Subject, evaluate_shapes
from training.evaluation.stages import StageOneSubject, StageTwoSubject, random_subject
from training.loop import StageOneModel, open_encoder, open_stage_one, open_stage_two
from training.loop.files import write_whole
from training.loop.precision import repeatable
from training.model import export_encoder, load_encoder
from training.model.digest import weights_digest
from training.model.folder_config import CONFIG

PROVENANCE_JSON = "provenance.json"
SCORER_NAME = "scorer, mean of frames"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was exported.

    Attributes:
        stage: 1 for the teacher's encoder, 2 for the student's.
        weights_sha256: digest of the encoder's own weights, by `weights_digest`.
    """

    folder: Path
    stage: int
    weights_sha256: str


def export_checkpoint(checkpoint: Path, out: Path) -> Exported:
    """Write the encoder of a checkpoint, or of a stage's newest one, as a folder that `transformers` opens.

    `provenance.json` beside it says where it comes from. An older one goes first and the new one comes last: weights
    never lie beside the provenance of others.

    Raises:
        ConfigError: there is no checkpoint, or it is damaged.
    """
    found = open_encoder(checkpoint)
    stage = 1 if isinstance(found, StageOneModel) else 2
    (out / PROVENANCE_JSON).unlink(missing_ok=True)
    export_encoder(found.encoder, out)
    digest = weights_digest(found.encoder)
    facts = {
        "schema": "clipstrata.encoder/1",
        "stage": stage,
        "step": found.step,
        "weights_sha256": digest,
        "checkpoint_sha256": found.weights_sha256,
        "manifest_sha256": found.identity["manifest_sha256"],
        "manifest_version": found.identity["manifest_version"],
        "config": found.identity["config"],
    }
    write_whole(out / PROVENANCE_JSON, canonical_json(facts, indent=2))
    return Exported(folder=out, stage=stage, weights_sha256=digest)


def evaluate(
    path: Path,
    scorer: Scorer,
    options: ShapesOptions,
    new_display: NewDisplay = new_display,
) -> Evaluation:
    """Evaluate a run's stages, or an encoder folder, on the suite `shapes`, beside a random encoder and a scorer.

    For a run the table is written to models/evaluation.json too.

    Raises:
        ConfigError: the path holds neither, or what it holds is damaged or of another model.
        SubjectFault: an encoder gives what cannot be measured, such as NaN.
    """
    is_folder = (path / CONFIG).is_file()
    subjects = _folder_subjects(path, options.seed) if is_folder else run_subjects(path, options.seed)
    subjects.append(ScorerSubject(SCORER_NAME, scorer))
    with shown("evaluation: probes and retrieval", new_display) as display, repeatable(None):
        found = evaluate_shapes(subjects, options, lambda what, done, total: display.show(done, total, what))
    if not is_folder:
        open_store(path).write(EVALUATION_JSON, found.to_bytes())
    return found


def _folder_subjects(folder: Path, seed: int) -> list[Subject]:
    try:
        encoder = load_encoder(folder)
    except ValueError as error:
        raise ConfigError(f"PATH is {folder}: {error}") from error
    named = EncoderSubject(folder.resolve().name, weights_digest(encoder), encoder)
    return [random_subject(encoder, seed), named]


def run_subjects(run: Path, seed: int) -> list[Subject]:
    """Return a random encoder, stage 1, and stage 2 where there is one; a stage that is not finished is named so.

    Raises:
        ConfigError: the run has no stage 1, or its stage 2 learnt from another one.
    """
    first, second = run / stage_folder(1), run / stage_folder(2)
    if not first.is_dir():
        raise ConfigError(
            f"PATH is {run}: holds neither models/stage1 nor {CONFIG}; allowed: a run with a trained stage, or an "
            "encoder folder; run `clipstrata train` first"
        )
    teacher = open_stage_one(first)
    subjects: list[Subject] = [random_subject(teacher.encoder, seed), StageOneSubject(teacher)]
    if second.is_dir():
        try:
            subjects.append(StageTwoSubject(open_stage_two(second), teacher))
        except ValueError as error:
            raise ConfigError(f"PATH is {run}: {error}") from error
    return subjects
