"""Tables for people."""

from __future__ import annotations

from schemas.evaluation import EncoderRow, Evaluation, Measure
from training.evaluation.text import markdown_table, text_rows

EVALUATION = Evaluation(
    suite="shapes",
    seed=1,
    settings={},
    measures=(
        Measure(name="motion", title="motion, mean", group="motion", chance=1 / 3, summary=True),
        Measure(name="motion.speed", title="speed", group="motion", chance=0.5),
    ),
    rows=(
        EncoderRow(name="stage 1", digest="a" * 64, values={"motion": 0.4567, "motion.speed": 1.0}),
        EncoderRow(name="a|b", digest="b" * 64, values={"motion": 0.0, "motion.speed": None}),
    ),
    notes=("Read me.",),
)


def test_markdown() -> None:
    assert markdown_table(EVALUATION) == (
        "| measure, % | chance | stage 1 | a\\|b |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| motion, mean | 33.3 | 45.7 | 0.0 |\n"
        "| speed | 50.0 | 100.0 | - |\n"
    )
    assert markdown_table(EVALUATION, summary_only=True).splitlines()[2:] == ["| motion, mean | 33.3 | 45.7 | 0.0 |"]


def test_plain_text() -> None:
    assert text_rows(EVALUATION) == [
        "measure, %    chance  stage 1  a|b",
        "motion, mean    33.3     45.7  0.0",
        "speed           50.0    100.0    -",
        "- Read me.",
    ]
