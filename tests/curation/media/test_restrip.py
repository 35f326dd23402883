"""Score frames made again from the stored clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.media import FramePlan, read_strip, strip_of_clip
from tests.curation.media.conftest import PLAN, Cut
from tests.curation.media.make import write_test_video


@pytest.fixture
def strips(cut: Cut, tmp_path: Path) -> tuple[bytes, bytes]:
    """Return a clip and the strip that cutting wrote."""
    video = write_test_video(tmp_path / "a.mp4")
    (clip,) = cut(video, (200_000, 1_500_000)).clips
    return Path(clip.media_path).read_bytes(), Path(clip.strip_path).read_bytes()


def test_it_is_the_strip_that_cutting_wrote(strips: tuple[bytes, bytes]) -> None:
    clip, strip = strips
    assert strip_of_clip(clip, PLAN) == strip


def test_another_plan(strips: tuple[bytes, bytes]) -> None:
    plan = FramePlan(count=3, size_px=20)
    assert read_strip(strip_of_clip(strips[0], plan), plan).shape == (3, 20, 20, 3)


@pytest.mark.parametrize("damage", ["cut", "none"])
def test_a_damaged_clip_is_an_error(damage: str, strips: tuple[bytes, bytes]) -> None:
    clip = strips[0][: len(strips[0]) // 2] if damage == "cut" else b"no clip"
    with pytest.raises(ValueError, match="decode"):
        strip_of_clip(clip, PLAN)
