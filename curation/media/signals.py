"""Signals of a clip, taken from the frames that checking it decodes anyway; `schemas.records.Signals` defines them.

All in integers and plain C resampling: the same clip gives the same numbers on every CPU.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.media.colours import LUMA_STEPS, full_scale_luma
from curation.media.frame_hashes import FrameHashTaker
from curation.media.strips import uniform_indices
from schemas.records import Signals

SIGNAL_FRAMES = 8
BLACK_LUMA = 16.0
STATIC_DIFFERENCE = 0.5
ONE_1E4 = 10_000
# A hard cut changes a frame by this share of full scale, and several times more than frames near it change. Ours: tried
# on spliced films and on flashes, pans and noise (tests).
CUT_DIFFERENCE = 0.08
CUT_OVER_NEIGHBOURS = 3.0
CUT_NEIGHBOURS = 2
MAX_CUTS = 32
# Frames are compared on a grid of about this many samples a side.
GRID_SAMPLES = 48
# Block motion: blocks of a small picture are looked for around their place in a frame a little later.
FLOW_SIDE_PX, FLOW_BLOCK_PX, FLOW_REACH_PX, FLOW_STEP_FRAMES = 48, 8, 3, 4
# A block counts as moved only where that fits this much better, in mean luma: noise is no motion.
FLOW_GAIN = 2.0
US_PER_S = 1_000_000

Luma = NDArray[np.uint8]


@dataclass
class SignalTaker:
    """Takes what signals need of a clip's frames, one after the other.

    Args:
        frames: how many the clip holds.
    """

    frames: int
    sampled: list[Luma] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    times_us: list[int] = field(default_factory=list)
    _before: NDArray[np.int16] | None = None
    _small: dict[int, NDArray[np.int16]] = field(default_factory=dict)
    _hashes: FrameHashTaker = field(default_factory=FrameHashTaker)

    def __post_init__(self) -> None:
        self._indices = uniform_indices(max(1, self.frames), min(SIGNAL_FRAMES, max(1, self.frames)))
        self._wanted = {other for index in self._indices for other in (index, index + FLOW_STEP_FRAMES)}

    def add(self, index: int, time_us: int, luma: Luma) -> None:
        """Take a frame.

        Args:
            time_us: of its presentation.
            luma: uint8 [H, W] of limited range; it may be a view into the decoder's memory.
        """
        rows, columns = (max(1, side // GRID_SAMPLES) for side in luma.shape)
        grid = luma[rows // 2 :: rows, columns // 2 :: columns].astype(np.int16)
        if self._before is not None:
            self.differences.append(float(np.abs(grid - self._before).mean()) / LUMA_STEPS)
        self._before = grid
        self.times_us.append(time_us)
        self._hashes.add(index, time_us, luma)
        if index in self._wanted:
            self._small[index] = _flow_picture(luma)
        if index in self._indices:
            self.sampled.append(full_scale_luma(luma))

    def signals(self, *, has_audio: bool) -> Signals:
        """Return the signals of the frames taken, at least one.

        A single frame has no neighbour: nothing moves in it, so it counts as static with no motion.
        """
        means = [float(luma.mean()) for luma in self.sampled]
        steps = [
            float(np.abs(after.astype(np.int16) - before.astype(np.int16)).mean())
            for before, after in itertools.pairwise(self.sampled)
        ]
        hashes = self._hashes.hashes()
        black = sum(mean < BLACK_LUMA for mean in means)
        static = sum(step < STATIC_DIFFERENCE for step in steps)
        return Signals(
            black_share_1e4=round(ONE_1E4 * black / len(means)),
            static_share_1e4=round(ONE_1E4 * static / len(steps)) if steps else ONE_1E4,
            motion_1e4=round(ONE_1E4 * sum(steps) / (255 * len(steps))) if steps else 0,
            brightness_1e4=round(ONE_1E4 * sum(means) / (255 * len(means))),
            flow_1e4=self._flow_1e4(),
            sharpness_1e2=round(100 * sum(map(sharpness, self.sampled)) / len(self.sampled)),
            cuts_us=self._cuts_us(),
            has_audio=has_audio,
            frame_hashes=hashes.hashes.hex(),
            hash_quality=hashes.quality.hex(),
        )

    def _cuts_us(self) -> tuple[int, ...]:
        places = hard_cuts(self.differences)[:MAX_CUTS]
        return tuple(self.times_us[place + 1] - self.times_us[0] for place in places)

    def _flow_1e4(self) -> int:
        speeds = []
        for index in self._indices:
            later = index + FLOW_STEP_FRAMES
            if later in self._small and index in self._small:
                seconds = (self.times_us[later] - self.times_us[index]) / US_PER_S
                speeds.append(block_motion(self._small[index], self._small[later]) / max(seconds, 1e-3))
        return round(ONE_1E4 * sum(speeds) / len(speeds)) if speeds else 0


def hard_cuts(differences: list[float]) -> list[int]:
    """Return the places in a list of frame-to-frame differences (shares of full scale) that are hard cuts.

    A flash changes two neighbouring frames alike, and a pan all of them: neither stands out from its neighbours.
    """
    found = []
    for place, difference in enumerate(differences):
        near = differences[max(0, place - CUT_NEIGHBOURS) : place] + differences[place + 1 : place + 1 + CUT_NEIGHBOURS]
        if difference >= CUT_DIFFERENCE and difference >= CUT_OVER_NEIGHBOURS * max(near, default=0.0):
            found.append(place)
    return found


def sharpness(luma: Luma) -> float:
    """Return the variance of the Laplacian (4 neighbours) of a full-scale picture; 0 for one without inner pixels."""
    if min(luma.shape) < 3:
        return 0.0
    wide = luma.astype(np.int16)
    ring = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    laplacian = (ring - 4 * wide[1:-1, 1:-1]).astype(np.int64)
    count, total, squares = laplacian.size, int(laplacian.sum()), int((laplacian * laplacian).sum())
    return (squares * count - total * total) / (count * count)


def _flow_picture(luma: Luma) -> NDArray[np.int16]:
    height, width = luma.shape
    scale = FLOW_SIDE_PX / min(height, width)
    size = (max(FLOW_BLOCK_PX, round(width * scale)), max(FLOW_BLOCK_PX, round(height * scale)))
    image = Image.fromarray(np.ascontiguousarray(luma)).resize(size, Image.Resampling.BOX)
    return np.asarray(image).astype(np.int16)


def block_motion(before: NDArray[np.int16], after: NDArray[np.int16]) -> float:
    """Return how far the blocks of a small picture moved on average, as a share of its shorter side.

    Each block of 8 px is looked for within 3 px; the nearest of equally good places counts.
    """
    down, across = (side // FLOW_BLOCK_PX for side in before.shape)
    before = before[: down * FLOW_BLOCK_PX, : across * FLOW_BLOCK_PX]
    height, width = before.shape
    around = np.pad(after[:height, :width], FLOW_REACH_PX, mode="edge")
    best = np.full((down, across), np.iinfo(np.int64).max, np.int64)
    moved = np.zeros((down, across), np.float64)
    gain = round(FLOW_GAIN * FLOW_BLOCK_PX * FLOW_BLOCK_PX)
    for distance, row, column in _SHIFTS:
        shifted = around[FLOW_REACH_PX + row :, FLOW_REACH_PX + column :][:height, :width]
        blocks = np.abs(shifted - before).reshape(down, FLOW_BLOCK_PX, across, FLOW_BLOCK_PX)
        errors = blocks.sum(axis=(1, 3), dtype=np.int64) + (gain if distance else 0)
        better = errors < best
        best[better] = errors[better]
        moved[better] = distance
    return float(moved.mean()) / min(height, width)


_REACH = range(-FLOW_REACH_PX, FLOW_REACH_PX + 1)
_SHIFTS = sorted((math.hypot(row, column), row, column) for row in _REACH for column in _REACH)
