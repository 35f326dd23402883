from __future__ import annotations

import polars as pl
import pytest

from curation.duplicates import Candidate, GroupDecision
from curation.judging.facts import judge_facts
from curation.judging.twins import candidates, decide, tallied, tally_group, with_decisions, with_members
from schemas.arrow import DUPLICATE_MEMBERS
from schemas.duplicates import DuplicatePolicy
from schemas.judging import Rules
from schemas.records import Origin
from tests.curation.judging.frames import group_rows, text, told

FACTS = judge_facts(
    group_rows([told("a", text("t", 5), media="1" * 64), told("b", media="2" * 64, flow=0)]),
    Rules.model_validate({"video": {"min_flow": 0.001}}),
    "mean",
)
LABELS = DuplicatePolicy.model_validate(
    {
        "exact": {"action": "label"},
        "overlap": {"action": "label"},
        "perceptual": {"action": "label"},
    }
)


def members(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(
        list(rows), schema=pl.DataFrame(pl.from_arrow(DUPLICATE_MEMBERS.empty_table())).schema, orient="row"
    )


def candidate(name: str, source: str = "web", node: str = "1", score: int | None = None) -> Candidate:
    return Candidate(
        sample_id=name,
        node=node * 64,
        source=source,
        origin=Origin.NOISY,
        passes=True,
        pixels=1,
        score_1e4=score,
    )


def test_a_clip_learns_its_groups_and_what_share_of_its_weight_it_keeps() -> None:
    told_of = members(("2" * 64, "9" * 64, "8" * 64, 4, None))
    found = with_members(FACTS, told_of, DuplicatePolicy())
    assert found.select("cluster", "near_group", "density_1e4", "rule").rows() == [
        (None, None, 10_000, None),
        ("9" * 64, "8" * 64, 2_500, "min_flow"),
    ]
    least = DuplicatePolicy.model_validate({"semantic": {"min_weight": 0.5}})
    assert with_members(FACTS, told_of, least)["density_1e4"].to_list() == [10_000, 5_000]
    label = DuplicatePolicy.model_validate({"semantic": {"action": "label"}})
    assert with_members(FACTS, told_of, label)["density_1e4"].to_list() == [10_000, 10_000]


def test_a_clip_of_a_benchmark_breaks_a_rule_of_its_own() -> None:
    found = with_members(FACTS, members(("1" * 64, "9" * 64, None, None, "ucf")), DuplicatePolicy())
    assert found["rule"].to_list() == ["benchmark", "min_flow"]


def test_only_clips_of_a_duplicate_group_are_candidates() -> None:
    found = with_members(FACTS, members(("2" * 64, "9" * 64, None, None, None)), DuplicatePolicy())
    expected = Candidate(
        sample_id="b" * 26,
        node="2" * 64,
        source="web",
        origin=Origin.CLEAN,
        passes=False,
        pixels=512 * 288,
        score_1e4=None,
    )
    assert list(candidates(found, Origin.CLEAN)) == [("9" * 64, expected)]


def test_inside_sources_equal_clips_of_two_sources_are_two_nodes() -> None:
    policy = DuplicatePolicy(scope="source")
    other = FACTS.with_columns(source=pl.lit("stock"))
    nodes = [with_members(facts, members(), policy)["node"][0] for facts in (FACTS, other, FACTS)]
    assert nodes[0] == nodes[2] != nodes[1]


def test_one_that_stands_alone_after_all_is_left_as_it_is() -> None:
    assert decide("key", [candidate("a")], [], DuplicatePolicy()) == []
    assert list(tally_group([candidate("a")])) == []


EDGES = [("1" * 64, "2" * 64, "perceptual", 9_000), ("2" * 64, "3" * 64, "semantic", 9_900)]
GROUP = [candidate("a", node="1"), candidate("b", node="2"), candidate("c", node="3"), candidate("d", node="3")]
KEPT: dict[str, tuple[dict, list[tuple[str, str | None]]]] = {
    "what is left out drops no other": (
        {},
        [("a", None), ("a", "perceptual"), ("c", None), ("c", "exact")],
    ),
    "nearly the same is dropped, too": (
        {"semantic": {"action": "keep_one"}},
        [("a", None), ("a", "perceptual"), ("c", None), ("c", "exact")],
    ),
    "a label names the kept one that a kept one resembles": (
        {"perceptual": {"action": "label"}},
        [("a", None), ("a", "perceptual"), ("c", None), ("c", "exact")],
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_each_one_that_is_left_out_resembles_a_kept_one(case: str) -> None:
    options, expected = KEPT[case]
    decisions = decide("key", GROUP, EDGES, DuplicatePolicy.model_validate(options))
    assert [(own.keeper, own.kind) for own in decisions] == expected
    assert len({own.group for own in decisions}) == 1


def test_labels_leave_nothing_out() -> None:
    decisions = [GroupDecision(sample_id="a" * 26, group="g", keeper="z" * 26, kind="exact", similarity_1e4=10_000)]
    columns = ("duplicate_group", "keeper", "duplicate_kind", "similarity_1e4", "twin")
    decided = with_decisions(FACTS, decisions, DuplicatePolicy()).select(columns)
    assert decided.rows() == [("g", "z" * 26, "exact", 10_000, True), (None, "b" * 26, None, None, False)]
    assert with_decisions(FACTS, decisions, LABELS)["twin"].to_list() == [False, False]


def test_a_label_beside_a_kind_that_removes_leaves_its_sample_in() -> None:
    policy = DuplicatePolicy.model_validate({"perceptual": {"action": "label"}})
    facts = FACTS.with_columns(sample_id=pl.Series(["a", "b"]))
    found = with_decisions(facts, decide("key", GROUP, EDGES, policy), policy)
    assert found.select("keeper", "duplicate_kind", "twin").rows() == [("a", None, False), ("a", "perceptual", False)]


def test_groups_are_counted_by_size_and_by_sources() -> None:
    group = [candidate("a"), candidate("b"), candidate("c", "stock"), candidate("d", "talks")]
    pairs = [("stock", "talks"), ("stock", "web"), ("talks", "web"), ("web", "web")]
    assert sorted(tally_group(group), key=str) == sorted([((4,), 1), *((pair, 1) for pair in pairs)], key=str)
    assert [(name, frame.rows()) for name, frame in (tallied((4,), 7), tallied(("stock", "web"), 2))] == [
        ("group_sizes", [(4, 7)]),
        ("pairs", [("stock", "web", 2)]),
    ]
