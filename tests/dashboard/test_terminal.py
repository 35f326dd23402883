from __future__ import annotations

import io

import pytest
from dashboard_sample import source
from dashboard_sample import statistics as statistics_of
from rich.console import Console

from dashboard.terminal import print_report, score_text
from schemas.statistics import Statistics


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
