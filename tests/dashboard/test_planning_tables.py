from __future__ import annotations

import io

import pytest
from rich.console import Console

from dashboard.planning_tables import loader_warnings, print_plan
from schemas.planning import LoaderPlan, PlaceShare, Span, StageShares, TrainingPlan

LOADERS = LoaderPlan(
    nodes=2,
    processes=4,
    loaders=3,
    batch=16,
    shards=40,
    samples=1_000,
    without_shard=0,
    shards_per_loader=Span(least=1, most=2),
    samples_per_loader=Span(least=20, most=60),
    batches_per_process=Span(least=5, most=7),
    steps=5,
    samples_seen=640,
    dropped_in_part_batches=300,
    dropped_in_long_processes=60,
    duration_us=3_600_000_000,
)
STAGE = StageShares(
    stage=1,
    batch_size=16,
    samples=900,
    duration_us=7_200_000_000,
    steps_per_epoch=57,
    places=(PlaceShare(source="[red]web[/]", tier="clean", samples=900, share=1.0, repeats=1.0),),
    dropped_per_round={"[red]web[/]": 4},
    left_out={"no_text": 100},
)


def text_of(plan: TrainingPlan) -> str:
    sink = io.StringIO()
    print_plan(Console(file=sink, width=160), plan)
    return sink.getvalue()


def test_the_plan_says_who_gets_what_and_what_is_dropped() -> None:
    text = text_of(TrainingPlan(corpus="tiny", version=3, loaders=LOADERS, stages=(STAGE,)))
    for expected in ("tiny, version 3", "2 x 4 x 3 = 24", "1 to 2", "640 (64.0%), 1.000", "57 steps an epoch"):
        assert expected in text
    assert "[red]web[/]: 4 draws of each round fill no batch" in text
    assert "never drawn: 100 no_text" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"without_shard": 4, "shards": 20}, ["4 of 24 loaders get no shard: start at most 2 per process, or"]),
        ({"without_shard": 20, "shards": 4}, ["20 of 24 loaders get no shard: there are fewer shards than processes:"]),
        ({"steps": 0}, ["a process has no whole batch"]),
    ],
)
def test_what_starves_a_training_is_said(change: dict[str, int], expected: list[str]) -> None:
    found = list(loader_warnings(LOADERS.model_copy(update=change)))
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected
