"""Score frames and texts in batches: references in, scores out; only what is not known yet goes through the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curation.media import FramePlan, read_strip
from curation.score_cache import ClipKey, Known, PairScore, ScoreCache, pair_key
from curation.scorers import Scorer
from curation.scoring import AGGREGATIONS, TOP_K, aggregate_cosines, distinct, pair_cosines
from curation.store import Store

# Bounds of one batch. Ours: four full batches of the model, 38 MB of frames at 224 px; in and out, a pickled batch is
# under the 64 kB that may be shuffled, for any texts that TextLimits allows.
MAX_FRAMES = 256
MAX_CLIPS = 64
MAX_PAIRS = 256
MAX_TEXT_BYTES = 24_576
_MAX_CACHE_GROUPS = 16


@dataclass(frozen=True, kw_only=True)
class TextToScore:
    """A text of a clip, without the prompt."""

    text_id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ClipToScore:
    """A sample's clip with its texts; one without any is embedded all the same.

    Attributes:
        media_sha256: of the clip's bytes: what its embedding is known by.
        strip_path: where its score frames lie in the store.
    """

    sample_id: str
    media_sha256: str
    strip_path: str
    texts: tuple[TextToScore, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreBatch:
    """Clips that go through the model together: references, never pixels.

    Attributes:
        unit: what the results are gathered by.
        number, of: this is the batch `number` (from 0) of the unit's `of` batches.
        groups: where the cache is looked into; new results are added to the first.
        repeated: digests of clips that an earlier batch of the unit holds too. Their results are not added from here,
            so that the cache holds the same files whichever batch is done first.
    """

    unit: str
    number: int
    of: int
    groups: tuple[str, ...]
    clips: tuple[ClipToScore, ...]
    repeated: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.clips)


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """Scores of one text: aggregation -> integer of 1e-4, and the tokens that the scorer cut off."""

    text_id: str
    scores_1e4: tuple[tuple[str, int], ...]
    tokens_cut: int


@dataclass(frozen=True, kw_only=True)
class ScoredClip:
    """A sample's scores, or why it has none: then `failure` says it to a person and `texts` is empty."""

    sample_id: str
    texts: tuple[TextScore, ...]
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScoredBatch:
    """Results of a batch, in its order.

    Attributes:
        counts: what was done, for metrics: `frames_embedded`, `texts_embedded`, `clips_known`, `pairs_known`,
            `pairs_scored`, `samples_not_finite`, `segments_damaged`.
    """

    unit: str
    number: int
    of: int
    clips: tuple[ScoredClip, ...]
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class BatchTools:
    """The world as scoring sees it; each part can be a fake.

    Attributes:
        plan: how the strips were made; its size is the scorer's.
        prompt: template around each text, with one `{}`.
        cache: None neither reads nor writes any.
    """

    store: Store
    scorer: Scorer
    plan: FramePlan
    prompt: str = "{}"
    top_k: int = TOP_K
    cache: ScoreCache | None = None


def cut_batches(unit: str, groups: Sequence[str], clips: Iterable[ClipToScore], frames: int) -> list[ScoreBatch]:
    """Return a unit's clips in batches, in their order; a unit without clips is one empty batch.

    Args:
        groups: cache groups; at most 16 count.
        clips: a clip's texts are never split.
        frames: score frames of each clip.
    """
    cut: list[list[ClipToScore]] = [[]]
    for clip in clips:
        if cut[-1] and not _fits([*cut[-1], clip], frames):
            cut.append([])
        cut[-1].append(clip)
    batches = []
    seen: set[str] = set()
    for number, together in enumerate(cut):
        own = {clip.media_sha256 for clip in together}
        batches.append(
            ScoreBatch(
                unit=unit,
                number=number,
                of=len(cut),
                groups=tuple(groups[:_MAX_CACHE_GROUPS]),
                clips=tuple(together),
                repeated=frozenset(own & seen),
            )
        )
        seen |= own
    return batches


def _fits(clips: Sequence[ClipToScore], frames: int) -> bool:
    texts = [text for clip in clips for text in clip.texts]
    text_bytes = sum(len(text.text.encode("utf-8")) for text in texts)
    few_clips = len(clips) <= MAX_CLIPS and len(clips) * frames <= MAX_FRAMES
    return few_clips and len(texts) <= MAX_PAIRS and text_bytes <= MAX_TEXT_BYTES


def score_batches(batches: Iterable[ScoreBatch], tools: BatchTools) -> Iterator[ScoredBatch]:
    """Yield the scores of batches, in their order."""
    for batch in batches:
        yield score_batch(batch, tools)


@dataclass
class _Work:
    """What a batch needs and has."""

    batch: ScoreBatch
    known: Known
    fresh_frames: dict[ClipKey, NDArray[np.float32]] = field(default_factory=dict)
    fresh_pairs: dict[str, PairScore] = field(default_factory=dict)
    texts: dict[str, tuple[NDArray[np.float32], int]] = field(default_factory=dict)


def score_batch(batch: ScoreBatch, tools: BatchTools) -> ScoredBatch:
    """Return the scores of one batch; they are the same bits whether anything of it was known before or not.

    Raises:
        FileNotFoundError: a clip's score frames are not in the store.
        ValueError: they are no strip of the plan.
    """
    groups = batch.groups if tools.cache is not None else ()
    work = _Work(batch=batch, known=tools.cache.load(groups) if tools.cache is not None else Known())
    missing = {clip.sample_id: _missing(clip, work.known, tools) for clip in batch.clips}
    wanting = [clip for clip in batch.clips if missing[clip.sample_id] or _to_keep(clip, work.known, tools)]
    _embed_frames(wanting, work, tools)
    _embed_texts([text for texts in missing.values() for text in texts], work, tools)
    clips = tuple(_scored(clip, missing[clip.sample_id], work, tools) for clip in batch.clips)
    if tools.cache is not None and groups:
        frames = {key: vectors for key, vectors in work.fresh_frames.items() if key[0] not in batch.repeated}
        tools.cache.add(groups[0], frames, work.fresh_pairs)
    counts = {
        "frames_embedded": len(work.fresh_frames) * tools.plan.count,
        "texts_embedded": len(work.texts),
        "clips_known": len({_clip_key(clip, tools) for clip in wanting} - set(work.fresh_frames)),
        "pairs_known": sum(len(clip.texts) - len(missing[clip.sample_id]) for clip in batch.clips),
        "pairs_scored": sum(len(texts) for texts in missing.values()),
        "samples_not_finite": sum(clip.failure is not None for clip in clips),
        "segments_damaged": len(work.known.damaged),
    }
    return ScoredBatch(unit=batch.unit, number=batch.number, of=batch.of, clips=clips, counts=tuple(counts.items()))


def _clip_key(clip: ClipToScore, tools: BatchTools) -> ClipKey:
    return clip.media_sha256, tools.plan.name


def _to_keep(clip: ClipToScore, known: Known, tools: BatchTools) -> bool:
    """Whether the clip's embedding is to be added to the cache: duplicates are looked for in the embeddings there."""
    return tools.cache is not None and _clip_key(clip, tools) not in known.frames


def _prompted(text: TextToScore, tools: BatchTools) -> str:
    return tools.prompt.replace("{}", text.text)


def _pair(clip: ClipToScore, text: TextToScore, tools: BatchTools) -> str:
    return pair_key(_clip_key(clip, tools), _prompted(text, tools), tools.top_k)


def _missing(clip: ClipToScore, known: Known, tools: BatchTools) -> list[TextToScore]:
    """The texts of a clip whose score is not known."""
    return [text for text in clip.texts if _known_pair(clip, text, known.pairs, tools) is None]


def _known_pair(
    clip: ClipToScore, text: TextToScore, pairs: Mapping[str, PairScore], tools: BatchTools
) -> PairScore | None:
    found = pairs.get(_pair(clip, text, tools))
    # An older clipstrata stored fewer aggregations.
    return found if found is not None and tuple(name for name, _ in found.scores_1e4) == AGGREGATIONS else None


def _embed_frames(clips: Sequence[ClipToScore], work: _Work, tools: BatchTools) -> None:
    """Embed the clips whose embedding is not known, each once: two samples may share a clip."""
    plan = tools.plan
    paths = {
        _clip_key(clip, tools): clip.strip_path for clip in clips if _clip_key(clip, tools) not in work.known.frames
    }
    if not paths:
        return
    strips = [read_strip(tools.store.read(path), plan) for path in paths.values()]
    vectors = tools.scorer.embed_frames(np.concatenate(strips))
    for place, key in enumerate(paths):
        work.fresh_frames[key] = vectors[place * plan.count : (place + 1) * plan.count]


def _embed_texts(texts: Sequence[TextToScore], work: _Work, tools: BatchTools) -> None:
    prompts = distinct([_prompted(text, tools) for text in texts])
    if prompts:
        vectors, cut = tools.scorer.embed_texts(prompts), tools.scorer.tokens_cut(prompts)
        work.texts = {prompt: (vectors[row], cut[row]) for row, prompt in enumerate(prompts)}


def _scored(clip: ClipToScore, missing: Sequence[TextToScore], work: _Work, tools: BatchTools) -> ScoredClip:
    fresh: dict[str, PairScore] = {}
    failed = 0
    key = _clip_key(clip, tools)
    for text in missing:
        vector, cut = work.texts[_prompted(text, tools)]
        frames = work.fresh_frames[key] if key in work.fresh_frames else work.known.frames[key]
        cosines = pair_cosines(frames, vector[None, :])
        if not np.isfinite(cosines).all():
            failed += 1
            continue
        scores = aggregate_cosines(cosines, tools.top_k)
        fresh[_pair(clip, text, tools)] = PairScore(
            scores_1e4=tuple((name, int(scores[name][0])) for name in AGGREGATIONS), tokens_cut=cut
        )
    if failed:
        # Counted by text and not by cosine, so that the words do not depend on what was known before.
        detail = f"{failed} of {len(clip.texts)} texts have a cosine that is not finite"
        return ScoredClip(sample_id=clip.sample_id, texts=(), failure=detail)
    if clip.media_sha256 not in work.batch.repeated:
        work.fresh_pairs.update(fresh)
    texts = []
    for text in clip.texts:
        name = _pair(clip, text, tools)
        pair = fresh[name] if name in fresh else work.known.pairs[name]
        texts.append(TextScore(text_id=text.text_id, scores_1e4=pair.scores_1e4, tokens_cut=pair.tokens_cut))
    return ScoredClip(sample_id=clip.sample_id, texts=tuple(texts))
