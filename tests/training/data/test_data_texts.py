"""Which of a clip's texts a step takes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from training.data import ScoredChoice, judged_text
from training.data.texts import candidates


def told(name: str, kind: str, mean: int, start_us: int | None = None) -> dict[str, Any]:
    scores = {"max": mean + 500, "mean": mean}
    return {"text_id": name, "kind": kind, "text": f"{name} text", "start_us": start_us, "scores_1e4": scores}


def facts(judged: str, score: int | None, *texts: dict[str, Any]) -> dict[str, Any]:
    return {"text_id": judged, "score_1e4": score, "start_us": 1_000_000, "texts": list(texts)}


@dataclass
class Sample:
    """A sample as far as its texts go."""

    text: str | None = "a text"
    facts: dict[str, Any] = field(default_factory=dict)
    key: str = "k"


CAPTIONS = facts("a", 3000, told("a", "caption", 3000), told("b", "caption", 2800), told("t", "title", 3500))
SPEECH = facts(
    "late",
    2000,
    told("late", "asr", 2000, 1_400_000),
    told("early", "asr", 2000, 600_000),
    told("soon", "asr", 2000, 1_300_000),
    told("worse", "asr", 1999, 1_000_000),
    told("d", "description", 1000),
)
CANDIDATES = {
    "of the judged text's kind": (CAPTIONS, (), [("a text", 3000), ("b text", 2800)]),
    "and of others": (CAPTIONS, ("title",), [("a text", 3000), ("b text", 2800), ("t text", 3500)]),
    "by the aggregation that judged": (
        facts("a", 3500, told("a", "caption", 3000), told("b", "caption", 2800)),
        (),
        [("a text", 3500), ("b text", 3300)],
    ),
    "speech that fits best, then nearest": (SPEECH, (), [("soon text", 2000)]),
    "speech beside a description": (SPEECH, ("description",), [("d text", 1000), ("soon text", 2000)]),
    "no text was judged": (facts("x", None, told("a", "caption", 3000)), (), []),
    "of another scorer": (facts("a", 1234, told("a", "caption", 3000)), (), []),
}


@pytest.mark.parametrize("case", CANDIDATES)
def test_who_takes_part(case: str) -> None:
    sample, kinds, expected = CANDIDATES[case]
    assert candidates(sample, kinds) == expected


def test_of_equal_speech_as_near_the_earlier_one_fits() -> None:
    sample = facts("a", 9, told("a", "asr", 9, 1_200_000), told("b", "asr", 9, 800_000))
    assert candidates(sample, ()) == [("b text", 9)]


def test_a_text_that_is_worse_by_the_spread_is_drawn_1_over_e_as_often() -> None:
    choice, sample = ScoredChoice(seed=1, spread=0.02), Sample(facts=CAPTIONS)
    drawn = Counter(choice(sample, step) for step in range(4000))
    assert set(drawn) == {"a text", "b text"}
    assert drawn["b text"] / drawn["a text"] == pytest.approx(1 / math.e, rel=0.1)


def test_what_is_drawn_hangs_on_seed_step_and_sample() -> None:
    def drawn(seed: int, key: str) -> list[str | None]:
        choice, sample = ScoredChoice(seed=seed, spread=1.0), Sample(facts=CAPTIONS, key=key)
        return [choice(sample, step) for step in range(40)]

    assert drawn(1, "k") == drawn(1, "k")
    assert len({tuple(drawn(1, "k")), tuple(drawn(2, "k")), tuple(drawn(1, "l"))}) == 3


@pytest.mark.parametrize("text", ["a text", None])
def test_a_sample_without_a_choice_keeps_what_it_has(text: str | None) -> None:
    alone = Sample(text=text, facts=facts("a", 3000, told("a", "caption", 3000)))
    assert ScoredChoice(seed=0)(alone, 3) == text == judged_text(alone, 3)
    assert ScoredChoice(seed=0)(Sample(text=None, facts=CAPTIONS), 3) is None


@pytest.mark.parametrize("spread", [0.0, -1.0, math.inf, math.nan])
def test_a_spread_of_nothing_is_refused(spread: float) -> None:
    with pytest.raises(ValueError, match="allowed: finite numbers above 0"):
        ScoredChoice(seed=0, spread=spread)
