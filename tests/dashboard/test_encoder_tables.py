"""The rows of the training half, literal."""

from __future__ import annotations

import pytest
from dashboard_encoder_sample import MEASURES, encoder, evaluation, stage_1, stage_2

from dashboard import encoder_tables
from schemas.training import TrainingSummary


def test_chance_is_the_first_row_and_every_measure_is_a_column() -> None:
    table = encoder_tables.evaluation_table(evaluation())
    assert [(column.key, column.label, column.kind, column.group, column.detail) for column in table.columns] == [
        ("encoder", "Encoder", "text", "", False),
        ("appearance", "appearance", "share", "appearance", False),
        ("appearance.colour", "colour", "share", "appearance", True),
        ("motion", "motion", "share", "motion", False),
        ("motion.direction", "direction", "share", "motion", True),
        ("text_to_video_r1", "text to video R@1", "share", "retrieval", False),
        ("weights_sha256", "Weights", "digest", "", False),
    ]
    assert table.rows == (
        ("chance", 0.2, 0.25, 0.125, 0.125, 0.01, None),
        ("random encoder", 0.3, 0.35, 0.15, 0.14, 0.01, "0c" * 32),
        ("stage 1", 0.7, 0.75, 0.5, 0.625, 0.25, "1a" * 32),
        ("stage 2", 0.65, 0.75, 0.8, 0.875, None, "2b" * 32),
        ("scorer, mean of frames", 0.9, 0.95, 0.12, 0.1, 0.4, "3d" * 32),
    )


def test_without_a_summary_no_measure_is_a_detail() -> None:
    plain = tuple(measure.model_copy(update={"summary": False}) for measure in MEASURES)
    table = encoder_tables.evaluation_table(evaluation(measures=plain))
    assert [column.detail for column in table.columns] == [False] * 7


def test_a_value_that_a_row_does_not_name_is_none() -> None:
    row = encoder("stage 1", "1a", 0.7, 0.75, 0.5, 0.625, 0.25).model_copy(update={"values": {"motion": 0.5}})
    assert encoder_tables.evaluation_table(evaluation(row)).rows[1] == (
        "stage 1",
        None,
        None,
        0.5,
        None,
        None,
        "1a" * 32,
    )


def test_best_values() -> None:
    assert encoder_tables.best_values(evaluation()) == {
        "appearance": 0.9,
        "appearance.colour": 0.95,
        "motion": 0.8,
        "motion.direction": 0.875,
        "text_to_video_r1": 0.4,
    }


def test_one_encoder_alone_is_not_the_best() -> None:
    two = evaluation(
        encoder("stage 1", "1a", 0.1, 0.2, 0.0, 0.0, 0.3), encoder("stage 2", "2b", 0.0, 0.1, 0.0, 0.1, None)
    )
    assert encoder_tables.best_values(two) == {
        "appearance": 0.1,
        "appearance.colour": 0.2,
        "motion": 0.0,
        "motion.direction": 0.1,
    }


def test_training_rows() -> None:
    table = encoder_tables.training_table((stage_1(), stage_2()))
    assert [column.key for column in table.columns] == [
        "stage",
        "steps",
        "batch_size",
        "samples",
        "samples_per_s",
        "wait_share",
        "seconds",
        "parameters",
        "final_loss",
        "seed",
        "manifest_version",
        "weights_sha256",
        "teacher_sha256",
    ]
    assert table.rows == (
        ("stage 1", 40, 10, 400, 5.0, 0.125, 80.0, 1_234_567, 1.5, 7, 1, "1a" * 32, None),
        ("stage 2", 20, 10, 200, 5.0, 0.0, 3600.0, 2_000_000, 0.5, 7, 1, "2b" * 32, "1a" * 32),
    )


def test_a_curve_says_what_its_loss_is() -> None:
    first, second = encoder_tables.loss_curves((stage_1(), stage_2()))
    assert first.title == "Stage 1: symmetric contrastive loss"
    assert second.title == "Stage 2: sum of cosine distances to the teacher"
    assert (first.table.name, second.table.name) == ("loss_stage_1", "loss_stage_2")
    assert [column.key for column in first.table.columns] == ["step", "loss"]
    assert first.table.rows == ((20, 2.25), (30, 1.75), (40, 1.5))


def test_samples_have_a_column_per_stage() -> None:
    table = encoder_tables.samples_table((stage_1(), stage_2()))
    assert [column.key for column in table.columns] == ["source", "stage_1", "stage_2"]
    assert table.rows == (("stock", 300, 120), ("web_alt", 100, None), ("silent", None, 80))


def test_what_was_left_out_has_a_column_per_stage() -> None:
    table = encoder_tables.left_out_table((stage_1(), stage_2()))
    assert table.rows == (("video only", 12, None),)
    assert encoder_tables.left_out_table((stage_2(),)).rows == ()


MOTION_FIRST = [
    {"group": "motion", "value": 0.8, "chance": 0.125},
    {"group": "appearance", "value": 0.65, "chance": 0.2},
]


def test_the_headline_is_the_last_stage_by_its_weights() -> None:
    renamed = evaluation(
        encoder("ours", "2b", 0.65, 0.75, 0.8, 0.875, None), encoder("stage 1", "1a", 0.7, 0.75, 0.5, 0.625, 0.25)
    )
    found = encoder_tables.encoder_headline((stage_1(), stage_2()), renamed)
    assert found == {"encoder": "ours", "values": MOTION_FIRST}


def test_the_headline_is_the_last_stage_by_its_name_where_no_weights_match() -> None:
    found = encoder_tables.encoder_headline((stage_1(weights_sha256="ff" * 32),), evaluation())
    assert found == {"encoder": "stage 2", "values": MOTION_FIRST}


def test_the_headline_is_the_last_row_where_nothing_is_a_stage() -> None:
    other = evaluation(encoder("a", "0a", 0.1, 0.1, 0.1, 0.1, 0.1), encoder("b", "0b", None, 0.1, 0.5, 0.1, 0.25))
    assert encoder_tables.encoder_headline((), other) == {
        "encoder": "b",
        "values": [
            {"group": "motion", "value": 0.5, "chance": 0.125},
            {"group": "retrieval", "value": 0.25, "chance": 0.01},
        ],
    }


def test_no_encoder_and_no_value_have_no_headline() -> None:
    assert encoder_tables.encoder_headline((), evaluation().model_copy(update={"rows": ()})) is None
    mute = evaluation(encoder("stage 1", "1a", None, 0.5, None, 0.5, None))
    assert encoder_tables.encoder_headline((), mute) is None


@pytest.mark.parametrize(
    ("summary", "version", "told"),
    [
        pytest.param(stage_1(), 1, [], id="all holds"),
        pytest.param(stage_1(), None, [], id="no manifest yet"),
        pytest.param(
            stage_1(samples=410, samples_by_source={"stock": 410}),
            1,
            [("error", "stage 1", "samples off by +10 from steps x batch")],
            id="steps do not make the samples",
        ),
        pytest.param(
            stage_2(samples_by_source={"stock": 203}),
            1,
            [("error", "stage 2", "samples off by -3 from samples by source")],
            id="sources do not make the samples",
        ),
        pytest.param(
            stage_1(),
            2,
            [("warning", "stage 1", "trained on manifest v1, not on v2 that this page describes")],
            id="another manifest",
        ),
    ],
)
def test_notices(summary: TrainingSummary, version: int | None, told: list[tuple[str, str, str]]) -> None:
    found = encoder_tables.encoder_notices((summary,), version)
    assert [(notice.level, notice.source, notice.text) for notice in found] == told


def test_nothing_to_show_is_none() -> None:
    assert encoder_tables.encoder_data((), None) is None


def test_each_half_stands_alone() -> None:
    trained = encoder_tables.encoder_data((stage_1(),), None)
    assert trained is not None and trained["training"] is not None
    assert (trained["headline"], trained["evaluation"]) == (None, None)
    told = encoder_tables.encoder_data((), evaluation())
    assert told is not None and told["training"] is None
    assert told["evaluation"]["settings"] == [("probe_train_clips", 2048), ("probe_learning_rate", 0.001)]
    assert told["evaluation"]["notes"] == ("Clips are made up.", "Stage 2 has no text side.")
