"""Where a video's shots begin, by PySceneDetect's content detector. Only the limited child calls it."""

from __future__ import annotations

from fractions import Fraction

import av
import av.error
import numpy as np

from curation.media.probe import US_PER_S, Probe, opened_video
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
    try:
        with opened_video(source, limits) as (container, stream):
            stream.thread_count = 1
            for number, frame in enumerate(container.decode(stream)):
                times_us.append(_time_us(frame, times_us, video))
                cuts += detector.process_frame(FrameTimecode(number, _NUMBERED), _picture(frame))
    except av.error.FFmpegError as error:
        raise MediaError(Reason.BAD_CONTAINER, f"looking for shots: {error.strerror}") from error
    if times_us:
        cuts += detector.post_process(FrameTimecode(len(times_us) - 1, _NUMBERED))
    first = times_us[0] if times_us else 0
    return sorted({times_us[cut.frame_num] - first for cut in cuts})


def _time_us(frame: av.VideoFrame, before: list[int], video: Probe) -> int:
    if frame.pts is None:
        return before[-1] + 1 if before else 0
    return round(frame.pts * video.time_base * US_PER_S)


def _picture(frame: av.VideoFrame) -> np.ndarray:
    """Return uint8 [H, W, 3] BGR, at most WIDTH_PX wide."""
    width = min(WIDTH_PX, frame.width)
    height = max(2, round(frame.height * width / frame.width))
    return frame.reformat(width=width, height=height, format="bgr24").to_ndarray()
