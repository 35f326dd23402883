"""Changes of a clip that leave its motion what it was: one window, one mirror and one colour for all its frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.batches import ClipBatch, random_words

# Words whose meaning a mirror turns round.
DIRECTED = re.compile(
    r"\b(left|right|(left|right)[- ]?(hand|hander|handed|ward|wards|most)|(anti|counter)?[- ]?clockwise|"
    r"east|west|east(ern|ward|wards)|west(ern|ward|wards))\b",
    re.IGNORECASE,
)
# Rec. 601, by which greys are taken for contrast and saturation.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
NARROWEST = 3 / 4  # of a window, and its inverse the widest: as Inception's crops (arXiv 1409.4842, section 6)


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """How much clips are changed; the defaults change nothing. The VideoPrism paper states none.

    Attributes:
        crop: the smallest part of a frame's area that a window keeps, in (0, 1]; it is resized to the whole frame.
        flip: the chance of a mirror, left for right, in [0, 1].
        colour: how far brightness, contrast and saturation may go from 1, in [0, 1).
        directed_sources: sources whose clips are never mirrored. Nor are clips whose text names a direction.
    """

    crop: float = 1.0
    flip: float = 0.0
    colour: float = 0.0
    directed_sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop is {self.crop}; allowed: above 0, to 1; give such a part")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip is {self.flip}; allowed: 0 to 1; give such a chance")
        if not 0 <= self.colour < 1:
            raise ValueError(f"colour is {self.colour}; allowed: 0 up to but not 1; give such a distance")

    @property
    def changes_nothing(self) -> bool:
        """Whether clips stay as they are."""
        return self.crop == 1 and not self.flip and not self.colour


def names_direction(text: str | None) -> bool:
    """Return whether a text says something that a mirror would make wrong."""
    return text is not None and DIRECTED.search(text) is not None


def augmented(batch: ClipBatch, options: AugmentOptions, seed: int) -> ClipBatch:
    """Return a batch with changed frames; what becomes of a clip hangs on seed, step and key, not on its neighbours."""
    if options.changes_nothing:
        return batch
    frames = np.empty_like(batch.frames)
    for row, key in enumerate(batch.keys):
        draws = random_words(8, "augment", seed, batch.step, key) / 2.0**64
        may_flip = batch.source not in options.directed_sources and not names_direction(batch.texts[row])
        frames[row] = _changed(batch.frames[row], options, [float(draw) for draw in draws], may_flip)
    return batch.with_frames(frames)


def _changed(
    clip: NDArray[np.uint8], options: AugmentOptions, draws: Sequence[float], may_flip: bool
) -> NDArray[np.uint8]:
    """Change one clip: uint8 [T, S, S, 3] -> the same.

    Args:
        draws: eight numbers in [0, 1): two of the window's size, two of its place, one of the mirror, three of colour.
    """
    if options.crop < 1:
        clip = _resized(clip, window(clip.shape[1], options.crop, draws[:4]))
    if may_flip and draws[4] < options.flip:
        clip = clip[:, :, ::-1]
    if options.colour:
        clip = _coloured(clip, [1 + options.colour * (2 * draw - 1) for draw in draws[5:]])
    return clip


def window(side: int, smallest: float, draws: Sequence[float]) -> tuple[int, int, int, int]:
    """Return a window as left, top, right, bottom, inside a square.

    Args:
        smallest: part of the area.
        draws: four numbers in [0, 1): area, aspect ratio, place across, place down.
    """
    area = (smallest + (1 - smallest) * draws[0]) * side * side
    # Even in its logarithm, so that narrow is as frequent as wide.
    aspect = NARROWEST ** (1 - 2 * draws[1])
    width = min(side, max(1, round((area * aspect) ** 0.5)))
    height = min(side, max(1, round((area / aspect) ** 0.5)))
    left, top = int(draws[2] * (side - width + 1)), int(draws[3] * (side - height + 1))
    return left, top, left + width, top + height


def _resized(clip: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    size = (clip.shape[2], clip.shape[1])
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR, box)) for frame in clip])


def _coloured(clip: NDArray[np.uint8], factors: Sequence[float]) -> NDArray[np.uint8]:
    """Scale brightness, contrast around the clip's mean grey, and saturation around each pixel's grey."""
    bright, contrast, saturation = factors
    found = clip.astype(np.float32) * np.float32(bright)
    found = (found - (found @ LUMA).mean()) * np.float32(contrast) + (found @ LUMA).mean()
    grey = (found @ LUMA)[..., None]
    found = grey + (found - grey) * np.float32(saturation)
    return np.asarray(np.clip(np.rint(found), 0, 255), np.uint8)
