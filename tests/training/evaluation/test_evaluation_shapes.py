"""The suite as a whole, on subjects that know everything, nothing, or have no text side."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from knowing_subject import SMALL, KnowingSubject
from numpy.typing import NDArray

from curation.scorers import WORLD_CLIP, load_open_clip
from curation.world.factors import APPEARANCE, MOTION
from schemas.evaluation import Evaluation
from training.evaluation import EncoderSubject, ScorerSubject, ShapesOptions, SubjectFault, answers, evaluate_shapes
from training.model import EncoderConfig, VideoEncoder

RETRIEVAL = ("text_to_video_r1", "text_to_video_r5", "video_to_text_r1", "video_to_text_r5")


@pytest.fixture(scope="module")
def knowing() -> KnowingSubject:
    return KnowingSubject("knowing", SMALL)


@pytest.fixture(scope="module")
def blind() -> KnowingSubject:
    return KnowingSubject("blind", SMALL, blind=True)


@pytest.fixture(scope="module")
def evaluation(knowing: KnowingSubject, blind: KnowingSubject) -> Evaluation:
    return evaluate_shapes([knowing, blind, KnowingSubject("mute", SMALL, mute=True)], SMALL)


def test_who_knows_the_answer_gets_nearly_everything_right(evaluation: Evaluation) -> None:
    values = evaluation.rows[0].values
    assert {name: value for name, value in values.items() if value is None or value < 0.97} == {}
    assert {values[name] for name in RETRIEVAL} == {1.0}


def test_who_sees_nothing_guesses(evaluation: Evaluation) -> None:
    values = evaluation.rows[1].values
    for measure in evaluation.measures:
        value = values[measure.name]
        assert value is not None
        if measure.group == "retrieval":
            assert value == 0.0, measure.name  # a tie counts against it
        else:
            error = math.sqrt(measure.chance * (1 - measure.chance) / SMALL.probe_test_clips)
            assert value == pytest.approx(measure.chance, abs=3.5 * error), measure.name


def test_who_has_no_text_side_has_no_value_there(evaluation: Evaluation) -> None:
    values = evaluation.rows[2].values
    assert {name for name, value in values.items() if value is None} == set(RETRIEVAL)


def test_measures_are_named_grouped_and_have_their_chance(evaluation: Evaluation) -> None:
    found = {
        measure.name: (measure.group, round(measure.chance, 6), measure.summary) for measure in evaluation.measures
    }
    assert found == {
        "appearance": ("appearance", 0.233333, True),
        "appearance.shape": ("appearance", 0.125, False),
        "appearance.colour": ("appearance", 0.125, False),
        "appearance.texture": ("appearance", 0.25, False),
        "appearance.background": ("appearance", 0.166667, False),
        "appearance.size": ("appearance", 0.5, False),
        "motion": ("motion", 0.333333, True),
        "motion.direction": ("motion", 0.25, False),
        "motion.turn": ("motion", 0.25, False),
        "motion.speed": ("motion", 0.5, False),
        "motion.rotation": ("motion", 0.333333, False),
        "motion.growth": ("motion", 0.333333, False),
        "text_to_video_r1": ("retrieval", 0.025, True),
        "text_to_video_r5": ("retrieval", 0.125, False),
        "video_to_text_r1": ("retrieval", 0.025, True),
        "video_to_text_r5": ("retrieval", 0.125, False),
    }
    assert all(set(row.values) == set(found) for row in evaluation.rows)


@pytest.mark.parametrize(("group", "factors"), [("appearance", APPEARANCE), ("motion", MOTION)])
def test_a_summary_is_the_mean_over_its_factors(evaluation: Evaluation, group: str, factors: Any) -> None:
    values = evaluation.rows[1].values
    parts = [values[f"{group}.{name}"] for name in factors]
    assert values[group] == pytest.approx(sum(part for part in parts if part is not None) / 5, abs=1e-5)


def test_the_document_says_what_it_depends_on(evaluation: Evaluation) -> None:
    assert evaluation.seed == 5
    expected = {
        "probe_train_clips": 384,
        "probe_validation_clips": 128,
        "probe_test_clips": 256,
        "probe_steps": 120,
        "probe_batch": 64,
        "probe_heads": 4,
        "probe_rate_1": 0.01,
        "retrieval_clips": 40,
        "caption_motion_rate": 0.2,
    }
    assert expected.items() <= evaluation.settings.items()
    ceilings = {name: value for name, value in evaluation.settings.items() if "_r1_ceiling" in name}
    assert len(ceilings) == 4
    assert all(0.5 < value <= 1 for value in ceilings.values())
    assert ceilings["text_to_video_r1_ceiling_without_motion"] <= ceilings["text_to_video_r1_ceiling"]
    assert any("up to 3.1 points" in note for note in evaluation.notes)
    assert Evaluation.model_validate_json(evaluation.to_bytes()) == evaluation


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"probe_test_clips": 255},
        {"probe_heads": 8},
        {"retrieval_clips": 41},
        {"probe_rates": (2e-2,)},
        {"probe_rates": (1e-2, 2e-2)},
        {"probe_rates": (5e-3, 1e-2)},
    ],
)
def test_an_evaluation_answers_its_own_options_and_no_others(evaluation: Evaluation, change: dict[str, Any]) -> None:
    assert answers(evaluation, SMALL)
    assert not answers(evaluation, replace(SMALL, **change))


def test_an_evaluation_that_chose_among_more_rates_is_another(evaluation: Evaluation) -> None:
    told = evaluation.model_copy(update={"settings": evaluation.settings | {"probe_rate_2": 0.02}})
    assert not answers(told, SMALL)
    assert answers(told, replace(SMALL, probe_rates=(1e-2, 2e-2)))


def test_a_row_depends_on_its_subject_alone(evaluation: Evaluation, blind: KnowingSubject) -> None:
    alone = evaluate_shapes([blind], SMALL)
    assert alone.rows[0] == evaluation.rows[1]
    assert alone.measures == evaluation.measures


def test_the_two_ways_of_retrieval_are_not_mixed_up() -> None:
    """Clips from the 20th on look like clip 0: its caption fits them all, and their own captions fit nothing."""

    class Confusing(KnowingSubject):
        def embed_video(self, frames: NDArray[np.uint8]) -> torch.Tensor | None:
            places = [self._places[clip.tobytes()] for clip in frames]
            return self._embedded([0 if place >= 20 else place for place in places])

    options = replace(SMALL, probe_steps=1)
    values = evaluate_shapes([Confusing("confusing", options)], options).rows[0].values
    assert values["text_to_video_r1"] == 19 / 40
    assert values["video_to_text_r1"] == 20 / 40


def test_progress_is_told_to_the_end(blind: KnowingSubject) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate_shapes([blind], replace(SMALL, probe_steps=2), lambda *heard: told.append(heard))
    last = {what: (done, total) for what, done, total in told}
    assert last == {
        "clips": (808, 808),
        "blind: tokens": (768, 768),
        "blind: probes": (2, 2),
        "blind: retrieval": (40, 40),
    }
    assert all(done <= total for _, done, total in told)


def test_tokens_that_are_no_numbers_raise_with_the_name(blind: KnowingSubject) -> None:
    class Broken(KnowingSubject):
        def tokens(self, frames: NDArray[np.uint8]) -> torch.Tensor:
            return super().tokens(frames) * float("nan")

    with pytest.raises(SubjectFault, match="subject 'broken' gives tokens with NaN"):
        evaluate_shapes([Broken("broken", SMALL, blind=True)], SMALL)


@pytest.mark.parametrize("names", [[], ["one", "one"]])
def test_subjects_without_names_of_their_own_are_refused(names: list[str], blind: KnowingSubject) -> None:
    class Named(KnowingSubject):
        def __init__(self, name: str) -> None:
            self.name = name

    with pytest.raises(ValueError, match="allowed: at least one, each with its own name"):
        evaluate_shapes([Named(name) for name in names], SMALL)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": -1}, "seed is -1; allowed: integers from 0; give"),
        ({"seed": True}, "seed is True"),
        ({"probe_train_clips": 0}, "probe_train_clips is 0; allowed: integers from 1; give"),
        ({"probe_validation_clips": 0}, "probe_validation_clips is 0"),
        ({"probe_test_clips": 1.5}, "probe_test_clips is 1.5"),
        ({"probe_test_clips": 100_001}, "probe_test_clips is 100001; allowed: 1 to 100000; give fewer"),
        ({"probe_steps": 0}, "probe_steps is 0"),
        ({"probe_batch": -3}, "probe_batch is -3"),
        ({"probe_heads": 0}, "probe_heads is 0"),
        ({"retrieval_clips": 5}, "retrieval_clips is 5; allowed: more than 5.*give at least 6"),
        ({"probe_rates": ()}, r"probe_rates is \(\); allowed: finite numbers above 0"),
        ({"probe_rates": (0.0,)}, "probe_rates is"),
        ({"probe_rates": (float("nan"),)}, "probe_rates is"),
        ({"probe_rates": (0.01, 0.001)}, "ascending"),
    ],
)
def test_options_are_refused_with_what_is_allowed(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(ShapesOptions(), **change)


def test_real_subjects_of_different_sizes_share_a_table() -> None:
    options = replace(
        SMALL, probe_train_clips=96, probe_validation_clips=32, probe_test_clips=64, probe_steps=20, retrieval_clips=24
    )
    torch.manual_seed(0)
    random = EncoderSubject("random encoder", "0" * 64, VideoEncoder(EncoderConfig.tiny()))
    scorer = ScorerSubject("scorer, mean of frames", load_open_clip(WORLD_CLIP))
    evaluation = evaluate_shapes([random, scorer], options)
    blank, clip = (row.values for row in evaluation.rows)
    assert blank["text_to_video_r1"] is None
    assert clip["appearance"] is not None and clip["appearance"] > 0.6
    assert clip["text_to_video_r1"] is not None and clip["text_to_video_r1"] > 0.6
    assert any("no order" in note for note in evaluation.notes)
