"""Making test videos with the pinned ffmpeg: a frame's number is written into its pixels, so cut points can be read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np

from curation.media import ffmpeg_build

COUNTER_BITS = 10
BLOCK_PX = 16
WIDTH_PX, HEIGHT_PX = BLOCK_PX * COUNTER_BITS, 96
MIDDLE_LUMA = 128


def run_ffmpeg(*arguments: str) -> None:
    """Run the pinned ffmpeg to make an input for a test."""
    command = [ffmpeg_build().path, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def counter_frame(number: int) -> np.ndarray:
    """Return uint8 [96, 160] luma whose ten columns of blocks are the bits of `number`, the lowest at the left."""
    bits = [(number >> bit) & 1 for bit in range(COUNTER_BITS)]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 215 + 20, BLOCK_PX)
    return np.tile(row, (HEIGHT_PX, 1))


def read_counter(rgb: np.ndarray) -> int:
    """Return the number in a decoded frame: uint8 [H, W, 3] of any size with the same proportions."""
    height, width, _ = rgb.shape
    grey = rgb[height // 4 : 3 * height // 4].mean(axis=(0, 2))
    centres = [int((bit + 0.5) * width / COUNTER_BITS) for bit in range(COUNTER_BITS)]
    return sum(1 << bit for bit, centre in enumerate(centres) if grey[centre] > MIDDLE_LUMA)


def write_counter_video(path: Path, times_ms: list[int], *, container: str = "mp4", gop_frames: int = 250) -> Path:
    """Write an H.264 video with B-frames whose frame n shows n at times_ms[n]; times need not be even."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream("libx264", rate=1000, options={"preset": "medium", "crf": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.gop_size = gop_frames
        for number, time_ms in enumerate(times_ms):
            luma = counter_frame(number)
            chroma = np.full((HEIGHT_PX // 2, WIDTH_PX), 128, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")
            frame.pts = time_ms
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_test_video(path: Path, *, seconds: float = 2.0, size: str = "160x120", extra: tuple[str, ...] = ()) -> Path:
    """Write a moving test picture of 25 fps, H.264 in mp4 with the index in front."""
    source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}"]
    coding = ["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    run_ffmpeg(*source, *coding, *extra, f"file:{path}")
    return path


def write_pictures(path: Path, pictures: list[np.ndarray]) -> Path:
    """Write an H.264 video of 25 fps that shows uint8 [H, W, 3] RGB pictures, one after the other."""
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "18"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return path
