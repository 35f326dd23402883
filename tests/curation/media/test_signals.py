"""Signals of frames made by hand, and of films made by ffmpeg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.media.signals import SignalTaker, block_motion, hard_cuts, sharpness
from tests.curation.media.conftest import Cut
from tests.curation.media.make import run_ffmpeg

STEP_US = 40_000


def flat(level: int) -> np.ndarray:
    """A flat frame of limited range whose full-scale luma is `level`."""
    return np.full((72, 96), 16 + round(level * 219 / 255), dtype=np.uint8)


def taken(frames: list[np.ndarray]) -> SignalTaker:
    taker = SignalTaker(len(frames))
    for index, frame in enumerate(frames):
        taker.add(index, index * STEP_US, frame)
    return taker


LEVELS = {
    "black and still": ([0] * 8, (10_000, 10_000, 0, 0)),
    "half black, one jump of 51": ([0, 0, 51, 51], (5_000, 6_667, 667, 1_000)),
    "every step a fifth of full scale": ([0, 51, 102], (3_333, 0, 2_000, 2_000)),
    "one white frame": ([255], (0, 10_000, 0, 10_000)),
}


@pytest.mark.parametrize("name", LEVELS)
def test_shares_motion_and_brightness(name: str) -> None:
    levels, expected = LEVELS[name]
    found = taken([flat(level) for level in levels]).signals(has_audio=False)
    told = (found.black_share_1e4, found.static_share_1e4, found.motion_1e4, found.brightness_1e4)
    assert told == expected


CUTS = {
    "none": ([0.01] * 10, []),
    "one": ([0.01, 0.01, 0.5, 0.01, 0.01], [2]),
    "at the first step": ([0.4, 0.0, 0.0], [0]),
    "a flash is two equal steps": ([0.0, 0.6, 0.6, 0.0], []),
    "a pan never stands out": ([0.2, 0.21, 0.2, 0.22], []),
    "too small": ([0.0, 0.07, 0.0], []),
    "two far apart": ([0.0, 0.3, 0.0, 0.0, 0.3, 0.0], [1, 4]),
}


@pytest.mark.parametrize("name", CUTS)
def test_hard_cuts(name: str) -> None:
    differences, expected = CUTS[name]
    assert hard_cuts(differences) == expected


def test_a_cut_is_told_by_the_time_of_the_frame_after_it() -> None:
    found = taken([flat(30)] * 6 + [flat(200)] * 6).signals(has_audio=True)
    assert found.cuts_us == (6 * STEP_US,)
    assert found.has_audio is True


def blob(left: int) -> np.ndarray:
    """A textured square on black whose left edge lies at `left`."""
    picture = np.zeros((48, 64), np.int16)
    texture = np.random.default_rng(0).integers(80, 200, (16, 16))
    picture[16:32, left : left + 16] = texture
    return picture


@pytest.mark.parametrize(("pixels", "lowest", "highest"), [(0, 0.0, 0.0), (2, 0.002, 0.02), (3, 0.003, 0.03)])
def test_block_motion(pixels: int, lowest: float, highest: float) -> None:
    assert lowest <= block_motion(blob(16), blob(16 + pixels)) <= highest


def test_noise_is_no_motion() -> None:
    drawn = np.random.default_rng(3)
    still = np.full((48, 64), 100, np.int16)
    noisy = [(still + drawn.integers(-2, 3, still.shape)).astype(np.int16) for _ in range(2)]
    assert block_motion(*noisy) == 0.0


def test_a_film_that_moves_faster_has_more_flow(cut: Cut, tmp_path: Path) -> None:
    flows = []
    for speed in (0, 10, 40):
        path = tmp_path / f"{speed}.mp4"
        moving = f"color=black:s=160x120:r=25:d=2[b];testsrc=s=60x60:r=25:d=2[s];[b][s]overlay=x='5+{speed}*t':y=30"
        run_ffmpeg("-f", "lavfi", "-i", moving, "-pix_fmt", "yuv420p", str(path))
        (clip,) = cut(path).clips
        flows.append(clip.signals.flow_1e4)
    assert flows[0] < flows[1] < flows[2]
    assert flows[2] < 4_000


SHARPNESS = {
    "flat": (np.full((8, 8), 100, np.uint8), 0.0),
    "one bright pixel": (np.pad(np.array([[40]], np.uint8), 2), (160**2 + 4 * 40**2) / 9),
    "too small to tell": (np.zeros((2, 2), np.uint8), 0.0),
}


@pytest.mark.parametrize("name", SHARPNESS)
def test_sharpness(name: str) -> None:
    picture, expected = SHARPNESS[name]
    assert sharpness(picture) == pytest.approx(expected)


def test_hashes_survive_another_encoding_and_size(cut: Cut, tmp_path: Path) -> None:
    films = []
    for name, size, quality in (("a", "320x240", "20"), ("b", "160x120", "35")):
        path = tmp_path / f"{name}.mp4"
        run_ffmpeg("-f", "lavfi", "-i", "mandelbrot=s=320x240:r=25", "-t", "2", "-s", size, "-crf", quality, str(path))
        films.append(cut(path).clips[0].signals)
    other = tmp_path / "c.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=s=320x240:r=25", "-t", "2", str(other))
    films.append(cut(other).clips[0].signals)
    assert (
        [len(film.frame_hashes) // 64 for film in films] == [len(film.hash_quality) // 2 for film in films] == [8] * 3
    )
    first, copy, stranger = (int(film.frame_hashes, 16) for film in films)
    assert (first ^ copy).bit_count() / 8 <= 24
    assert (first ^ stranger).bit_count() / 8 > 90
