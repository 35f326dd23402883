"""Which samples of a duplicate group are kept: each one that is dropped names a kept one that it resembles.

Samples are looked at in keeper order. One is kept unless one that is kept already shows the same or has an edge to what
it shows. A sample that was dropped drops no other: at the end of a long chain of neighbours stands a kept one again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curation.duplicates.edges import SAME_1E4, EdgeKind
from schemas.ids import stable_id
from schemas.records import Origin

# Why a sample is dropped whose clip shows the very same as the keeper's.
EXACT = "exact"
# (node, node, kind, similarity_1e4): the first columns of EDGES.
Edge = tuple[str, str, str, int]
_KIND_ORDER = {kind.value: place for place, kind in enumerate(EdgeKind)}
# Below every score, which are from -10,000.
_NO_SCORE = -10_001


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What deciding a group needs of one sample.

    Attributes:
        node: the digest of what its clip shows.
        passes: whether it breaks no rule; cuts have no part in who is kept, so that moving one moves no keeper.
        pixels: width times height of its picture.
        fixed: it was kept by an earlier version and stays, whatever it resembles.
    """

    sample_id: str
    node: str
    source: str
    origin: Origin
    passes: bool
    pixels: int
    score_1e4: int | None
    fixed: bool = False


@dataclass(frozen=True, kw_only=True)
class GroupDecision:
    """What became of a sample.

    Attributes:
        group: None when it stands alone.
        keeper: the sample that stands for it; itself when it is kept.
        kind: why it is dropped: `exact`, or the kind of its edge to the keeper; None when it is kept.
        similarity_1e4: how much it resembles the keeper; None when it is kept.
    """

    sample_id: str
    group: str | None
    keeper: str
    kind: str | None = None
    similarity_1e4: int | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    """The strongest kept sample that a node has met."""

    similarity_1e4: int
    keeper: str
    kind: str


def keeper_order(candidate: Candidate) -> tuple[bool, bool, bool, int, int, str]:
    """Return a sort key; the first sample in this order is kept.

    One that was kept before, then one that breaks no rule, a clean source before a noisy one, the larger picture, the
    higher score (none comes last) and the smaller id: total, and a function of the group alone, so that arrival order
    never decides.
    """
    score = _NO_SCORE if candidate.score_1e4 is None else candidate.score_1e4
    return (
        not candidate.fixed,
        not candidate.passes,
        candidate.origin is Origin.NOISY,
        -candidate.pixels,
        -score,
        candidate.sample_id,
    )


def decide_group(key: str, candidates: Sequence[Candidate], edges: Iterable[Edge] = ()) -> list[GroupDecision]:
    """Return a decision for each sample of a group, in the order of their ids.

    A sample that is dropped names the kept one before it in keeper order that it resembles most; among equals the first
    in keeper order. Time and memory grow with the samples and the edges (and n log n for their order).

    Args:
        key: what the group is named after; its members' scores and order have no part in it.
        candidates: each sample once.
        edges: in either direction, each at or above its kind's threshold; those of nodes without a sample are passed
            over.
    """
    group = stable_id("duplicates", key) if len(candidates) > 1 else None
    neighbours = _neighbours({candidate.node for candidate in candidates}, edges)
    claims: dict[str, _Claim] = {}
    walked: set[str] = set()
    decisions = []
    for candidate in sorted(candidates, key=keeper_order):
        node, sample = candidate.node, candidate.sample_id
        claim = claims.get(node)
        if claim is not None and not candidate.fixed:
            decisions.append(
                GroupDecision(
                    sample_id=sample,
                    group=group,
                    keeper=claim.keeper,
                    kind=claim.kind,
                    similarity_1e4=claim.similarity_1e4,
                )
            )
            continue
        decisions.append(GroupDecision(sample_id=sample, group=group, keeper=sample))
        # A second one that is fixed on the same node comes later in the order and would lose every tie.
        if node not in walked:
            walked.add(node)
            _claim(claims, sample, [(node, SAME_1E4, EXACT), *neighbours.get(node, ())])
    return sorted(decisions, key=lambda decision: decision.sample_id)


def _neighbours(nodes: set[str], edges: Iterable[Edge]) -> dict[str, list[tuple[str, int, str]]]:
    """Return node -> (other node, similarity, kind) of its edges."""
    found: dict[str, list[tuple[str, int, str]]] = {}
    for a, b, kind, similarity in edges:
        if a in nodes and b in nodes and a != b:
            found.setdefault(a, []).append((b, similarity, kind))
            found.setdefault(b, []).append((a, similarity, kind))
    return found


def _claim(claims: dict[str, _Claim], keeper: str, near: Iterable[tuple[str, int, str]]) -> None:
    """Let a kept sample claim the nodes near it, where no kept sample before it is at least as near."""
    for node, similarity, kind in near:
        known = claims.get(node)
        if known is None or similarity > known.similarity_1e4:
            claims[node] = _Claim(similarity, keeper, kind)
        elif known.keeper == keeper and similarity == known.similarity_1e4:
            # Two edges between the same nodes: the surer kind is named, whichever is read first.
            claims[node] = _Claim(similarity, keeper, min(kind, known.kind, key=_KIND_ORDER.__getitem__))
