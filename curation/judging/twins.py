"""Samples of one duplicate group, as they are shuffled, and what is decided about them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from curation.duplicates import Candidate, GroupDecision, decide_group
from curation.duplicates.clips import node_of
from curation.judging import tables
from curation.judging.facts import BENCHMARK_RULE
from schemas.duplicates import BASE_MARK, DuplicatePolicy
from schemas.records import Origin

# The size of a duplicate group, or two sources that it joins; and how many such groups there are.
GroupKey = tuple[int] | tuple[str, str]
GroupTally = tuple[GroupKey, int]
# (node, node, kind, similarity_1e4)
Edge = tuple[str, str, str, int]
_ONE_1E4 = 10_000


def with_members(facts: pl.DataFrame, members: pl.DataFrame, policy: DuplicatePolicy) -> pl.DataFrame:
    """Return the facts with `node`, `cluster` (the duplicate group), `near_group` and `density_1e4`, the share of its
    weight that a clip keeps among those that mean nearly the same. A clip of a benchmark breaks the rule `benchmark`.

    Args:
        members: DUPLICATE_MEMBERS of the group of units.
    """
    known = facts.with_columns(node=node_of(pl.col("content_sha256"), pl.col("source"), policy)).join(
        members.rename({"duplicate_group": "cluster"}), on="node", how="left", maintain_order="left"
    )
    least = round(policy.semantic.min_weight * _ONE_1E4)
    shared = pl.max_horizontal(pl.lit(_ONE_1E4) // pl.col("near_size").fill_null(1), pl.lit(least))
    rule = pl.when(pl.col("benchmark").is_not_null()).then(pl.lit(BENCHMARK_RULE)).otherwise("rule")
    density = shared if policy.semantic.action == "weight" else pl.lit(_ONE_1E4)
    return known.with_columns(rule=rule, density_1e4=density.cast(pl.Int32)).drop("near_size")


def with_text_copies(facts: pl.DataFrame, groups: pl.DataFrame, policy: DuplicatePolicy) -> pl.DataFrame:
    """Return the facts with `text_copies`: how many texts of the source are nearly like the chosen one, with itself.

    Where the policy says so, `density_1e4` is divided by it.

    Args:
        groups: DUPLICATE_TEXTS of the group of units.
    """
    known = facts.join(groups.select("text_id", "text_copies"), on="text_id", how="left", maintain_order="left")
    known = known.with_columns(pl.col("text_copies").fill_null(1))
    if policy.texts.action != "weight":
        return known
    least = round(policy.texts.min_weight * _ONE_1E4)
    share = pl.max_horizontal(pl.lit(_ONE_1E4) // pl.col("text_copies"), pl.lit(least))
    return known.with_columns(density_1e4=(pl.col("density_1e4") * share // _ONE_1E4).cast(pl.Int32))


def candidates(facts: pl.DataFrame, origin: Origin) -> Iterator[tuple[str, Candidate]]:
    """Yield (duplicate group, candidate) of each sample that is in one."""
    columns = ("sample_id", "node", "source", "cluster", "rule", "pixels", "score_1e4")
    for sample, node, source, cluster, rule, pixels, score in (
        facts.filter(pl.col("cluster").is_not_null()).select(columns).iter_rows()
    ):
        yield (
            cluster,
            Candidate(
                sample_id=sample,
                node=node,
                source=source,
                origin=origin,
                passes=rule is None,
                pixels=pixels,
                score_1e4=score,
            ),
        )


def base_candidate(row: Mapping[str, Any]) -> Candidate:
    """Return a sample of the base (DUPLICATE_BASE) as a candidate that stays; its source is told from the run's own."""
    return Candidate(
        sample_id=row["sample_id"],
        node=row["node"],
        source=f"{BASE_MARK}{row['source']}",
        origin=Origin(row["origin"]),
        passes=True,
        pixels=row["pixels"],
        score_1e4=row["score_1e4"],
        fixed=True,
    )


def with_decisions(facts: pl.DataFrame, decisions: Sequence[GroupDecision], policy: DuplicatePolicy) -> pl.DataFrame:
    """Return the facts with what was decided, and `twin`: whether a keeper takes the sample's place in the shards."""
    schema = {
        "sample_id": pl.String,
        "duplicate_group": pl.String,
        "keeper": pl.String,
        "duplicate_kind": pl.String,
        "similarity_1e4": pl.Int32,
    }
    rows = [(own.sample_id, own.group, own.keeper, own.kind, own.similarity_1e4) for own in decisions]
    decided = pl.DataFrame(rows, schema=schema, orient="row")
    joined = facts.join(decided, on="sample_id", how="left", maintain_order="left")
    removing = [kind for kind in ("exact", "overlap", "perceptual", "semantic") if policy.removes(kind)]
    return joined.with_columns(
        keeper=pl.coalesce("keeper", "sample_id"),
        twin=pl.col("duplicate_kind").is_in(removing).fill_null(False),
    )


def decide(key: str, group: Sequence[Candidate], edges: Iterable[Edge], policy: DuplicatePolicy) -> list[GroupDecision]:
    """Return the decisions about the samples of a duplicate group; none when a sample stands alone after all.

    First what resembles a kept sample so much that it is left out; then, of the kept ones, which are only labelled.
    """
    if len(group) < 2:
        return []
    told = list(edges)
    if not policy.removes("exact"):
        return decide_group(key, group, told)
    decisions = decide_group(key, group, [edge for edge in told if policy.removes(edge[2])])
    labelling = [edge for edge in told if not policy.removes(edge[2])]
    if not labelling:
        return decisions
    kept = {own.sample_id for own in decisions if own.keeper == own.sample_id}
    staying = [candidate for candidate in group if candidate.sample_id in kept]
    labelled = {own.sample_id: own for own in decide_group(key, staying, labelling)}
    names = {own.group for own in decisions}
    return [
        own if own.sample_id not in kept else _in_group(labelled[own.sample_id], next(iter(names))) for own in decisions
    ]


def _in_group(decision: GroupDecision, group: str | None) -> GroupDecision:
    return GroupDecision(
        sample_id=decision.sample_id,
        group=group,
        keeper=decision.keeper,
        kind=decision.kind,
        similarity_1e4=decision.similarity_1e4,
    )


def tally_group(group: Sequence[Candidate]) -> Iterator[GroupTally]:
    """Yield what one duplicate group adds to the corpus's counts: its size, and each pair of sources in it."""
    if len(group) < 2:
        return
    yield (len(group),), 1
    sources = Counter(candidate.source for candidate in group)
    within = [(name, name) for name, count in sources.items() if count > 1]
    for pair in [*itertools.combinations(sorted(sources), 2), *within]:
        yield pair, 1


def tallied(key: GroupKey, groups: int) -> tuple[str, pl.DataFrame]:
    """Return (table, its row) of a sum of tallies."""
    table = tables.GROUP_SIZES if len(key) == 1 else tables.PAIRS
    return table.name, pl.DataFrame([(*key, groups)], schema=table.schema, orient="row")
