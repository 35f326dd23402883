"""`clipstrata hashes`: the hashes of a benchmark's videos, without a Beam job: benchmarks are small."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from curation.displays import new_display
from curation.duplicates.benchmark_folder import HashedVideo, benchmark_videos, hash_video
from curation.duplicates.benchmarks import write_hashes
from curation.media import CutOutcome, CutTask, MediaSandbox
from schemas.config_file import ConfigError


def hash_folder(folder: Path, out: Path) -> list[HashedVideo]:
    """Write the hashes of all videos under a folder; returns what each came to, also those that gave none.

    Raises:
        ConfigError: there is no such folder, or no video in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"FOLDER is {folder}: there is no such folder; allowed: a folder with a benchmark's videos")
    names = benchmark_videos(folder)
    if not names:
        raise ConfigError(f"FOLDER is {folder}: holds no video; allowed: a folder with videos such as .mp4 or .webm")
    found = []
    with ExitStack() as stack, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        cut, display = _CutByThread(stack), new_display("hashing videos")
        for video in pool.map(lambda name: hash_video(folder, name, cut), names):
            found.append(video)
            display.show(len(found), len(names))
        display.close(0.0)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.tmp")
    temporary.write_bytes(write_hashes(clip for video in found for clip in video.clips))
    temporary.replace(out)
    return found


class _CutByThread:
    """Cuts with a sandbox of the calling thread's own; a sandbox is not to be shared."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._own = threading.local()
        self._lock = threading.Lock()

    def __call__(self, task: CutTask) -> CutOutcome:
        if not hasattr(self._own, "sandbox"):
            with self._lock:
                self._own.sandbox = self._stack.enter_context(MediaSandbox())
        outcome: CutOutcome = self._own.sandbox.cut(task)
        return outcome
