"""The clips of a benchmark's folder, cut and hashed as a corpus's are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curation.duplicates.benchmarks import HashedClip
from curation.media import CutFailure, CutOutcome, CutTask, FramePlan
from schemas.media import ClipFormat, Cutting, MediaLimits

MEDIA_SUFFIXES = frozenset(
    {".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".3gp", ".ogv", ".gif"}
)
# No score is taken of a benchmark's clips: the smallest strip.
_FRAMES = FramePlan(count=1, size_px=16)
Cut = Callable[[CutTask], CutOutcome]


@dataclass(frozen=True, kw_only=True)
class HashedVideo:
    """What one video came to: clips, and why parts of it gave none."""

    name: str
    clips: tuple[HashedClip, ...]
    failures: tuple[CutFailure, ...]


def benchmark_videos(folder: Path) -> list[str]:
    """Return the videos under a folder by their path inside it, sorted; links to folders are not followed."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in MEDIA_SUFFIXES and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def hash_video(folder: Path, name: str, cut: Cut) -> HashedVideo:
    """Return what one video of a folder came to. It is hashed whole; one longer than a clip may be is split.

    Args:
        cut: of `MediaSandbox`.
    """
    with tempfile.TemporaryDirectory(prefix="clipstrata-hashes-") as out:
        task = CutTask(
            path=str(folder / name),
            spans=((None, None),),
            out_dir=out,
            clip=ClipFormat(),
            limits=MediaLimits(),
            frames=_FRAMES,
            cutting=Cutting(long_spans="split"),
        )
        outcome = cut(task)
    clips = sorted(outcome.clips, key=lambda clip: clip.made_us or (0, 0))
    hashed = [
        HashedClip(
            clip=f"{name}#{place}" if place else name,
            duration_us=clip.duration_us,
            content_sha256=clip.content_sha256,
            frame_hashes=bytes.fromhex(clip.signals.frame_hashes),
            hash_quality=bytes.fromhex(clip.signals.hash_quality),
        )
        for place, clip in enumerate(clips)
    ]
    return HashedVideo(name=name, clips=tuple(hashed), failures=outcome.failures)
