"""The digest of what a clip shows: equal pictures give equal digests, whatever file holds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


@dataclass
class ContentDigest:
    """SHA-256 over a clip's decoded frames: size, then the planes of each frame, in the order in which they are shown.

    Times, sound and the container have no part in it, so a file that was only packed anew gives the same digest.
    """

    _sum: Any = field(default_factory=hashlib.sha256)

    def add(self, frame: av.VideoFrame) -> None:
        """Take the next frame, as it was decoded."""
        for plane in frame.planes:
            width, height, line = plane.width, plane.height, plane.line_size
            self._sum.update(f"{width}x{height};".encode())
            pixels = memoryview(plane)
            if line == width:
                self._sum.update(pixels[: width * height])
                continue
            # A decoder pads its lines as it likes; only the picture counts.
            for row in range(height):
                self._sum.update(pixels[row * line : row * line + width])

    def hexdigest(self) -> str:
        """Return the digest of the frames taken so far."""
        return str(self._sum.hexdigest())
