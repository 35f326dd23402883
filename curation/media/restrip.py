"""Score frames of a clip that is stored already: for another frame size, or where the strips were not kept."""

from __future__ import annotations

import io

import numpy as np

from curation.media.strips import uniform_indices, write_strip
from curation.media.tasks import FramePlan


def strip_of_clip(data: bytes, plan: FramePlan) -> bytes:
    """Return the strip of a clip of our own: the bytes that cutting it wrote, or would have written.

    Never give it an original file: that belongs in `MediaSandbox`.

    Raises:
        ValueError: the clip does not decode.
    """
    import av.error  # a quarter of a second that callers with strips never pay

    try:
        squares = _squares(data, plan)
    except av.error.FFmpegError as error:
        raise ValueError(f"the clip does not decode: {error.strerror}") from error
    if len(squares) != plan.count:
        raise ValueError(f"{len(squares)} of {plan.count} score frames decode")
    return write_strip(squares)


def _squares(data: bytes, plan: FramePlan) -> list[np.ndarray]:
    import av

    from curation.media.colours import planes, square_rgb

    squares: list[np.ndarray] = []
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        wanted = uniform_indices(max(1, stream.frames), plan.count)
        for index, frame in enumerate(container.decode(stream)):
            if index in wanted:
                square = square_rgb(planes(frame), frame.colorspace, plan.size_px)
                squares += [square] * wanted.count(index)
    return squares
