from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates import Candidate, decide_group, duplicate_key
from schemas.corpus import DuplicatePolicy
from schemas.records import Origin, Tier

BASE = Candidate(sample_id="b", source="mined", origin=Origin.NOISY, tier=Tier.NOISY_LOW, score_1e4=100)


@pytest.mark.parametrize(
    ("change", "keeper"),
    [
        ({"origin": Origin.CLEAN}, "z"),
        ({"tier": Tier.NOISY_HIGH}, "z"),
        ({"tier": Tier.VIDEO_ONLY, "score_1e4": None}, "b"),
        ({"score_1e4": 101}, "z"),
        ({}, "b"),
        ({"origin": Origin.CLEAN, "tier": Tier.VIDEO_ONLY, "score_1e4": None}, "z"),
    ],
)
def test_who_is_kept(change: dict, keeper: str) -> None:
    other = replace(BASE, sample_id="z", **change)
    decisions = decide_group("key", [other, BASE])
    assert [(decision.sample_id, decision.keeper) for decision in decisions] == [("b", keeper), ("z", keeper)]
    assert decisions[0].group == decisions[1].group is not None


def test_a_clip_that_stands_alone_has_no_group() -> None:
    assert decide_group("key", [BASE])[0].group is None


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_arrival_decides_nothing(names: list[str]) -> None:
    group = [replace(BASE, sample_id=name) for name in names]
    assert decide_group("key", group) == decide_group("key", sorted(group, key=lambda item: item.sample_id))


def test_the_scope_is_in_the_key() -> None:
    assert duplicate_key("m", "a", DuplicatePolicy(scope="corpus")) == duplicate_key("m", "b", DuplicatePolicy())
    within = DuplicatePolicy(scope="source")
    assert duplicate_key("m", "a", within) != duplicate_key("m", "b", within)
