"""A committed unit's way through scoring: its clips and texts in batches, and the batches' results as its scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from curation.media import FramePlan, strip_of_clip
from curation.score_batches import ClipToScore, ScoreBatch, ScoredBatch, ScoredClip, TextScore, TextToScore, cut_batches
from curation.score_cache import ScoreCache, cache_folder
from curation.scoring import offset_us
from curation.store import Store
from curation.unit_parts import ScoringResult, write_scores
from curation.unit_reading import read_part
from schemas.arrow import Row
from schemas.reasons import RETRYABLE, Reason, Scope, Stage
from schemas.records import Reject, Score
from schemas.run import frames_path, media_path
from schemas.statistics import ScorerFacts
from schemas.units import UnitCommit, UnitScores, neighbour_units


class ScoresIncomplete(RuntimeError):
    """A unit's batches did not all come back: nothing of them is written."""


def unit_batches(store: Store, commit: UnitCommit, scorer: ScorerFacts, plan: FramePlan) -> list[ScoreBatch]:
    """Return what is to be scored and embedded of a unit: its samples, in the order of their ids."""
    texts: dict[str, list[TextToScore]] = defaultdict(list)
    for row in read_part(store, commit, "texts"):
        texts[row["sample_id"]].append(TextToScore(text_id=row["text_id"], text=row["text"]))
    clips = [
        ClipToScore(
            sample_id=row["sample_id"],
            media_sha256=row["media_sha256"],
            strip_path=frames_path(row["clip_id"], plan.name),
            texts=tuple(texts.get(row["sample_id"], ())),
        )
        for row in read_part(store, commit, "samples")
    ]
    return cut_batches(commit.unit, cache_groups(store, commit, scorer), clips, plan.count)


def ensure_strips(store: Store, commit: UnitCommit, plan: FramePlan) -> int:
    """Make the score frames that are missing, from the stored clips; returns how many."""
    made = 0
    for row in read_part(store, commit, "samples"):
        path = frames_path(row["clip_id"], plan.name)
        if not store.exists(path):
            store.write(path, strip_of_clip(store.read(media_path(row["media_sha256"])), plan))
            made += 1
    return made


def cache_groups(store: Store, commit: UnitCommit, scorer: ScorerFacts) -> tuple[str, ...]:
    """Return where earlier scores of the unit's clips may lie: under its own name first, then its neighbours'."""
    folder = cache_folder(scorer.digest)
    found = {commit.clips: None}
    for prefix in neighbour_units(commit.clips):
        found |= {path.rsplit("/", 1)[1]: None for path in store.list_prefix(f"{folder}/{prefix}")}
    return tuple(found)


def finish_scores(store: Store, commit: UnitCommit, scorer: ScorerFacts, batches: Iterable[ScoredBatch]) -> UnitScores:
    """Write a unit's scores, the samples that have none as rejects, and the embeddings of its clips.

    Embeddings are read from the cache, where scoring the batches left them; one that is not finite is left out.

    Raises:
        ScoresIncomplete: a batch of the unit is missing, or is there twice.
    """
    ordered = sorted(batches, key=lambda batch: batch.number)
    if [batch.number for batch in ordered] != list(range(ordered[0].of)):
        raise ScoresIncomplete(f"unit {commit.unit}: batches {[batch.number for batch in ordered]} of {ordered[0].of}")
    samples = {row["sample_id"]: row for row in read_part(store, commit, "samples")}
    texts = {row["text_id"]: row for row in read_part(store, commit, "texts")}
    scores: list[Score] = []
    rejects: list[Reject] = []
    for clip in (clip for batch in ordered for clip in batch.clips):
        sample = samples[clip.sample_id]
        if clip.failure is not None:
            rejects.append(_reject(sample, clip))
        for text in clip.texts:
            scores.extend(_scores(sample, texts[text.text_id], text, scorer.frame_plan))
    return write_scores(
        store, commit, scorer.scoring, ScoringResult(scores, rejects, clip_embeddings(store, commit, scorer))
    )


def clip_embeddings(store: Store, commit: UnitCommit, scorer: ScorerFacts) -> dict[str, NDArray[np.float16]]:
    """Return media_sha256 -> float16 [D], the normalised mean of its frames' embeddings, of a unit's clips."""
    known = ScoreCache(store, scorer.digest).load(cache_groups(store, commit, scorer)).frames
    found = {}
    for media in {row["media_sha256"] for row in read_part(store, commit, "samples")}:
        if (media, scorer.frame_plan) in known:
            mean = known[media, scorer.frame_plan].astype(np.float64).sum(axis=0)
            norm = np.sqrt((mean * mean).sum())
            if norm > 0:
                found[media] = (mean / norm).astype(np.float16)
    return found


def _scores(sample: Row, text: Row, found: TextScore, frame_plan: str) -> list[Score]:
    return [
        Score(
            sample_id=sample["sample_id"],
            text_id=found.text_id,
            source=sample["source"],
            kind=text["kind"],
            media_sha256=sample["media_sha256"],
            frame_plan=frame_plan,
            offset_us=offset_us(text["start_us"], sample["start_us"]),
            aggregation=aggregation,
            score_1e4=score_1e4,
            tokens_cut=found.tokens_cut,
        )
        for aggregation, score_1e4 in found.scores_1e4
    ]


def _reject(sample: Row, clip: ScoredClip) -> Reject:
    return Reject(
        source=sample["source"],
        stage=Stage.SCORE,
        scope=Scope.SAMPLE,
        reason=Reason.SCORE_NOT_FINITE,
        detail=clip.failure or "",
        record_id=sample["record_ids"][0],
        sample_id=clip.sample_id,
        retryable=Reason.SCORE_NOT_FINITE in RETRYABLE,
        attempts=1,
        input=sample["locator"],
    )
