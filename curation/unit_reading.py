"""Reading committed units back, row by row: the whole samples that sharding packs, and what was rejected."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.store import Store
from curation.unit_parts import PART_SCHEMAS, SCORE_SCHEMAS
from schemas.arrow import read_rows
from schemas.units import UnitCommit


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """One text of a sample with its scores by aggregation, in 1e-4."""

    text_id: str
    kind: str
    scores_1e4: tuple[tuple[str, int], ...]
    tokens_cut: int

    @property
    def truncated(self) -> bool:
        """Whether the scorer saw only the beginning of the text."""
        return self.tokens_cut > 0

    def score(self, aggregation: str) -> int:
        """Return the score under one aggregation.

        Raises:
            KeyError: it was not stored.
        """
        return dict(self.scores_1e4)[aggregation]


@dataclass(frozen=True, kw_only=True)
class WholeSample:
    """What a shard holds of a sample beside its media: the sample's row, its texts and their scores.

    Attributes:
        embedding: the clip's vector as little-endian float16, where it was asked for.
    """

    unit: str
    row: dict[str, Any]
    texts: tuple[dict[str, Any], ...]
    embedding: bytes | None = None


def read_part(store: Store, commit: UnitCommit, kind: str) -> list[dict[str, Any]]:
    """Return the rows of one part of a unit."""
    return read_rows(store.read(commit.parts[kind].path), {**PART_SCHEMAS, **SCORE_SCHEMAS}[kind])


def kept_samples(store: Store, commit: UnitCommit) -> Iterator[dict[str, Any]]:
    """Yield the rows of a unit's samples, without those that scoring lost."""
    lost = {row["sample_id"] for row in read_part(store, commit, "score_rejects")}
    return (row for row in read_part(store, commit, "samples") if row["sample_id"] not in lost)


def _scores_by_sample(rows: list[dict[str, Any]]) -> dict[str, tuple[TextScores, ...]]:
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        pairs[row["sample_id"], row["text_id"]].append(row)
    by_sample: dict[str, list[TextScores]] = defaultdict(list)
    for (sample, text), group in sorted(pairs.items()):
        scores = tuple(sorted((row["aggregation"], row["score_1e4"]) for row in group))
        by_sample[sample].append(
            TextScores(text_id=text, kind=group[0]["kind"], scores_1e4=scores, tokens_cut=group[0]["tokens_cut"])
        )
    return {sample: tuple(texts) for sample, texts in by_sample.items()}


def read_whole(store: Store, commit: UnitCommit, *, with_embeddings: bool = False) -> Iterator[WholeSample]:
    """Yield the samples of a unit with their texts and scores, and with the clips' embeddings where asked for."""
    rows = read_part(store, commit, "embeddings") if with_embeddings else []
    vectors = {row["media_sha256"]: row["vector"] for row in rows}
    scores = {
        text.text_id: text for texts in _scores_by_sample(read_part(store, commit, "scores")).values() for text in texts
    }
    texts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_part(store, commit, "texts"):
        scored = scores.get(row["text_id"])
        texts[row["sample_id"]].append(
            {
                "text_id": row["text_id"],
                "kind": row["kind"],
                "text": row["text"],
                "start_us": row["start_us"],
                "end_us": row["end_us"],
                "scores_1e4": dict(scored.scores_1e4) if scored else {},
            }
        )
    for row in kept_samples(store, commit):
        # Hashes of frames are for finding duplicates, and no part of a shard.
        facts = {name: value for name, value in row.items() if name not in ("frame_hashes", "hash_quality")}
        vector = vectors.get(row["media_sha256"])
        yield WholeSample(unit=commit.unit, row=facts, texts=tuple(texts[row["sample_id"]]), embedding=vector)


def merge_whole(tellings: Sequence[WholeSample]) -> WholeSample:
    """Return one sample of all units that told of it: the same file stood under several locators.

    The unit with the smallest name gives the facts; texts and records are joined, each once.
    """
    ordered = sorted(tellings, key=lambda whole: whole.unit)
    texts = {text["text_id"]: text for whole in reversed(ordered) for text in whole.texts}
    records = sorted({record for whole in ordered for record in whole.row["record_ids"]})
    row = {**ordered[0].row, "record_ids": records}
    return replace(ordered[0], row=row, texts=tuple(texts[text_id] for text_id in sorted(texts)))


def all_rejects(store: Store, commits: Iterable[UnitCommit]) -> Counter[tuple[str, str, str, str]]:
    """Return (source, stage, scope, reason) -> count of the rejects and dropped texts of units."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for commit in commits:
        for key, count in count_rejects(store, commit).items():
            counts[(commit.source, *key)] += count
    return counts


def count_rejects(store: Store, commit: UnitCommit) -> Counter[tuple[str, str, str]]:
    """Return (stage, scope, reason) -> count of a unit's rejects and dropped texts."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in [*read_part(store, commit, "rejects"), *read_part(store, commit, "score_rejects")]:
        counts[row["stage"], row["scope"], row["reason"]] += 1
    for kind_and_reason, count in commit.dropped_texts.items():
        counts["text", "text", kind_and_reason.split("/")[1]] += count
    return counts
