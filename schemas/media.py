"""Limits on hostile media and the format of the clips that come out: parts of the corpus config."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MediaLimits(BaseModel):
    """What one video may cost the limited child, and what it may be.

    Attributes:
        wall_s: deadline for one video before the asked work is counted; at the deadline the process group is killed.
        cpu_s: CPU seconds of each process of the child (RLIMIT_CPU), before the asked work is counted.
        frame_ms: added to both for every frame that the container promises and that is to be decoded, and for every
            frame of a clip; for a frame larger than 1280 x 720 more in proportion.
        max_wall_s: the most that either may become by that.
        memory_mb: resident memory of the child's process group.
        output_mb: size of one written file (RLIMIT_FSIZE).
        max_file_mb: size of the original file.
        max_pixels: pixels of one frame; 33,177,600 is 8K UHD (7680 x 4320).
        max_duration_s: length of the original video.
        span_tolerance_s: how far a span may reach past the end, and how much of a clip may be missing.
        leading_dash: what becomes of a file whose name starts with `-`, which careless tools take for an option.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_s: float = Field(default=60.0, gt=0, le=86_400)
    cpu_s: int = Field(default=120, ge=1, le=86_400)
    frame_ms: float = Field(default=20.0, ge=0.0, le=10_000.0)
    max_wall_s: float = Field(default=7_200.0, gt=0, le=604_800)
    memory_mb: int = Field(default=1024, ge=128, le=65_536)
    output_mb: int = Field(default=512, ge=1, le=65_536)
    max_file_mb: int = Field(default=4096, ge=1, le=1_048_576)
    max_pixels: int = Field(default=33_177_600, ge=256, le=1_000_000_000)
    max_duration_s: float = Field(default=14_400.0, gt=0, le=604_800)
    span_tolerance_s: float = Field(default=0.25, ge=0.0, le=60.0)
    leading_dash: Literal["reject", "accept"] = "accept"


class SignalOptions(BaseModel):
    """Which signals are measured beyond those that every clip has.

    Attributes:
        text_area: how much of the picture is covered by text; needs the extra `ocr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_area: bool = False


class Cutting(BaseModel):
    """Where clips begin and end when the source does not say, or says more than a clip may hold.

    Attributes:
        no_span: what becomes of a record without a span: the `whole` video, its `shots`, or fixed `windows`.
        window_s, stride_s: length of a window, and from the start of one to the start of the next.
        shot_detector: PySceneDetect's `content` detector, which compares neighbouring frames and so finds hard cuts; or
            `transnetv2`, a network (arXiv 2008.04838) that finds dissolves too, for more work and with the extra
            `transnet`.
        shot_threshold: of the content detector; higher finds fewer shots.
        shot_probability: of TransNetV2: a frame is a transition where the network says more; 0.5 is the paper's.
        long_spans: a span longer than a clip may be is a reject, or is split into equal parts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    no_span: Literal["whole", "shots", "windows"] = "whole"
    window_s: float = Field(default=10.0, gt=0, le=3600)
    stride_s: float = Field(default=10.0, gt=0, le=3600)
    shot_detector: Literal["content", "transnetv2"] = "content"
    shot_threshold: float = Field(default=27.0, gt=0, le=255)
    shot_probability: float = Field(default=0.5, gt=0.0, lt=1.0)
    long_spans: Literal["reject", "split"] = "reject"

    @property
    def by_model(self) -> bool:
        """Whether a network finds the shots."""
        return self.no_span == "shots" and self.shot_detector == "transnetv2"


class ClipFormat(BaseModel):
    """How clips are re-encoded: H.264 in mp4, yuv420p, square pixels, upright.

    Attributes:
        short_side_px: the shorter side after scaling (even); a smaller video is not enlarged.
        fps: constant frame rate; None keeps the video's own frames and times.
        crf: x264's constant rate factor.
        gop_frames: most frames between key frames.
        audio: `none`, or the first audio stream as `aac`, stereo at 48 kHz and 96 kbit/s, in step with the picture.
        min_s, max_s: allowed length of a clip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    short_side_px: int = Field(default=288, ge=16, le=4320, multiple_of=2)
    fps: int | None = Field(default=None, ge=1, le=240)
    crf: int = Field(default=23, ge=0, le=51)
    gop_frames: int = Field(default=48, ge=1, le=1000)
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"] = "veryfast"
    audio: Literal["none", "aac"] = "none"
    min_s: float = Field(default=0.3, ge=0.0, le=3600)
    max_s: float = Field(default=60.0, gt=0.0, le=3600)

    @model_validator(mode="after")
    def _ordered(self) -> ClipFormat:
        if self.min_s > self.max_s:
            raise ValueError(f"min_s is {self.min_s} and max_s is {self.max_s}; allowed: min_s <= max_s; swap them")
        return self
