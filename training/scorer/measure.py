"""What the scorer is worth: a held-out world, rendered to mp4 and decoded back, scored like any other video."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.scorers import Scorer
from curation.world import FACTORS, SOURCES, World, WorldClip, WorldOptions, WorldVideo, plan_world, render_world
from curation.world.factors import changed, seeded
from curation.world.texts import caption

FRAMES_PER_CLIP = 4
STOCK_MOTION_RATE = 0.2
"""As in the clean source of the world."""


@dataclass(frozen=True)
class HeldOut:
    """videos: the readable ones. embedded: for each, float32 [clips, D], the mean frame embedding, L2-normalised."""

    videos: list[WorldVideo]
    embedded: list[NDArray[np.float32]]

    def clips(self) -> Iterable[tuple[WorldVideo, WorldClip, NDArray[np.float32]]]:
        """Each clip with its video and its embedding [D]."""
        for video, vectors in zip(self.videos, self.embedded, strict=True):
            yield from ((video, clip, vector) for clip, vector in zip(video.clips, vectors, strict=True))


def auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """The chance that a right pair scores above a wrong one, ties counting half. ValueError when one side is empty."""
    if not len(right) or not len(wrong):
        raise ValueError(f"{len(right)} right and {len(wrong)} wrong scores; both must be there; use a larger world")
    ordered = np.sort(np.asarray(wrong, np.float64))
    below = np.searchsorted(ordered, right, side="left")
    up_to = np.searchsorted(ordered, right, side="right")
    return float((below + up_to).mean() / 2 / len(ordered))


def clip_frames(video: WorldVideo, path: Path, size_px: int) -> NDArray[np.uint8]:
    """Frames spread over each clip of a file: uint8 [clips * 4, size, size, 3]. ValueError when the file runs out."""
    firsts = np.cumsum([0, *(clip.frames for clip in video.clips)])
    wanted = [
        int(first + (2 * part + 1) * clip.frames / (2 * FRAMES_PER_CLIP))
        for clip, first in zip(video.clips, firsts, strict=False)
        for part in range(FRAMES_PER_CLIP)
    ]
    found: dict[int, NDArray[np.uint8]] = {}
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                image = frame.to_image().resize((size_px, size_px), Image.Resampling.BICUBIC)
                found[number] = np.asarray(image, np.uint8)
    if set(found) != set(wanted):
        raise ValueError(f"{path.name} promises {video.frames} frames and holds fewer; render it again")
    return np.stack([found[number] for number in wanted])


def embed_world(scorer: Scorer, world: World, folder: Path) -> HeldOut:
    """Render what is missing in the folder, decode it, and embed each clip of the readable videos."""
    render_world(world, folder)
    videos = [video for video in world.videos if video.broken is None]
    embedded = []
    for video in videos:
        frames = scorer.embed_frames(clip_frames(video, folder / video.file_name, scorer.image_size))
        means = frames.reshape(len(video.clips), FRAMES_PER_CLIP, -1).mean(axis=1)
        embedded.append(means / np.linalg.norm(means, axis=1, keepdims=True))
    return HeldOut(videos, embedded)


def clean_pairs(scorer: Scorer, held_out: HeldOut) -> dict[str, Any]:
    """Clean captions against the same captions with one named factor changed, uniform among the named ones.

    A changed motion factor cannot be seen in single frames; such negatives are in all the same, and named on their own.
    """
    right_texts, wrong_texts, names, vectors = [], [], [], []
    for video, clip, vector in held_out.clips():
        rng = seeded("clean pairs", video.file_name, clip.start_us)
        seed, motion = rng.getrandbits(48), rng.random() < STOCK_MOTION_RATE
        told = caption(random.Random(seed), clip.factors, motion)
        factor = rng.choice(told.names)
        right_texts.append(told.text)
        wrong_texts.append(caption(random.Random(seed), changed(clip.factors, factor, rng), motion).text)
        names.append(factor)
        vectors.append(vector)
    clips = np.stack(vectors)
    right = (clips * scorer.embed_texts(right_texts)).sum(axis=1)
    wrong = (clips * scorer.embed_texts(wrong_texts)).sum(axis=1)
    by_factor = {}
    for name in FACTORS:
        rows = [row for row, factor in enumerate(names) if factor == name]
        if rows:
            by_factor[name] = {"pairs": len(rows), "auc": _rounded(auc(right, wrong[rows]))}
    summary = {"pairs": len(names), "auc": _rounded(auc(right, wrong)), "auc_by_changed_factor": by_factor}
    return {**summary, "right": _spread(right), "wrong": _spread(wrong)}


def source_pairs(scorer: Scorer, held_out: HeldOut) -> dict[str, Any]:
    """For each source with text: scores of its texts by what they are about, and how well right and wrong part."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    pairs = [(video.source, planned, vector) for video, clip, vector in held_out.clips() for planned in clip.texts]
    texts = scorer.embed_texts([planned.text.text for _, planned, _ in pairs])
    for (source, planned, vector), text in zip(pairs, texts, strict=True):
        scores[source][planned.about].append(float(vector @ text))
    return {source: _source_summary(scores[source]) for source in SOURCES if scores[source]}


def _source_summary(by_about: Mapping[str, list[float]]) -> dict[str, Any]:
    right, wrong = by_about.get("clip", []), by_about.get("other", [])
    summary: dict[str, Any] = {"all": _spread([score for scores in by_about.values() for score in scores])}
    summary["auc_right_over_wrong"] = _rounded(auc(right, wrong)) if right and wrong else None
    return summary | {about: _spread(scores) for about, scores in sorted(by_about.items())}


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _spread(scores: Sequence[float] | NDArray[np.float32]) -> dict[str, float | int]:
    low, middle, high = np.quantile(np.asarray(scores, np.float64), (0.1, 0.5, 0.9))
    mean = float(np.mean(scores))
    return {"count": len(scores)} | {
        name: _rounded(value) for name, value in (("mean", mean), ("p10", low), ("p50", middle), ("p90", high))
    }


def measure(scorer: Scorer, seed: int, clips: int) -> dict[str, Any]:
    """All measurements on the world of that seed, rendered into a temporary folder."""
    world = plan_world(WorldOptions(seed=seed, clips=clips))
    with tempfile.TemporaryDirectory(prefix="clipstrata-held-out-") as folder:
        held_out = embed_world(scorer, world, Path(folder))
    return {
        "digest": scorer.digest,
        "held_out": {"seed": seed, "clips": clips, "frames_per_clip": FRAMES_PER_CLIP},
        "clean_captions": clean_pairs(scorer, held_out),
        "sources": source_pairs(scorer, held_out),
    }
