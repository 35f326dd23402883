"""Real videos, whole and broken: each becomes clips that decode or a failure with a reason, within its limits."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from curation.media import CutOutcome, MediaSandbox, decode_clip, read_strip
from schemas.media import ClipFormat, MediaLimits
from tests.curation.media.conftest import PLAN, make_task
from tests.curation.media.peak_memory import PeakMemory

REALPACK = Path(__file__).parents[3].parent / "shared" / "realpack"
MAX_RESIDENT_BYTES = 400_000_000
pytestmark = [
    pytest.mark.skipif(not REALPACK.is_dir(), reason="needs the real videos in ../shared/realpack"),
    pytest.mark.slow,
]


def listed(kind: str) -> list[dict[str, object]]:
    """The rows that describe the files of a folder."""
    lines = (REALPACK / kind / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def check_outcome(outcome: CutOutcome, spans: int) -> None:
    """Every span is accounted for once, and every clip decodes to what was reported of it."""
    indices = [clip.span_index for clip in outcome.clips] + [failure.span_index for failure in outcome.failures]
    assert indices == [None] or sorted(index for index in indices if index is not None) == list(range(spans))
    for clip in outcome.clips:
        frames = list(decode_clip(Path(clip.media_path)))
        assert len(frames) == clip.frames
        assert frames[0].shape == (clip.height_px, clip.width_px, 3)
        assert clip.width_px % 2 == 0 and clip.height_px % 2 == 0
        assert min(clip.width_px, clip.height_px) <= 288
        assert read_strip(Path(clip.strip_path).read_bytes(), PLAN).shape == (8, 64, 64, 3)


@pytest.mark.parametrize("kind", ["clips", "broken"])
def test_every_real_file(kind: str, tmp_path: Path) -> None:
    limits = MediaLimits(wall_s=30, frame_ms=0)
    spans = ((None, None), (0, 1_000_000), (500_000, 1_500_000))
    rows = listed(kind)
    assert rows
    with MediaSandbox() as sandbox:
        sandbox.start()
        assert sandbox.pid is not None
        for number, row in enumerate(rows):
            task = make_task(REALPACK / kind / str(row["file"]), tmp_path / str(number), *spans, limits=limits)
            started = time.monotonic()
            with PeakMemory(sandbox.pid) as memory:
                outcome = sandbox.cut(task)
            assert time.monotonic() - started < limits.wall_s, row["file"]
            assert memory.peak_bytes < MAX_RESIDENT_BYTES, row["file"]
            check_outcome(outcome, len(spans))
            if kind == "clips" and outcome.video is not None:
                assert outcome.video.sha256 == row["sha256"]
            assert kind == "broken" or outcome.clips or row["file"] in short_files(rows), row["file"]


def short_files(rows: list[dict[str, object]]) -> set[object]:
    """Real files whose video is not as long as the shortest allowed clip, by the pack's own description."""
    minimum_s = ClipFormat().min_s + MediaLimits().span_tolerance_s
    return {row["file"] for row in rows if isinstance(row["duration_s"], float) and row["duration_s"] < minimum_s}


def test_real_frame_counts(tmp_path: Path) -> None:
    """A whole video gives the frames that the pack's description counted, where the video is short enough."""
    with MediaSandbox() as sandbox:
        for number, row in enumerate(listed("clips")):
            outcome = sandbox.cut(make_task(REALPACK / "clips" / str(row["file"]), tmp_path / str(number)))
            for clip in outcome.clips:
                assert clip.frames == row["frames_decoded"], row["file"]


def test_bytes_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Two sandboxes, each with its own server, write the same bytes."""
    path = REALPACK / "clips" / str(listed("clips")[0]["file"])
    digests = set()
    for number in range(2):
        with MediaSandbox() as sandbox:
            outcome = sandbox.cut(make_task(path, tmp_path / str(number)))
            digests.add(tuple(clip.media_sha256 for clip in outcome.clips))
    assert len(digests) == 1
