from __future__ import annotations

import polars as pl
import pytest

from curation.judging.concepts import balance_1e4, count_concepts, read_concepts, with_balance, with_concepts
from schemas.judging import Balance

CONCEPTS = read_concepts(["dog", "Golden Gate", "", "--", "gate"])
HUNDRED = Balance(concepts="concepts.txt", clips_per_concept=100, unmatched=0.25)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("A DOG at the golden gate.", ["dog", "gate", "golden gate"]),
        ("hotdogs", []),
        ("golden; gate dog dog", ["dog", "gate", "golden gate"]),
        ("", []),
    ],
)
def test_concepts_are_whole_words(text: str, named: list[str]) -> None:
    assert CONCEPTS.named_in(text) == named


@pytest.mark.parametrize(
    ("concepts", "factor"),
    [
        (None, 10_000),
        ([], 2_500),
        (["rare"], 10_000),
        (["common"], 1_000),
        # 1 - (1 - 0.1) * (1 - 0.5)
        (["common", "usual"], 5_500),
        (["never counted"], 10_000),
    ],
)
def test_a_sample_keeps_the_chance_that_one_concept_keeps_it(concepts: list[str] | None, factor: int) -> None:
    counts = {"rare": 3, "common": 1_000, "usual": 200}
    assert balance_1e4(concepts, counts, HUNDRED) == factor


def test_only_samples_that_go_into_shards_count() -> None:
    facts = pl.DataFrame(
        {
            "text": ["a dog", "a dog", "a dog", None],
            "rule": [None, "min_flow", None, None],
            "twin": [False, False, True, False],
        }
    )
    named = with_concepts(facts, CONCEPTS)
    assert named["concepts"].to_list() == [["dog"], ["dog"], ["dog"], None]
    assert count_concepts(named, leave_out=True).select("concept", "samples").rows() == [("dog", 1)]
    assert count_concepts(named, leave_out=False).select("concept", "samples").rows() == [("dog", 2)]
    assert with_balance(named, {"dog": 400}, HUNDRED)["balance_1e4"].to_list() == [2_500, 2_500, 2_500, 10_000]
