"""What a method joins, counted by what the pairs are: thresholds from one split, figures from the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.copies.changes import KINDS, PROMISED
from benchmarks.copies.peers import Found
from benchmarks.copies.points import Point, balanced_point, choose_point, fixed_point, ratio
from benchmarks.copies.records import BASE, Base, Clip
from benchmarks.copies.truth import HARD_KINDS, LEFT_OUT, STRANGE, TRUE, relations

TWO_COPIES = "two_copies"
"""True pairs of two changed clips; all other figures are of pairs with at least one unchanged clip."""
ALL_KINDS = (BASE, *KINDS, TWO_COPIES)
GROUPS = {"promised": PROMISED, "all": KINDS}
WORST = 400


@dataclass(frozen=True, kw_only=True)
class Split:
    """All pairs of the clips of a split, row < column, with what they are.

    Attributes:
        clips: of the split.
        rows, columns: int64 [P], P = n (n - 1) / 2, ordered.
        relation: of each pair: TRUE, LEFT_OUT, a hard kind or STRANGE.
        counted: bool [P], whether at least one of the two is unchanged.
        kind: kind of the other one, as its place in ALL_KINDS; `base` where both are unchanged, TWO_COPIES where
            neither is.
    """

    clips: list[Clip]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    relation: NDArray[np.str_]
    counted: NDArray[np.bool_]
    kind: NDArray[np.int8]

    def of_kinds(self, kinds: Sequence[str]) -> NDArray[np.bool_]:
        """Return which pairs are of some kinds."""
        return np.isin(self.kind, [ALL_KINDS.index(kind) for kind in kinds])

    def places(self, found: Found) -> NDArray[np.int64]:
        """Return where in the list of all pairs the found ones are."""
        clips = len(self.clips)
        return found.rows * (2 * clips - found.rows - 1) // 2 + found.columns - found.rows - 1


def make_split(name: str, clips: Sequence[Clip], bases: Sequence[Base]) -> Split:
    """Return all pairs of the clips of a split."""
    own = [clip for clip in clips if clip.split == name]
    rows, columns = (found.astype(np.int64) for found in np.triu_indices(len(own), 1))
    kinds = np.array([ALL_KINDS.index(clip.kind) for clip in own], np.int8)
    unchanged = kinds == ALL_KINDS.index(BASE)
    kind = np.where(unchanged[rows], kinds[columns], kinds[rows])
    counted = unchanged[rows] | unchanged[columns]
    kind[~counted] = ALL_KINDS.index(TWO_COPIES)
    relation = relations(own, bases).of(rows, columns)
    return Split(clips=own, rows=rows, columns=columns, relation=relation, counted=counted, kind=kind)


def points_of(split: Split, found: Found, precision: float) -> tuple[Point, Point]:
    """Return two thresholds for a method, over the counted pairs but those left out.

    Returns:
        (highest recall at a precision, highest F1); both are all pairs, for a method that decides by itself.
    """
    asked = split.counted & (split.relation != LEFT_OUT)
    at = split.places(found)
    looked_at = asked[at]
    similarity, true = found.similarity_1e4[looked_at], split.relation[at[looked_at]] == TRUE
    all_true = int((asked & (split.relation == TRUE)).sum())
    if found.fixed:
        return (fixed_point(true, all_true, precision),) * 2
    return choose_point(similarity, true, all_true, precision), balanced_point(similarity, true, all_true)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Pairs of one sort, how many of them are joined, and how many wrong ones are joined beside them."""

    pairs: int
    joined: int
    wrong: int = 0

    @property
    def share(self) -> float:
        """Joined ones among the pairs: the recall, of a kind of copies."""
        return ratio(self.joined, self.pairs)

    @property
    def precision(self) -> float:
        """True ones among those joined."""
        return ratio(self.joined, self.joined + self.wrong)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """How a method did on a split at a threshold.

    Attributes:
        copies: by kind of the changed clip; by group of kinds; TWO_COPIES; and `real` and `drawn`, the promised kinds.
        negatives: by hard kind, STRANGE, and LEFT_OUT for those that do not count.
        missed: promised pairs that are not joined: (clip, clip, similarity or None).
        wrong: hard and strange pairs that are joined, the most similar ones first.
    """

    method: str
    note: str
    point: Point
    copies: dict[str, Tally]
    negatives: dict[str, Tally]
    missed: list[tuple[str, str, int | None]] = field(default_factory=list)
    wrong: list[tuple[str, str, int]] = field(default_factory=list)


def count(split: Split, joined: NDArray[np.bool_], among: NDArray[np.bool_]) -> Tally:
    """Count the true pairs among some, and what is joined of these and of the false ones."""
    true = among & (split.relation == TRUE)
    false = among & ~true & (split.relation != LEFT_OUT)
    return Tally(pairs=int(true.sum()), joined=int((true & joined).sum()), wrong=int((false & joined).sum()))


def fill_sheet(method: str, split: Split, found: Found, point: Point, real: Mapping[str, bool]) -> Sheet:
    """Count what a method joins of a split.

    Args:
        real: by base id, whether its video is a real one.
    """
    similarity, counted = np.full(len(split.rows), -1, np.int64), split.counted
    similarity[split.places(found)] = found.similarity_1e4
    joined = similarity >= point.threshold_1e4
    true = split.relation == TRUE
    wrong = joined & ~true & (split.relation != LEFT_OUT)

    def tally(kinds: Sequence[str], among: NDArray[np.bool_] = counted) -> Tally:
        return count(split, joined, split.of_kinds(kinds) & among)

    copies = {kind: tally([kind]) for kind in KINDS}
    # of a group of kinds, pairs of two unchanged clips that are joined are wrong as well
    copies |= {name: tally([*kinds, BASE]) for name, kinds in GROUPS.items()}
    drawn = np.array([not real[clip.base_id] for clip in split.clips])
    copies["real"] = tally([*PROMISED, BASE], counted & ~(drawn[split.rows] | drawn[split.columns]))
    copies["drawn"] = tally([*PROMISED, BASE], counted & drawn[split.rows] & drawn[split.columns])
    copies[TWO_COPIES] = tally([TWO_COPIES], ~counted)
    negatives = {}
    for kind in (*HARD_KINDS, STRANGE, LEFT_OUT):
        of_kind = (split.relation == kind) & counted
        negatives[kind] = Tally(pairs=int(of_kind.sum()), joined=int((of_kind & joined).sum()))
    promised = counted & true & ~joined & split.of_kinds(PROMISED)
    return Sheet(
        method=method,
        note=found.note,
        point=point,
        copies=copies,
        negatives=negatives,
        missed=[(*pair, value if value >= 0 else None) for *pair, value in _named(split, similarity, promised)],
        wrong=_named(split, similarity, counted & wrong),
    )


def _named(split: Split, similarity: NDArray[np.int64], chosen: NDArray[np.bool_]) -> list[tuple[str, str, int]]:
    places = np.flatnonzero(chosen)
    places = places[np.argsort(-similarity[places], kind="stable")][:WORST]
    return [
        (split.clips[split.rows[at]].clip_id, split.clips[split.columns[at]].clip_id, int(similarity[at]))
        for at in places
    ]
