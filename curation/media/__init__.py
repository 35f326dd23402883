"""Everything that touches media: cutting hostile originals in a sandbox, and decoding clips of our own.

Importing it is cheap: neither PyAV nor ffmpeg-python is loaded in the calling process until a clip is decoded there.
"""

from curation.media.build import FfmpegBuild, ffmpeg_build, media_fingerprint
from curation.media.clip_reader import decode_clip, decode_clip_timed
from curation.media.restrip import strip_of_clip
from curation.media.sandbox import MediaSandbox
from curation.media.strips import read_strip
from curation.media.tasks import CutClip, CutFailure, CutOutcome, CutTask, FramePlan, VideoFacts

__all__ = [
    "CutClip",
    "CutFailure",
    "CutOutcome",
    "CutTask",
    "FfmpegBuild",
    "FramePlan",
    "MediaSandbox",
    "VideoFacts",
    "decode_clip",
    "decode_clip_timed",
    "ffmpeg_build",
    "media_fingerprint",
    "read_strip",
    "strip_of_clip",
]
