"""The raw pictures that the child leaves for the text finder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from curation.media.text_frames import (
    read_text_frames,
    text_frames_path,
    text_indices,
    text_size_px,
    write_text_frames,
)

SIZES = {
    (512, 288): (512, 288),
    (288, 512): (288, 512),
    (1920, 1080): (512, 288),
    (160, 120): (160, 120),
    (854, 480): (512, 288),
    (16, 256): (16, 256),
}


@pytest.mark.parametrize("size_px", SIZES)
def test_the_shorter_side_is_at_most_288(size_px: tuple[int, int]) -> None:
    assert text_size_px(*size_px) == SIZES[size_px]


@pytest.mark.parametrize(("frames", "expected"), [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (50, [6, 18, 31, 43])])
def test_frames_of_four_equal_parts(frames: int, expected: list[int]) -> None:
    assert text_indices(frames) == expected


def test_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    media = str(tmp_path / "clip.mp4")
    pictures = [np.random.default_rng(seed).integers(0, 255, (120, 160, 3), dtype=np.uint8) for seed in range(3)]
    write_text_frames(media, pictures)
    assert text_frames_path(media) == tmp_path / "clip.rgb"
    assert np.array_equal(read_text_frames(media, 160, 120), np.stack(pictures))


BAD = {
    "nothing": (b"", 16, 16, "0 bytes"),
    "half a picture": (bytes(16 * 16 * 3 + 1), 16, 16, "769 bytes"),
    "five pictures": (bytes(5 * 16 * 16 * 3), 16, 16, "1 to 4 pictures"),
    "a size that no clip has": (bytes(768), 0, 16, "the clip is 0x16 px"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_are_no_pictures_is_refused(case: str, tmp_path: Path) -> None:
    data, width, height, message = BAD[case]
    (tmp_path / "clip.rgb").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_text_frames(str(tmp_path / "clip.mp4"), width, height)


def test_a_pipe_in_their_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.rgb")
    with pytest.raises(ValueError, match="0 bytes"):
        read_text_frames(str(tmp_path / "clip.mp4"), 16, 16)
