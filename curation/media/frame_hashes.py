"""Hashes of a clip's frames, for finding copies: taken from the frames that checking the clip decodes anyway.

As PDQ (github.com/facebook/ThreatExchange/tree/main/pdq) in kind: 256 signs of low frequencies of the picture at
64 x 64, and a quality that is 0 where there is nothing to see. Other than PDQ, borders are cut off first, the
frequencies are the 256 lowest ones, and a hash is of the mean of a quarter of a second, so that a copy that was cut a
few frames later, or has another frame rate, has nearly the same. Integers and plain C resampling only: the same clip
gives the same bytes on every CPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.media.borders import Box, picture_box
from curation.media.colours import LUMA_STEPS

HASHES_PER_S = 4
MAX_HASHES = 256
HASH_BITS, HASH_BYTES = 256, 32
MOMENTS = 4
"""Moments of a quarter of a second that a hash is the mean of."""
MOMENT_US = 1_000_000 // (HASHES_PER_S * MOMENTS)
KEPT_SIDE_PX = 128
"""Pictures are kept with a shorter side of this or a little more, until the clip's borders are known."""
SIDE_PX = 64
INSET = 1 / 64
"""Share of the picture's sides that is left out all around: what is left of a soft edge would be most of what a slide
on white shows. With nothing left out, or a 48th, fewer copies of the tuning split of benchmarks/copies are found."""
FIXED_POINT = 1 << 14
MAX_QUALITY = 100
# PDQ's: gradients in percent of full scale, rounded to zero so that noise is none, over this.
QUALITY_SCALE = 90

Luma = NDArray[np.uint8]


@dataclass(frozen=True)
class FrameHashes:
    """What a clip's pictures look like, a quarter of a second each, of at most the first 64 seconds.

    Attributes:
        hashes: 32 bytes each; the bit of the lowest frequency is the lowest bit of the first byte.
        quality: a byte each, 0 (flat) to 100.
    """

    hashes: bytes
    quality: bytes


@dataclass
class FrameHashTaker:
    """Takes a clip's frames, one after the other, and hashes them in the end."""

    _pictures: list[Luma] = field(default_factory=list)
    _shown: Luma | None = None
    _first_us: int = 0
    _shown_us: int = 0
    _step_us: int = 1
    _moments: int = 0
    _sum: NDArray[np.uint16] | None = None
    _darkest: Luma | None = None
    _brightest: Luma | None = None

    def add(self, index: int, time_us: int, luma: Luma) -> None:
        """Take a frame.

        Args:
            index: its number in the clip; those of the same clip have one size.
            time_us: of its presentation, larger than that of the frame before.
            luma: uint8 [H, W] of limited range; it may be a view into the decoder's memory.
        """
        if index == 0 or self._shown is None:
            self._shown, self._first_us = np.array(luma, order="C"), time_us
        else:
            self._step_us = time_us - self._shown_us
            self._look(time_us)
            np.copyto(self._shown, luma)
        self._shown_us = time_us

    def hashes(self) -> FrameHashes:
        """Return the hashes of the frames taken; none of none. The last frame is shown as long as the one before."""
        if self._shown is None:
            return FrameHashes(b"", b"")
        self._look(self._shown_us + self._step_us)
        pictures = [*self._pictures]
        if self._sum is not None and len(pictures) < MAX_HASHES:
            pictures.append(_mean(self._sum, self._moments % MOMENTS))
        factor = _factor(self._shown)
        box = self._box(pictures, factor)
        small = np.stack([_squeezed(picture, box, factor) for picture in pictures])
        return FrameHashes(hash_pictures(small).tobytes(), picture_quality(small).tobytes())

    def _box(self, pictures: list[Luma], factor: int) -> Box:
        """Return the picture inside the clip's borders, in its own pixels."""
        assert self._darkest is not None and self._brightest is not None
        height, width = self._darkest.shape
        mean = (np.sum(pictures, axis=0, dtype=np.int64) // len(pictures)).astype(np.uint8)
        whole = mean.repeat(factor, axis=0)[:height].repeat(factor, axis=1)[:, :width]
        return picture_box(self._darkest, self._brightest, whole)

    def _look(self, until_us: int) -> None:
        """Count the frame that is shown for the moments before `until_us`."""
        due = min(-(-(until_us - self._first_us) // MOMENT_US), MAX_HASHES * MOMENTS)
        if self._moments >= due or self._shown is None:
            return
        self._look_at_borders(self._shown)
        picture = np.asarray(Image.fromarray(self._shown).reduce(_factor(self._shown)), dtype=np.uint16)
        while self._moments < due:
            self._sum = picture if self._sum is None else self._sum + picture
            self._moments += 1
            if self._moments % MOMENTS == 0:
                self._pictures.append(_mean(self._sum, MOMENTS))
                self._sum = None

    def _look_at_borders(self, luma: Luma) -> None:
        if self._darkest is None or self._brightest is None:
            self._darkest, self._brightest = luma.copy(), luma.copy()
        np.minimum(self._darkest, luma, out=self._darkest)
        np.maximum(self._brightest, luma, out=self._brightest)


def _factor(luma: Luma) -> int:
    return max(1, min(luma.shape) // KEPT_SIDE_PX)


def _mean(total: NDArray[np.uint16], count: int) -> Luma:
    return ((2 * total + count) // (2 * count)).astype(np.uint8)


def _squeezed(picture: Luma, box: Box, factor: int) -> Luma:
    """Return the part of a picture inside a box of pixels `factor` times smaller, whatever its shape, at 64 x 64."""
    height, width = picture.shape
    aside, above = INSET * (box.right - box.left), INSET * (box.bottom - box.top)
    left, top = (box.left + aside) / factor, (box.top + above) / factor
    right, bottom = (box.right - aside) / factor, (box.bottom - above) / factor
    edges = (left, top, min(right, width), min(bottom, height))
    return np.asarray(Image.fromarray(picture).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, box=edges))


def hash_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the hashes of pictures uint8 [n, 64, 64]: uint8 [n, 32].

    A bit says whether a frequency of the picture is positive. In 64-bit floats that hold whole numbers under 2^53 only,
    whose sums are exact in any order.
    """
    waves = _COSINES @ pictures.astype(np.float64) @ _COSINES.T
    return np.packbits(waves[:, _DOWN, _ACROSS] > 0, axis=1, bitorder="little")


def picture_quality(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much there is to see in pictures uint8 [n, 64, 64] of limited range: uint8 [n], 0 to 100."""
    wide = pictures.astype(np.int16)
    total = np.zeros(len(pictures), dtype=np.int64)
    for axis in (1, 2):
        steps = np.abs(np.diff(wide, axis=axis)) * np.int16(100) // np.int16(LUMA_STEPS)
        total += steps.sum(axis=(1, 2), dtype=np.int64)
    return np.minimum(total // QUALITY_SCALE, MAX_QUALITY).astype(np.uint8)


def _lowest_frequencies() -> tuple[list[int], list[int]]:
    """Return the 256 lowest frequencies (down, across) but that of the mean, the lowest first.

    Low ones are the surer bits, and a part of the hash that holds the lowest ones survives most changes whole.
    """
    places = [(down, across) for down in range(SIDE_PX) for across in range(SIDE_PX) if down + across]
    places.sort(key=lambda place: (sum(place), abs(place[0] - place[1]), place))
    return [down for down, _ in places[:HASH_BITS]], [across for _, across in places[:HASH_BITS]]


_DOWN, _ACROSS = _lowest_frequencies()
_ROWS, _PLACES = np.arange(max(_DOWN + _ACROSS) + 1)[:, None], np.arange(SIDE_PX)[None, :]
_COSINES = np.rint(FIXED_POINT * np.cos(np.pi * _ROWS * (2 * _PLACES + 1) / (2 * SIDE_PX)))
