"""The table for people."""

from __future__ import annotations

import pytest

from schemas.evaluation import EncoderRow, Evaluation, Measure
from training.evaluation.text import markdown_table


def evaluation(seed: int, motion: float, name: str = "stage 1") -> Evaluation:
    return Evaluation(
        suite="shapes",
        seed=seed,
        settings={},
        measures=(
            Measure(name="motion", title="motion, mean", group="motion", chance=1 / 3, summary=True),
            Measure(name="motion.speed", title="speed", group="motion", chance=0.5),
        ),
        rows=(
            EncoderRow(name=name, digest="a" * 64, values={"motion": motion, "motion.speed": 1.0}),
            EncoderRow(name="a|b", digest="b" * 64, values={"motion": 0.0, "motion.speed": None}),
        ),
        notes=("Read me.",),
    )


def test_one_seed() -> None:
    assert markdown_table([evaluation(1, 0.4567)]) == (
        "| measure, % | chance | stage 1 | a\\|b |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| motion, mean | 33.3 | 45.7 | 0.0 |\n"
        "| speed | 50.0 | 100.0 | - |\n"
    )


def test_several_seeds_are_mean_and_deviation() -> None:
    found = markdown_table([evaluation(1, 0.40), evaluation(2, 0.50), evaluation(3, 0.45)])
    assert found.splitlines()[2:] == [
        "| motion, mean | 33.3 | 45.0 ± 5.0 | 0.0 ± 0.0 |",
        "| speed | 50.0 | 100.0 ± 0.0 | - |",
    ]


def test_refuses_what_does_not_belong_together() -> None:
    with pytest.raises(ValueError, match="evaluations is empty"):
        markdown_table([])
    with pytest.raises(ValueError, match="differ in measures or encoders"):
        markdown_table([evaluation(1, 0.4), evaluation(2, 0.4, name="stage 2")])
