"""Measure the cost of one small video in a warm sandbox: `python -m tests.curation.media.measure`."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from curation.media import CutOutcome, MediaSandbox
from schemas.media import ClipFormat
from tests.curation.media.conftest import make_task
from tests.curation.media.make import write_test_video

VIDEOS = 40
SPANS = tuple((second * 1_000_000, (second + 2) * 1_000_000) for second in range(0, 12, 2))


def summary(outcomes: list[CutOutcome]) -> dict[str, float]:
    """Medians in milliseconds, and the fastest call."""
    return {
        "wall_ms": statistics.median(outcome.wall_us for outcome in outcomes) / 1000,
        "fastest_wall_ms": min(outcome.wall_us for outcome in outcomes) / 1000,
        "child_cpu_ms": statistics.median(outcome.child_cpu_us for outcome in outcomes) / 1000,
        "ffmpeg_cpu_ms": statistics.median(outcome.ffmpeg_cpu_us for outcome in outcomes) / 1000,
    }


def main() -> None:
    """Cut a 12 s video of 96 lines into six spans of 2 s, many times over."""
    with tempfile.TemporaryDirectory() as folder, MediaSandbox() as sandbox:
        video = write_test_video(Path(folder, "video.mp4"), seconds=12, size="128x96")
        clip = ClipFormat(short_side_px=96)
        sandbox.cut(make_task(video, Path(folder, "warm"), *SPANS, clip=clip))
        outcomes = [
            sandbox.cut(make_task(video, Path(folder, f"out{number}"), *SPANS, clip=clip)) for number in range(VIDEOS)
        ]
    sys.stdout.write(json.dumps(summary(outcomes), indent=1) + "\n")


if __name__ == "__main__":
    main()
