"""Exact duplicates: clips with equal re-encoded bytes, and which sample of a group is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.corpus import DuplicatePolicy
from schemas.ids import stable_id
from schemas.records import Origin, Tier

_TIER_ORDER = (Tier.CLEAN, Tier.NOISY_HIGH, Tier.NOISY_LOW, Tier.VIDEO_ONLY)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What deciding a group needs of one sample."""

    sample_id: str
    source: str
    origin: Origin
    tier: Tier
    score_1e4: int | None


@dataclass(frozen=True, kw_only=True)
class GroupDecision:
    """The group a sample belongs to (None when it stands alone) and the sample that stands for it."""

    sample_id: str
    group: str | None
    keeper: str


def duplicate_key(media_sha256: str, source: str, policy: DuplicatePolicy) -> str:
    """Return the key under which equal clips meet: their bytes, inside the policy's scope."""
    return f"{source}/{media_sha256}" if policy.scope == "source" else media_sha256


def keeper_order(candidate: Candidate) -> tuple[int, int, int, str]:
    """Return a sort key; the first sample in this order is kept.

    A clean source before a noisy one, then the better tier, the higher score and the smaller id: total, and a
    function of the group alone, so that arrival order never decides.
    """
    score = -10_001 if candidate.score_1e4 is None else candidate.score_1e4
    return (int(candidate.origin is Origin.NOISY), _TIER_ORDER.index(candidate.tier), -score, candidate.sample_id)


def decide_group(key: str, candidates: Sequence[Candidate]) -> list[GroupDecision]:
    """Return a decision for each sample that shares a duplicate key, in the order of their ids."""
    keeper = min(candidates, key=keeper_order).sample_id
    group = stable_id("duplicates", key) if len(candidates) > 1 else None
    ordered = sorted(candidate.sample_id for candidate in candidates)
    return [GroupDecision(sample_id=sample, group=group, keeper=keeper) for sample in ordered]
