from __future__ import annotations

import itertools
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates import Candidate, Edge, GroupDecision, decide_group, keeper_order
from curation.duplicates.components import label_components
from schemas.records import Origin

BASE = Candidate(
    sample_id="b", node="n", source="mined", origin=Origin.NOISY, passes=True, pixels=76_800, score_1e4=100
)


def at(sample: str, node: str, **changes: object) -> Candidate:
    return replace(BASE, sample_id=sample, node=node, **changes)


def told(decisions: list[GroupDecision]) -> dict[str, tuple[str, str | None, int | None]]:
    return {decision.sample_id: (decision.keeper, decision.kind, decision.similarity_1e4) for decision in decisions}


KEPT = (None, None)


@pytest.mark.parametrize(
    ("change", "keeper"),
    [
        ({}, "b"),
        ({"score_1e4": None}, "b"),
        ({"score_1e4": 101}, "z"),
        ({"pixels": 76_801, "score_1e4": None}, "z"),
        ({"pixels": 76_799, "score_1e4": 101}, "b"),
        ({"origin": Origin.CLEAN, "pixels": 1, "score_1e4": None}, "z"),
        ({"origin": Origin.CLEAN, "pixels": 10**6, "score_1e4": 10_000, "passes": False}, "b"),
        ({"passes": False, "fixed": True, "score_1e4": None}, "z"),
    ],
)
def test_who_is_kept(change: dict, keeper: str) -> None:
    decisions = decide_group("key", [at("z", "n", **change), BASE])
    dropped = "b" if keeper == "z" else "z"
    assert told(decisions) == {keeper: (keeper, *KEPT), dropped: (keeper, "exact", 10_000)}
    assert [decision.sample_id for decision in decisions] == ["b", "z"]
    assert decisions[0].group == decisions[1].group is not None


def test_the_lowest_score_there_is_comes_before_none() -> None:
    assert keeper_order(at("z", "n", score_1e4=-10_000)) < keeper_order(at("a", "n", score_1e4=None))


def test_a_clip_that_stands_alone_has_no_group() -> None:
    assert decide_group("key", [BASE]) == [GroupDecision(sample_id="b", group=None, keeper="b")]


CASES: dict[str, tuple[list[Candidate], list[Edge], dict]] = {
    "a dropped one drops no other: the end of a chain is kept": (
        [at("a", "1"), at("b", "2"), at("c", "3")],
        [("1", "2", "perceptual", 9_000), ("2", "3", "perceptual", 9_000)],
        {"a": ("a", *KEPT), "b": ("a", "perceptual", 9_000), "c": ("c", *KEPT)},
    ),
    "the strongest kept one is named, not the first": (
        [at("a", "1"), at("b", "2"), at("c", "3")],
        [("1", "3", "semantic", 9_100), ("2", "3", "overlap", 9_200)],
        {"a": ("a", *KEPT), "b": ("b", *KEPT), "c": ("b", "overlap", 9_200)},
    ),
    "among equals the first in keeper order is named": (
        [at("b", "1"), at("a", "2", score_1e4=0), at("c", "3", score_1e4=-1)],
        [("2", "3", "perceptual", 9_000), ("3", "1", "semantic", 9_000)],
        {"a": ("a", *KEPT), "b": ("b", *KEPT), "c": ("b", "semantic", 9_000)},
    ),
    "of two edges to one keeper the stronger is named": (
        [at("a", "1"), at("b", "2")],
        [("1", "2", "overlap", 8_000), ("1", "2", "semantic", 9_000), ("1", "2", "perceptual", 8_500)],
        {"a": ("a", *KEPT), "b": ("a", "semantic", 9_000)},
    ),
    "of two equal edges to one keeper the surer kind is named": (
        [at("a", "1"), at("b", "2")],
        [("1", "2", "semantic", 9_000), ("1", "2", "overlap", 9_000), ("1", "2", "perceptual", 9_000)],
        {"a": ("a", *KEPT), "b": ("a", "overlap", 9_000)},
    ),
    "a sample of a node that was dropped is dropped, too": (
        [at("a", "1"), at("b", "2"), at("c", "2")],
        [("1", "2", "perceptual", 9_000)],
        {"a": ("a", *KEPT), "b": ("a", "perceptual", 9_000), "c": ("a", "perceptual", 9_000)},
    ),
    "fixed ones stay beside each other, on one node and along an edge": (
        [at("a", "1"), at("b", "1", fixed=True), at("c", "1", fixed=True), at("d", "2", fixed=True), at("e", "2")],
        [("1", "2", "perceptual", 9_000)],
        {
            "a": ("b", "exact", 10_000),
            "b": ("b", *KEPT),
            "c": ("c", *KEPT),
            "d": ("d", *KEPT),
            "e": ("d", "exact", 10_000),
        },
    ),
    "edges of nodes without a sample, and of a node with itself, are passed over": (
        [at("a", "1"), at("b", "2")],
        [("1", "0", "perceptual", 9_000), ("0", "2", "perceptual", 9_000), ("1", "1", "overlap", 9_000)],
        {"a": ("a", *KEPT), "b": ("b", *KEPT)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_whom_a_dropped_one_names(case: str) -> None:
    candidates, edges, expected = CASES[case]
    for turned in ([], edges[::-1], [(b, a, kind, similarity) for a, b, kind, similarity in edges]):
        assert told(decide_group("key", candidates, turned or edges)) == expected


NODES = [f"{number:064x}" for number in range(8)]
candidates_of = st.lists(
    st.builds(
        Candidate,
        sample_id=st.just(""),
        node=st.sampled_from(NODES),
        source=st.sampled_from(["a", "b"]),
        origin=st.sampled_from(list(Origin)),
        passes=st.booleans(),
        pixels=st.sampled_from([1, 2]),
        score_1e4=st.sampled_from([None, -10_000, 0, 1]),
        fixed=st.sampled_from([False, False, True]),
    ),
    min_size=1,
    max_size=14,
).map(lambda found: [replace(one, sample_id=f"s{number:02d}") for number, one in enumerate(found)])
edges_of = st.lists(
    st.tuples(
        st.sampled_from(NODES),
        st.sampled_from(NODES),
        st.sampled_from(["overlap", "perceptual", "semantic"]),
        st.integers(9_000, 9_003),
    ),
    max_size=20,
)


def nearness(one: Candidate, other: Candidate, edges: list[Edge]) -> int | None:
    """Return how much two samples resemble each other, told naively; None when nothing joins them."""
    found = [10_000] if one.node == other.node else []
    found += [similarity for a, b, _, similarity in edges if {a, b} == {one.node, other.node} and a != b]
    return max(found, default=None)


@settings(deadline=None)
@given(candidates_of, edges_of)
def test_every_dropped_one_names_a_kept_one_that_is_near_and_comes_before_it(
    candidates: list[Candidate], edges: list[Edge]
) -> None:
    samples = {candidate.sample_id: candidate for candidate in candidates}
    decisions = {decision.sample_id: decision for decision in decide_group("key", candidates, edges)}
    assert set(decisions) == set(samples)
    for decision in decisions.values():
        keeper = decisions[decision.keeper]
        assert keeper.keeper == decision.keeper, "the keeper is dropped itself"
        if decision.keeper == decision.sample_id:
            assert (decision.kind, decision.similarity_1e4) == (None, None)
            continue
        one, other = samples[decision.sample_id], samples[decision.keeper]
        assert nearness(one, other, edges) == decision.similarity_1e4 is not None
        if decision.kind == "exact":
            assert one.node == other.node
        else:
            wanted = ({one.node, other.node}, decision.kind, decision.similarity_1e4)
            assert wanted in [({a, b}, kind, similarity) for a, b, kind, similarity in edges]
        assert keeper_order(other) < keeper_order(one)


@settings(deadline=None)
@given(candidates_of, edges_of)
def test_no_two_kept_ones_are_near_each_other_except_fixed_ones(candidates: list[Candidate], edges: list[Edge]) -> None:
    decisions = decide_group("key", candidates, edges)
    kept = {decision.sample_id for decision in decisions if decision.keeper == decision.sample_id}
    assert kept >= {candidate.sample_id for candidate in candidates if candidate.fixed}
    for one, other in itertools.combinations([own for own in candidates if own.sample_id in kept], 2):
        assert (one.fixed and other.fixed) or nearness(one, other, edges) is None


@settings(deadline=None)
@given(candidates_of, edges_of, st.randoms(use_true_random=False))
def test_the_order_of_arrival_decides_nothing(candidates: list[Candidate], edges: list[Edge], shuffle) -> None:
    expected = decide_group("key", candidates, edges)
    turned = [(b, a, kind, similarity) for a, b, kind, similarity in edges]
    others = candidates.copy()
    shuffle.shuffle(others)
    shuffle.shuffle(turned)
    assert decide_group("key", others, turned) == expected


@settings(deadline=None)
@given(candidates_of, edges_of, st.lists(st.sampled_from([None, -5, 5]), min_size=14, max_size=14))
def test_scores_change_keepers_and_never_groups(
    candidates: list[Candidate], edges: list[Edge], scores: list[int | None]
) -> None:
    frame = pl.DataFrame([(a, b) for a, b, *_ in edges], schema={"a": pl.String, "b": pl.String}, orient="row")
    groups = dict(label_components([frame]).iter_rows())

    def decided(own: list[Candidate]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for key in {groups.get(candidate.node, candidate.node) for candidate in own}:
            members = [candidate for candidate in own if groups.get(candidate.node, candidate.node) == key]
            found |= {decision.sample_id: decision.group for decision in decide_group(key, members, edges)}
        return found

    changed = [replace(one, score_1e4=score) for one, score in zip(candidates, scores, strict=False)]
    assert decided(changed) == decided(candidates)
