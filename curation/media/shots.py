"""Where a video's shots begin, by PySceneDetect's content detector, and its frames for a network that finds them.

Only the limited child calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import numpy as np

from curation.media.probe import US_PER_S, Probe, opened_video
from curation.media.shot_frames import SHOT_FRAME_PX, ShotFrameWriter
from curation.media.source_file import SourceFile
from curation.media.tasks import MediaError
from schemas.media import MediaLimits
from schemas.reasons import Reason

# The detector compares means over the whole frame: a small picture says the same for less work.
WIDTH_PX = 128
# A nominal rate: frames are told apart by number, and their times are taken from the video.
_NUMBERED = Fraction(25)


def find_shots(source: SourceFile, video: Probe, limits: MediaLimits, threshold: float) -> list[int]:
    """Return the times of the frames that begin a new shot, in microseconds from the first frame; the first not.

    Args:
        threshold: of PySceneDetect's ContentDetector; its default is 27.

    Raises:
        MediaError: the video does not decode.
    """
    from scenedetect import FrameTimecode  # half a second that only who asks for shots pays
    from scenedetect.detectors import ContentDetector

    detector = ContentDetector(threshold=threshold)
    times_us: list[int] = []
    cuts: list[FrameTimecode] = []
    for number, frame in enumerate(_decoded(source, limits)):
        times_us.append(_time_us(frame, times_us, video))
        cuts += detector.process_frame(FrameTimecode(number, _NUMBERED), _picture(frame))
    if times_us:
        cuts += detector.post_process(FrameTimecode(len(times_us) - 1, _NUMBERED))
    first = times_us[0] if times_us else 0
    return sorted({times_us[cut.frame_num] - first for cut in cuts})


def leave_shot_frames(source: SourceFile, video: Probe, limits: MediaLimits, out_dir: str) -> None:
    """Write every frame of the video, as small as TransNetV2 sees it, with its time.

    Raises:
        MediaError: the video does not decode.
    """
    width, height = SHOT_FRAME_PX
    writer = ShotFrameWriter(out_dir)
    times_us: list[int] = []
    for frame in _decoded(source, limits):
        times_us.append(_time_us(frame, times_us, video))
        # as the network's authors have it: by ffmpeg, which scales bicubic
        small = frame.reformat(width=width, height=height, format="rgb24", interpolation="BICUBIC")
        writer.add(times_us[-1] - times_us[0], np.asarray(small.to_ndarray(), np.uint8))
    writer.close()


def _decoded(source: SourceFile, limits: MediaLimits) -> Iterator[av.VideoFrame]:
    try:
        with opened_video(source, limits) as (container, stream):
            stream.thread_count = 1
            yield from container.decode(stream)
    except av.error.FFmpegError as error:
        raise MediaError(Reason.BAD_CONTAINER, f"looking for shots: {error.strerror}") from error


def _time_us(frame: av.VideoFrame, before: list[int], video: Probe) -> int:
    if frame.pts is None:
        return before[-1] + 1 if before else 0
    return round(frame.pts * video.time_base * US_PER_S)


def _picture(frame: av.VideoFrame) -> np.ndarray:
    """Return uint8 [H, W, 3] BGR, at most WIDTH_PX wide."""
    width = min(WIDTH_PX, frame.width)
    height = max(2, round(frame.height * width / frame.width))
    return frame.reformat(width=width, height=height, format="bgr24").to_ndarray()
