"""The raw frames that the child leaves for the shot detector."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from curation.media.shot_frames import SHOT_FRAME, ShotFrameWriter, read_shot_frames

LEAST_OUTPUT_BYTES = 1_000_000  # `MediaLimits.output_mb` is 1 or more


@pytest.mark.parametrize("count", [0, 1, 256, 257, 600])
def test_frames_come_back_in_their_order_and_the_files_go(tmp_path: Path, count: int) -> None:
    told = np.zeros(count, SHOT_FRAME)
    told["time_us"] = np.arange(count) * 40_000
    told["rgb"] = np.random.default_rng(count).integers(0, 255, (count, 27, 48, 3), dtype=np.uint8)
    writer = ShotFrameWriter(str(tmp_path))
    for frame in told:
        writer.add(int(frame["time_us"]), frame["rgb"])
    writer.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == -(-count // 256)
    assert all(size < LEAST_OUTPUT_BYTES for size in sizes)
    read = [*read_shot_frames(str(tmp_path))]
    assert b"".join(piece.tobytes() for piece in read) == told.tobytes()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size_bytes", [0, 3_895, 3_897, 257 * 3_896])
def test_what_are_no_frames_is_refused(tmp_path: Path, size_bytes: int) -> None:
    (tmp_path / "shots-00000000.rgb").write_bytes(bytes(size_bytes))
    with pytest.raises(ValueError, match=f"is {size_bytes} bytes; 1 to 256 frames"):
        next(read_shot_frames(str(tmp_path)))


def test_a_pipe_in_their_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shots-00000000.rgb")
    with pytest.raises(ValueError, match="is 0 bytes"):
        next(read_shot_frames(str(tmp_path)))
