"""What looking at finished clips costs, part by part: each is run alone over the same clips, in this process.

The child decodes every clip once to check it, and takes all of these from that one pass; alone, each is timed on frames
that are decoded already.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import av
import numpy as np

from curation.media.colours import luma_view, planes, square_rgb
from curation.media.content import ContentDigest
from curation.media.frame_hashes import FrameHashTaker
from curation.media.signals import SignalTaker
from curation.media.strips import uniform_indices, write_strip

STRIP_FRAMES, STRIP_PX = 8, 224
US_PER_S = 1_000_000
Frames = Sequence[av.VideoFrame]


def _times_us(frames: Frames) -> list[int]:
    return [round((frame.pts or 0) * (frame.time_base or 0) * US_PER_S) for frame in frames]


def digest_content(frames: Frames) -> object:
    """Take the digest of decoded pictures."""
    content = ContentDigest()
    for frame in frames:
        content.add(frame)
    return content.hexdigest()


def hash_frames(frames: Frames) -> object:
    """Take the hashes by which copies are found."""
    taker = FrameHashTaker()
    for index, (frame, time_us) in enumerate(zip(frames, _times_us(frames), strict=True)):
        taker.add(index, time_us, luma_view(frame))
    return taker.hashes()


def take_signals(frames: Frames) -> object:
    """Take motion, cuts, black, static, sharpness and brightness, and the frame hashes among them."""
    taker = SignalTaker(len(frames))
    for index, (frame, time_us) in enumerate(zip(frames, _times_us(frames), strict=True)):
        taker.add(index, time_us, luma_view(frame))
    return taker.signals(has_audio=False)


def take_strip(frames: Frames) -> object:
    """Take the score frames and write them as JPEG."""
    wanted = uniform_indices(len(frames), STRIP_FRAMES)
    squares = [square_rgb(planes(frames[index]), frames[index].colorspace, STRIP_PX) for index in wanted]
    return write_strip(squares)


PARTS: dict[str, Callable[[Frames], object]] = {
    "content digest": digest_content,
    "frame hashes": hash_frames,
    "all signals, frame hashes among them": take_signals,
    "score frames": take_strip,
}


def parts_cpu_s(clips: Iterable[Path], rounds: int = 3) -> dict[str, float]:
    """Return the CPU seconds of decoding the clips, and of each part; the median of rounds."""
    spent: dict[str, list[float]] = {name: [0.0] * rounds for name in ("decoding once more", *PARTS)}
    for path in clips:
        for number in range(rounds):
            begun = time.process_time()
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                stream.thread_count = 1
                frames = list(container.decode(stream))
            spent["decoding once more"][number] += time.process_time() - begun
            for name, part in PARTS.items():
                begun = time.process_time()
                part(frames)
                spent[name][number] += time.process_time() - begun
    return {name: float(statistics.median(np.array(own))) for name, own in spent.items()}
