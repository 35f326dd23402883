from __future__ import annotations

import io

import pytest
from dashboard_encoder_sample import MEASURES, encoder, evaluation, stage_1, stage_2
from dashboard_sample import source
from dashboard_sample import statistics as statistics_of
from rich.console import Console

from dashboard.terminal import print_report, print_training, score_text
from schemas.evaluation import Evaluation
from schemas.statistics import Statistics
from schemas.training import TrainingSummary


def text_of(statistics: Statistics) -> str:
    sink = io.StringIO()
    print_report(Console(file=sink, width=200), statistics, (3, 2))
    return sink.getvalue()


def test_the_report_shows_ledgers_scores_and_planted_copies() -> None:
    text = text_of(statistics_of(source()))
    for expected in ("Ledgers", "0.251", "VideoPrism, published", "InternVid", "copied files planted", "Rejects"):
        assert expected in text


def test_markup_in_a_name_is_shown_and_not_obeyed() -> None:
    statistics = statistics_of(source())
    hostile = statistics.sources[0].model_copy(update={"name": "[bold red]x[/]"})
    assert "[bold red]x[/]" in text_of(statistics.model_copy(update={"sources": (hostile,)}))


def test_markup_in_a_title_is_shown_and_not_obeyed() -> None:
    statistics = statistics_of(source())
    hostile = statistics.scorer.model_copy(update={"name": "[red]tiny[/red]"})
    assert "[red]tiny[/red]" in text_of(statistics.model_copy(update={"scorer": hostile}))


def test_a_ledger_that_does_not_add_up_is_said() -> None:
    statistics = statistics_of(source())
    first = statistics.sources[0]
    broken = first.model_copy(
        update={"ledger": first.ledger.model_copy(update={"records_read": first.ledger.records_read + 1})}
    )
    assert " NO " not in text_of(statistics)
    assert " NO " in text_of(statistics.model_copy(update={"sources": (broken,)}))


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (2510, "0.251"), (-1, "-0.000"), (10_000, "1.000")])
def test_scores_for_people(value: int | None, text: str) -> None:
    assert score_text(value) == text


def training_text(training: tuple[TrainingSummary, ...], told: Evaluation | None) -> list[list[str]]:
    """Return the lines, each as its cells."""
    sink = io.StringIO()
    print_training(Console(file=sink, width=80), training, told)
    return [[cell.strip() for cell in line.strip("│┃ ").split("│")] for line in sink.getvalue().splitlines()]


def test_the_training_half_of_the_report() -> None:
    lines = training_text((stage_1(), stage_2()), evaluation())
    for expected in (
        ["steps x batch", "40 x 10", "20 x 10"],
        ["waiting for data", "12.5%", "0.0%"],
        ["parameters", "1,234,567", "2,000,000"],
        ["final loss", "1.5", "0.5"],
        ["weights", "1a1a1a1a", "2b2b2b2b"],
        ["- stage 1 left out: video only 12"],
        ["chance", "20.0%", "12.5%", "1.0%"],
        ["stage 2", "65.0%", "* 80.0%", "-"],
        ["scorer, mean of frames", "* 90.0%", "12.0%", "* 40.0%"],
        ["- Clips are made up."],
    ):
        assert expected in lines
    first = [line[0] for line in lines]
    assert first.index("chance") < first.index("random encoder")


def test_each_half_of_the_training_report_stands_alone() -> None:
    assert training_text((), None) == []
    assert ["seed", "7"] in training_text((stage_1(),), None)
    assert ["stage 1", "70.0%", "50.0%", "25.0%"] in training_text((), evaluation())


def test_markup_in_encoders_measures_and_notes_is_shown_and_not_obeyed() -> None:
    measure = MEASURES[0].model_copy(update={"title": "[b]looks[/b]"})
    row = encoder("[i]x[/i]", "0a", 0.5, 0.5, 0.5, 0.5, 0.5)
    lines = training_text(
        (stage_1(left_out={"[u]why[/u]": 2}),), evaluation(row, measures=(measure,), notes=("[s]note[/s]",))
    )
    assert ["- stage 1 left out: [u]why[/u] 2"] in lines
    assert ["[i]x[/i]", "50.0%"] in lines
    assert ["- [s]note[/s]"] in lines
    assert any("[b]looks[/b]" in line[0] for line in lines)
