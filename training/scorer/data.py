"""Training examples: frames drawn in memory and spoilt as encoding would, and texts in every way of writing."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from curation.world.draw import draw_frames
from curation.world.factors import APPEARANCE, Factors, changed, draw_factors, seeded
from curation.world.texts import STYLES, filler
from training.scorer.recipe import IMAGE_SIZE_PX, Recipe

STYLE_WEIGHTS = {
    "caption": 0.3,
    "machine": 0.12,
    "alt": 0.14,
    "tags": 0.1,
    "title": 0.08,
    "vlog": 0.12,
    "howto": 0.08,
    "description": 0.06,
}
"""How often each way of writing is trained on; captions most, because quality is promised for them."""

MOTION_RATE = 0.15
_RESAMPLING = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS, Image.Resampling.BOX)
_NAMES = tuple(APPEARANCE)


@dataclass(frozen=True)
class Pool:
    """frames: uint8 [M, 64, 64, 3] RGB. factors: M records. codes: int8 [M, 5], the appearance values as numbers."""

    frames: NDArray[np.uint8]
    factors: list[Factors]
    codes: NDArray[np.int8]


@dataclass(frozen=True)
class Texts:
    """texts: 2B, first a right one for each clip, then the same with one factor changed. codes: int8 [2B, 5].

    named: bool [2B, 5], which factors count; a filler text has none and fits nothing.
    """

    texts: list[str]
    codes: NDArray[np.int8]
    named: NDArray[np.bool_]


def codes(factors: Sequence[Factors]) -> NDArray[np.int8]:
    """The appearance values as positions in `APPEARANCE`: int8 [N, 5]."""
    rows = [[APPEARANCE[name].index(one.value(name)) for name in _NAMES] for one in factors]
    return np.array(rows, np.int8).reshape(len(factors), len(_NAMES))


def spoil(frame: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """A 96-pixel frame as it might come back from re-encoding: compressed, blurred, cropped, resized to 64 pixels."""
    image = Image.fromarray(frame)
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))
    if rng.random() < 0.7:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=rng.randint(40, 92))
        image = Image.open(packed)
    inset = rng.uniform(0, 4) if rng.random() < 0.5 else 0.0
    box = (inset, inset, image.width - inset, image.height - inset)
    image = image.resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), rng.choice(_RESAMPLING), box=box)
    return np.asarray(image, np.uint8)


def draw_pool(recipe: Recipe, on_clip: Callable[[int], None] | None = None) -> Pool:
    """Two spoilt frames of each of the recipe's clips."""
    frames = np.empty((recipe.clips * 2, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), np.uint8)
    factors: list[Factors] = []
    for number in range(recipe.clips):
        rng = seeded(recipe.seed, "pool", number)
        drawn = draw_factors(rng)
        pair = draw_frames(drawn, rng.getrandbits(48), [rng.random(), rng.random()])
        frames[2 * number], frames[2 * number + 1] = spoil(pair[0], rng), spoil(pair[1], rng)
        factors += [drawn, drawn]
        if on_clip is not None:
            on_clip(number)
    return Pool(frames, factors, codes(factors))


def write_texts(factors: Sequence[Factors], rng: random.Random, filler_share: float) -> Texts:
    """A right text for each clip, and the same sentence with one named appearance factor changed."""
    right: list[str] = []
    wrong: list[str] = []
    told: list[Factors] = []
    untrue: list[Factors] = []
    named = np.zeros((2 * len(factors), len(_NAMES)), np.bool_)
    styles, weights = list(STYLE_WEIGHTS), list(STYLE_WEIGHTS.values())
    for number, one in enumerate(factors):
        style = STYLES[rng.choices(styles, weights)[0]]
        seed, motion = rng.getrandbits(48), rng.random() < MOTION_RATE
        phrase = style(random.Random(seed), one, motion)
        names = [name for name in phrase.names if name in APPEARANCE]
        other = changed(one, rng.choice(names), rng)
        if rng.random() < filler_share:
            phrase, names = filler(rng, one, motion), []
        right.append(phrase.text)
        wrong.append(style(random.Random(seed), other, motion).text)
        told.append(one)
        untrue.append(other)
        named[number] = [name in names for name in _NAMES]
        named[number + len(factors)] = [name in phrase.names or not names for name in _NAMES]
    return Texts(right + wrong, np.concatenate([codes(told), codes(untrue)]), named)


def mismatches(frame_codes: NDArray[np.int8], texts: Texts) -> NDArray[np.int64]:
    """How many of a text's named factors a frame fails: int64 [B, 2B]; 9 for a text that names none."""
    differ = frame_codes[:, None, :] != texts.codes[None, :, :]
    missed: NDArray[np.int64] = (differ & texts.named[None]).sum(axis=2, dtype=np.int64)
    missed[:, ~texts.named.any(axis=1)] = 9
    return missed


def jitter(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mirror, shift and shade, on which no appearance factor hangs. float32 [B, 64, 64, 3], 0-255."""
    batch = frames.astype(np.float32)
    mirrored = rng.random(len(batch)) < 0.5
    batch[mirrored] = batch[mirrored][:, :, ::-1]
    rows, columns = (int(shift) for shift in rng.integers(-4, 5, size=2))
    padded = np.pad(batch, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    batch = padded[:, 4 + rows : 4 + rows + IMAGE_SIZE_PX, 4 + columns : 4 + columns + IMAGE_SIZE_PX]
    batch = batch * rng.uniform(0.94, 1.06, (len(batch), 1, 1, 1)).astype(np.float32)
    batch = batch + rng.uniform(-6, 6, (len(batch), 1, 1, 3)).astype(np.float32)
    return batch.clip(0, 255).astype(np.float32)
