"""A scorer, score frames and batches by hand, for the tests of scoring in two rooms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from curation.media import FramePlan
from curation.media.strips import write_strip
from curation.score_batches import BatchTools, ClipToScore, TextToScore
from curation.score_cache import ScoreCache
from curation.store import LocalStore

PLAN = FramePlan(count=2, size_px=8)


class CountingScorer:
    """Embeds a text by its hash and a frame by its mean colour, and keeps what it was asked.

    A text with `nan` in it and a frame that is all white have no embedding. A text is cut after ten words.
    """

    name = "counting"
    digest = "c0" * 32
    image_size = 8

    def __init__(self) -> None:
        self.frames_seen = 0
        self.texts_seen: list[str] = []

    def embed_frames(self, frames: np.ndarray) -> np.ndarray:
        assert frames.shape[1:] == (8, 8, 3)
        self.frames_seen += len(frames)
        vectors = np.stack([_unit(f"{frame.mean():.0f}") for frame in frames])
        vectors[frames.min(axis=(1, 2, 3)) == 255] = np.nan
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.texts_seen += texts
        vectors = np.stack([_unit(text) for text in texts])
        vectors[["nan" in text for text in texts]] = np.nan
        return vectors

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        return [max(0, len(text.split()) - 10) for text in texts]


def _unit(seed: str) -> np.ndarray:
    raw = np.frombuffer(hashlib.sha256(seed.encode()).digest(), np.uint8).astype(np.float32) - 127.5
    return raw / np.linalg.norm(raw)


def clip(store: LocalStore, name: str, texts: Sequence[str]) -> ClipToScore:
    """Return a clip with its strip in the store; the first character of its digest gives the shade of its frames."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    path = f"frames/{name}.jpg"
    shade = 2 * ord(digest[0])
    store.write(path, write_strip([np.full((8, 8, 3), shade - 9 * half, np.uint8) for half in (0, 1)]))
    return ClipToScore(
        sample_id=f"sample-{name}",
        media_sha256=digest,
        strip_path=path,
        texts=tuple(TextToScore(text_id=f"{name}-{place}", text=text) for place, text in enumerate(texts)),
    )


def tools(store: LocalStore, scorer: CountingScorer, *, cached: bool = True, prompt: str = "{}") -> BatchTools:
    """Return the tools of a batch over a fake scorer."""
    cache = ScoreCache(store, scorer.digest) if cached else None
    return BatchTools(store=store, scorer=scorer, plan=PLAN, prompt=prompt, cache=cache)
