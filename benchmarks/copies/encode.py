"""ffmpeg for the planted set: drawn frames to a video, a span of a video to a clip, a clip to a changed copy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.copies.changes import SHORT_SIDE, US_PER_S
from curation.media import ffmpeg_build

# equal input gives equal bytes: one thread, no version in the file, no shortcuts that depend on the processor
_SAME_BYTES = (
    *("-threads", "1", "-x264-params", "cpu-independent=1:threads=1", "-flags", "+bitexact", "-fflags", "+bitexact"),
    *("-map_metadata", "-1", "-an", "-sn", "-pix_fmt", "yuv420p", "-f", "mp4"),
)
_GOP_FRAMES = "60"


@dataclass(frozen=True, kw_only=True)
class Look:
    """Size, rate and length of a clip; the rate as ffmpeg writes it, for example 30000/1001."""

    width_px: int
    height_px: int
    rate: Fraction
    length_us: int


def look_of(path: Path) -> Look:
    """Return what a file's first video stream says of itself."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length_us = round((stream.duration or 0) * (stream.time_base or 0) * US_PER_S)
        rate = Fraction(stream.average_rate or 0)
        return Look(width_px=stream.width, height_px=stream.height, rate=rate, length_us=length_us)


def draw_video(path: Path, frames: Iterable[np.ndarray], fps: int) -> None:
    """Encode drawn frames (uint8 [H, W, 3], all of one size) almost without loss."""
    iterator = iter(frames)
    first = next(iterator)
    height, width, _ = first.shape

    def write(part: Path) -> None:
        command = [ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", "-filter_threads", "1"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "pipe:0"]
        command += ["-vf", "scale=flags=accurate_rnd+bitexact", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"]
        with subprocess.Popen([*command, *_SAME_BYTES, str(part)], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(first.tobytes())
            for frame in iterator:
                process.stdin.write(frame.tobytes())
            process.stdin.close()
        if process.returncode != 0:
            raise RuntimeError(f"ffmpeg ended with {process.returncode} on {path.name}")

    _whole(path, write)


def cut_clip(source: Path, start_us: int, end_us: int, target: Path, crf: int) -> None:
    """Cut a span of a video and scale it to the size of all clips; rates up to 30 stay as they are."""
    inputs = ["-ss", _seconds(start_us), "-t", _seconds(end_us - start_us), "-i", str(source), "-map", "0:v:0"]
    _encode(inputs, ["-vf", f"{SHORT_SIDE},setsar=1,format=yuv420p"], target, crf)


def change_clip(inputs: list[str], graph: str, target: Path, crf: int) -> None:
    """Make a copy: ffmpeg inputs, and a filter graph whose output is called [out]."""
    _encode(inputs, ["-filter_complex", graph, "-map", "[out]"], target, crf)


def _encode(inputs: list[str], filters: list[str], target: Path, crf: int) -> None:
    command = [ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", "-filter_threads", "1", "-threads", "1"]
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf), "-g", _GOP_FRAMES]

    def write(part: Path) -> None:
        done = subprocess.run(
            [*command, *inputs, *filters, *encoder, *_SAME_BYTES, str(part)], capture_output=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"ffmpeg ended with {done.returncode} on {target.name}: {done.stderr.decode()[-400:]}")

    _whole(target, write)


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write under a temporary name first, so that a run that is broken off leaves no half file."""
    part = path.with_name(f".{path.name}.part")
    write(part)
    os.replace(part, path)


def _seconds(time_us: int) -> str:
    return f"{time_us / US_PER_S:.6f}"
