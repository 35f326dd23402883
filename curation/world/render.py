"""The files of a world: drawn, encoded with one ffmpeg process per video, put into place whole."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from curation.world.draw import draw_clip
from curation.world.factors import seeded
from curation.world.records import FRAME_SIZE_PX, FRAMES_PER_SECOND, World, WorldVideo

log = logging.getLogger(__name__)

GARBAGE_BYTES = 6000
TRUNCATED_SHARE = 0.6
"""How much of a truncated file is left; its index is at the front, so it opens and then runs out."""

_NOT_A_VIDEO = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
_PLAYLIST = (
    b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
    b"#EXTINF:2.0,\nhttps://video.invalid/segment_00000.ts\n#EXT-X-ENDLIST\n"
)
_TIMEOUT_S = 120


class RenderError(RuntimeError):
    """ffmpeg could not encode a video of the world; the message holds the end of what it said."""


def _command(ffmpeg: str, target: Path) -> list[str]:
    """Equal input gives equal bytes: one thread, no version in the file, exact scaling, no CPU-dependent shortcuts."""
    size = f"{FRAME_SIZE_PX}x{FRAME_SIZE_PX}"
    return [
        *(ffmpeg, "-hide_banner", "-loglevel", "error", "-y", "-filter_threads", "1"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(FRAMES_PER_SECOND), "-i", "pipe:0"),
        *("-vf", "scale=flags=accurate_rnd+bitexact+full_chroma_int,format=yuv420p", "-an"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "21", "-g", "30", "-threads", "1"),
        *("-x264-params", "cpu-independent=1:threads=1", "-flags", "+bitexact", "-fflags", "+bitexact"),
        *("-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", str(target)),
    ]


def _encode(video: WorldVideo, target: Path, ffmpeg: str) -> None:
    frames = np.concatenate([draw_clip(clip) for clip in video.clips])
    done = subprocess.run(
        _command(ffmpeg, target), input=frames.tobytes(), capture_output=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace")[-400:]
        raise RenderError(f"ffmpeg ended with {done.returncode} on {video.file_name}: {said or 'no message'}")


def _write_broken(video: WorldVideo, target: Path, ffmpeg: str) -> None:
    if video.broken == "truncated":
        _encode(video, target, ffmpeg)
        os.truncate(target, int(target.stat().st_size * TRUNCATED_SHARE))
        return
    bodies = {
        "empty": b"",
        "text": _NOT_A_VIDEO,
        "playlist": _PLAYLIST,
        "garbage": seeded("garbage", video.file_name).randbytes(GARBAGE_BYTES),
    }
    target.write_bytes(bodies[str(video.broken)])


def render_video(video: WorldVideo, folder: Path, ffmpeg: str) -> None:
    """Write one file of the world: under a temporary name (".<name>.<process>.part") in the folder, then renamed.

    A copy is drawn and encoded again from its own plan: its bytes equal those of its original, which need not be there.
    Raises RenderError when ffmpeg fails, OSError when the folder cannot be written.
    """
    part = folder / f".{video.file_name}.{os.getpid()}.part"
    if video.broken is None:
        _encode(video, part, ffmpeg)
    else:
        _write_broken(video, part, ffmpeg)
    os.replace(part, folder / video.file_name)


def _remove_leftovers(folder: Path) -> None:
    for part in folder.glob(".*.mp4.*.part"):
        part.unlink(missing_ok=True)


def render_world(
    world: World, folder: Path, *, processes: int = 2, on_video: Callable[[WorldVideo], None] | None = None
) -> int:
    """Render the files that are missing and return how many that were.

    processes: ffmpeg processes side by side, from 1.     on_video: called in the caller's thread after each file.
    An interrupt (or an error) leaves whole files and temporary ones; the next call removes the latter and goes on.
    One folder is for one call at a time.
    """
    if processes < 1:
        raise ValueError(f"processes is {processes}; allowed are integers from 1; give 2 for two cores")
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    missing = [video for video in world.videos if not (folder / video.file_name).exists()]
    log.info("rendering %d of %d videos", len(missing), len(world.videos))
    _render_all(missing, folder, processes, on_video)
    return len(missing)


def _render_all(
    videos: Sequence[WorldVideo], folder: Path, processes: int, on_video: Callable[[WorldVideo], None] | None
) -> None:
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    pool = ThreadPoolExecutor(max_workers=processes)
    started = {pool.submit(render_video, video, folder, ffmpeg): video for video in videos}
    try:
        for future in as_completed(started):
            future.result()
            if on_video is not None:
                on_video(started[future])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
