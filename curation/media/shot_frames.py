"""A video's frames as TransNetV2 sees them: raw, from the limited child to who started it, in files of a megabyte.

Nothing of the original is in them but the colours of 48 x 27 pixels a frame, so whoever reads them needs no sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHOT_FRAME_PX = (48, 27)
SHOT_FRAME = np.dtype([("time_us", "<i8"), ("rgb", "u1", (27, 48, 3))])
# of one file, which then is smaller than the least that `MediaLimits.output_mb` may be
FRAMES_PER_FILE = 256
PATTERN = "shots-*.rgb"


class ShotFrameWriter:
    """Writes frames, in their order, into as many files as they need; the child's side.

    Args:
        out_dir: an existing folder.
    """

    def __init__(self, out_dir: str) -> None:
        self._folder = Path(out_dir)
        self._frames = np.zeros(FRAMES_PER_FILE, SHOT_FRAME)
        self._held = 0
        self._files = 0

    def add(self, time_us: int, rgb: NDArray[np.uint8]) -> None:
        """Take a frame, uint8 [27, 48, 3], and its time from the first one."""
        self._frames[self._held] = (time_us, rgb)
        self._held += 1
        if self._held == FRAMES_PER_FILE:
            self.close()

    def close(self) -> None:
        """Write what is held."""
        if self._held:
            (self._folder / f"shots-{self._files:08d}.rgb").write_bytes(self._frames[: self._held].tobytes())
            self._files, self._held = self._files + 1, 0


def read_shot_frames(out_dir: str) -> Iterator[NDArray[np.void]]:
    """Yield the frames, SHOT_FRAME, a file at a time, and remove each file.

    Raises:
        ValueError: a file does not hold whole frames.
        OSError: it cannot be read.
    """
    for path in sorted(Path(out_dir).glob(PATTERN)):
        # looked at before it is read: the child may be under a hostile file's rule
        found_bytes = path.stat().st_size
        count, rest = divmod(found_bytes, SHOT_FRAME.itemsize)
        if rest or not 1 <= count <= FRAMES_PER_FILE:
            raise ValueError(f"{path.name} is {found_bytes} bytes; 1 to {FRAMES_PER_FILE} frames are 3,896 each")
        frames = np.fromfile(path, dtype=SHOT_FRAME)
        os.unlink(path)
        yield frames
