"""Made-up embeddings of any number, correlated as real ones are, with near copies planted among them.

A clip is a topic, plus what is its own inside the topic, plus what all clips share; all three lie mostly in few
directions (standard deviations fall with the power -0.6 of the direction). There are 5,000 topics of unequal sizes and
widths, the same at every number of clips: two random clips have a cosine of 0.2 on average. One clip in ten is a near
copy of another, at a cosine between 0.9 and 0.995, and differs from it in the same few directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 512
TOPICS = 5_000
_BLOCK = 20_000

Hot = Literal["none", "near", "equal"]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class World:
    """A set of embeddings.

    Attributes:
        clips: how many.
        hot: what a fifth of them is: nothing special, one cluster with cosines of about 0.97 between any two, or equal.
    """

    clips: int
    hot: Hot = "none"
    seed: int = 0

    @property
    def name(self) -> str:
        """A name for its files."""
        return f"{self.clips}-{self.hot}-{self.seed}"


def write_world(world: World, path: Path) -> None:
    """Write the embeddings as float16 [clips, 512], unit vectors, row by row."""
    generator = np.random.default_rng(world.seed)
    scale = (1.0 + np.arange(DIMENSIONS)) ** -0.6
    scale = (scale / np.sqrt(np.square(scale).sum())).astype(np.float32)
    basis = np.linalg.qr(generator.standard_normal((DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
    shared = generator.standard_normal(DIMENSIONS).astype(np.float32)
    shared *= 0.6 / np.linalg.norm(shared)
    shares = (10.0 + np.arange(TOPICS)) ** -0.8
    middles = generator.standard_normal((TOPICS, DIMENSIONS), dtype=np.float32) * scale
    widths = generator.uniform(0.55, 1.1, TOPICS).astype(np.float32)
    with path.open("wb") as file:
        for start in range(0, world.clips, _BLOCK):
            count = min(_BLOCK, world.clips - start)
            topic = generator.choice(TOPICS, count, p=shares / shares.sum())
            own = generator.standard_normal((count, DIMENSIONS), dtype=np.float32) * scale
            rows = (middles[topic] + own * widths[topic][:, None]) @ basis.T + shared
            unit(rows).astype(np.float16).tofile(file)
    _plant_copies(np.memmap(path, np.float16, "r+", shape=(world.clips, DIMENSIONS)), scale, basis, generator)
    if world.hot != "none":
        _plant_hot(np.memmap(path, np.float16, "r+", shape=(world.clips, DIMENSIONS)), world.hot, generator)


def unit(rows: Floats) -> Floats:
    """Return rows at length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _plant_copies(vectors: np.memmap, scale: Floats, basis: Floats, generator: np.random.Generator) -> None:
    originals, copies = np.split(generator.permutation(len(vectors))[: len(vectors) // 5], 2)
    size = min(len(originals), len(copies))
    for start in range(0, size, _BLOCK):
        of, to = originals[start : start + _BLOCK][: size - start], copies[start : start + _BLOCK][: size - start]
        rows = unit(vectors[of].astype(np.float32))
        other = (generator.standard_normal((len(of), DIMENSIONS), dtype=np.float32) * scale) @ basis.T
        other = unit(other - (other * rows).sum(axis=1, keepdims=True) * rows)
        cosines = generator.uniform(0.9, 0.995, (len(of), 1)).astype(np.float32)
        vectors[to] = cosines * rows + np.sqrt(1 - np.square(cosines)) * other


def _plant_hot(vectors: np.memmap, hot: Hot, generator: np.random.Generator) -> None:
    middle = vectors[0].astype(np.float32)
    places = np.sort(generator.permutation(len(vectors))[: len(vectors) // 5])
    for start in range(0, len(places), _BLOCK):
        own = places[start : start + _BLOCK]
        spread = generator.standard_normal((len(own), DIMENSIONS), dtype=np.float32) / np.sqrt(DIMENSIONS)
        # Independent noise of length s leaves 1 / (1 + s * s) of the cosine: 0.97.
        vectors[own] = unit(middle + (0.176 if hot == "near" else 0.0) * spread)


def read_world(world: World, path: Path) -> NDArray[np.float16]:
    """Return the embeddings of a file, mapped."""
    return np.memmap(path, np.float16, "r", shape=(world.clips, DIMENSIONS))
