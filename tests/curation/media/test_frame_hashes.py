from __future__ import annotations

import numpy as np
import pytest

from curation.media.frame_hashes import HASH_BYTES, MAX_HASHES, FrameHashTaker

FPS = 24


def scene(frames: int, height: int = 144, width: int = 256) -> list[np.ndarray]:
    """Return limited-range luma of a few soft shapes that drift."""
    y, x = np.mgrid[0:height, 0:width] / height
    films = []
    for frame in range(frames):
        t = frame / FPS
        bright = sum(np.exp(-(((x - a - 0.2 * t) ** 2 + (y - b + 0.1 * t) ** 2) * c)) for a, b, c in SHAPES)
        films.append((16 + 219 * np.clip(bright / 2.2, 0, 1)).astype(np.uint8))
    return films


SHAPES = [(0.3, 0.4, 9), (0.9, 0.8, 30), (1.4, 0.2, 14), (0.1, 0.9, 40), (1.1, 0.5, 70)]


def hashed(frames: list[np.ndarray], fps: int = FPS) -> tuple[np.ndarray, bytes]:
    """Return uint8 [n, 32] hashes and the qualities."""
    taker = FrameHashTaker()
    for index, luma in enumerate(frames):
        taker.add(index, index * 1_000_000 // fps, luma)
    found = taker.hashes()
    return np.frombuffer(found.hashes, np.uint8).reshape(-1, HASH_BYTES), found.quality


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean number of differing bits."""
    return float(np.bitwise_count(one ^ other).sum(axis=1).mean())


SCENE = scene(48)
CHANGES = {
    "smaller": [luma[::2, ::2] for luma in SCENE],
    "brighter": [np.minimum(luma.astype(np.int16) + 12, 235).astype(np.uint8) for luma in SCENE],
    "black bars above and below": [np.pad(luma, ((18, 18), (0, 0)), constant_values=16) for luma in SCENE],
    "white edges": [np.pad(luma, 7, constant_values=235) for luma in SCENE],
}


def slide() -> np.ndarray:
    """Return a white page with three lines of text: the edge of a bar left on it would be most of what it shows."""
    page = np.full((144, 256), 235, np.uint8)
    for top in (24, 60, 100):
        page[top : top + 6, 30 : 150 + top : 3] = 40
    return page


def half(luma: np.ndarray) -> np.ndarray:
    wide = luma.astype(np.uint16)
    rows = wide[::2] + wide[1::2]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)


@pytest.mark.parametrize("bars", [11, 13, 15])
def test_a_slide_in_bars_keeps_its_hash_when_it_is_made_smaller(bars: int) -> None:
    page = np.pad(slide(), ((bars, bars), (16, 16)), constant_values=16)
    first, _ = hashed([slide()] * 6)
    assert apart(first, hashed([page] * 6)[0]) < 2
    assert apart(first, hashed([half(page)] * 6)[0]) < 2


@pytest.mark.parametrize("name", CHANGES)
def test_a_hash_survives(name: str) -> None:
    first, _ = hashed(SCENE)
    copy, _ = hashed(CHANGES[name])
    assert apart(first, copy) < 24
    assert apart(first, hashed([luma[::-1, ::-1] for luma in SCENE])[0]) > 80


def test_there_is_one_for_each_quarter_of_a_second() -> None:
    assert [len(hashed(SCENE[:frames])[0]) for frames in (1, 6, 7, 24, 48)] == [1, 1, 2, 4, 8]
    assert len(hashed(SCENE * 40)[0]) == MAX_HASHES


def test_another_frame_rate_gives_nearly_the_same() -> None:
    first, _ = hashed(SCENE)
    assert apart(first, hashed(SCENE[::2], FPS // 2)[0]) < 12


def test_a_picture_that_shows_nothing_has_no_quality() -> None:
    assert set(hashed([np.full((90, 160), 16, np.uint8)] * 12)[1]) == {0}
    assert min(hashed(SCENE)[1]) > 0


def test_no_frames_no_hashes() -> None:
    assert hashed([])[1] == b""


def test_the_bits_are_pinned() -> None:
    # Stored hashes are compared with those of other machines and later versions: a change here wants a new ingest.
    found, quality = hashed(SCENE[:6])
    assert (found.tobytes().hex(), quality.hex()) == PINNED


PINNED = ("ab42ea39a722a36e74d2ccd095a799d548623711475a6546112b93d34c4e1869", "4b")
