"""Which ffmpeg does the work, and what else the bytes of clips and strips depend on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

FFMPEG_ENV = "CLIPSTRATA_FFMPEG"
VERSION_TIMEOUT_S = 20.0
# Instruction sets that x264, swscale and numpy choose between at run time: names as in /proc/cpuinfo.
CPU_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "asimd", "sve")


@dataclass(frozen=True, kw_only=True)
class FfmpegBuild:
    """One ffmpeg binary: its path on this machine, the first line of `-version`, the SHA-256 of the file."""

    path: str
    version: str
    sha256: str


def ffmpeg_path() -> str:
    """Return the path of the ffmpeg to use: CLIPSTRATA_FFMPEG, or the binary inside the imageio-ffmpeg wheel.

    Raises:
        FileNotFoundError: the named file does not exist, or the wheel is missing or carries no binary.
    """
    named = os.environ.get(FFMPEG_ENV)
    if named:
        path = Path(named).absolute()
        if not path.is_file():
            raise FileNotFoundError(f"{FFMPEG_ENV} is {named!r}; allowed: a file; unset it to use the pinned wheel's")
        return str(path)
    return _wheel_binary()


@lru_cache(maxsize=1)
def _wheel_binary() -> str:
    # not imageio_ffmpeg.get_ffmpeg_exe(): it falls back to whatever ffmpeg the system has
    spec = importlib.util.find_spec("imageio_ffmpeg")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(str(path) for folder in folders for path in Path(folder, "binaries").glob("ffmpeg-*"))
    if not found:
        raise FileNotFoundError(f"no ffmpeg: install imageio-ffmpeg from a wheel of this platform, or set {FFMPEG_ENV}")
    return found[0]


def ffmpeg_build() -> FfmpegBuild:
    """Return the build of the ffmpeg in use; the digest of a file is computed once per process.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: the file does not answer `-version`.
    """
    path = ffmpeg_path()
    stat = os.stat(path)
    return _build_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _build_of(path: str, size_bytes: int, mtime_ns: int) -> FfmpegBuild:
    # size and time are only part of the cache key: a replaced file is read again
    with open(path, "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    try:
        done = subprocess.run(
            [path, "-hide_banner", "-version"], capture_output=True, timeout=VERSION_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(
            f"{path} is {size_bytes} bytes of {mtime_ns} and does not answer -version: {error}"
        ) from error
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"{path} answers -version with exit code {done.returncode} and {len(lines)} lines")
    return FfmpegBuild(path=path, version=lines[0], sha256=digest)


def media_fingerprint() -> dict[str, Any]:
    """Return what the bytes of clips and strips depend on besides input and options; no machine path is in it."""
    build = ffmpeg_build()
    return {
        "ffmpeg_version": build.version,
        "ffmpeg_sha256": build.sha256,
        "pyav": importlib.metadata.version("av"),
        "pillow": importlib.metadata.version("pillow"),
        "numpy": importlib.metadata.version("numpy"),
        "machine": platform.machine(),
        "cpu_flags": cpu_flags(),
    }


@lru_cache(maxsize=1)
def cpu_flags() -> list[str]:
    """Return those of CPU_FLAGS that this processor has, in that order; empty where /proc/cpuinfo is not there."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = (line for line in text.splitlines() if line.lower().startswith(("flags", "features")))
    present = set(next(lines, ":").partition(":")[2].split())
    return [flag for flag in CPU_FLAGS if flag in present]
