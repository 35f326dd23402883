from __future__ import annotations

import random

import polars as pl

from curation.judging.examples import choose_examples, choose_rejects
from curation.judging.tables import EXAMPLES
from schemas.ids import stable_id
from schemas.statistics import ResolvedCuts

CUTS = ResolvedCuts(clean_1e4=None, high_1e4=3_000, low_1e4=2_000)
BLANK = {name: None for name in EXAMPLES.columns}


def judged(*rows: dict) -> pl.DataFrame:
    full = [
        {"source": "web", "twin": False, **BLANK, "sample_id": stable_id("sample", number), **row}
        for number, row in enumerate(rows)
    ]
    schema = {"source": pl.String, "twin": pl.Boolean, **EXAMPLES.columns}
    return pl.DataFrame(full, schema=schema)


def places(frame: pl.DataFrame) -> set[tuple[str, int | None, int | None]]:
    return set(choose_examples(frame, CUTS).select("place", "bin", "score_1e4").rows())


def test_where_examples_are_taken_from() -> None:
    frame = judged({"score_1e4": 1_999}, {"score_1e4": 2_000}, {"score_1e4": 2_100}, {"score_1e4": 1_899}, {})
    assert places(frame) == {
        ("bin", 19, 1_999),
        ("bin", 20, 2_000),
        ("bin", 21, 2_100),
        ("bin", 18, 1_899),
        ("under_low", None, 1_999),
        ("over_low", None, 2_000),
        ("no_text", None, None),
    }
    assert places(judged({"twin": True, "score_1e4": 0}, {"rule": "min_flow", "score_1e4": 0})) == {
        ("bin", 0, 0),
        ("duplicate", None, 0),
        ("rule", None, 0),
    }


def test_the_same_few_are_chosen_from_any_split() -> None:
    frame = judged(*[{"score_1e4": 5_000 + number % 200} for number in range(400)])
    whole = choose_examples(frame, CUTS)
    assert whole.height == 8
    rows = frame.sample(fraction=1.0, shuffle=True, seed=random.Random(1).randrange(9))
    pieces = [choose_examples(piece, CUTS) for piece in (rows[:37], rows[37:200], rows[200:])]
    assert EXAMPLES.add_up(pieces).equals(whole)


def test_rejects_have_examples_by_reason() -> None:
    rejects = pl.DataFrame(
        {
            "stage": ["read"] * 6,
            "scope": ["record"] * 6,
            "reason": ["span_empty"] * 6,
            "record_id": [stable_id("record", number) for number in range(6)],
            "sample_id": [None] * 6,
            "detail": ["it is empty"] * 6,
            "input": ["{}"] * 6,
        },
        schema_overrides={"sample_id": pl.String},
    )
    assert choose_rejects(rejects, "web").height == 4
