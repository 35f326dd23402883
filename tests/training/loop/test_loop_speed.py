"""Rates of a step: literal numbers, and what is left out where nobody knows."""

from __future__ import annotations

import pytest
import torch

from training.loop.precision import Precision
from training.loop.speed import Speed, known_peak, peak_memory


def test_rates_are_literal() -> None:
    found = Speed(clips=64, clip_flops=5e9, peak_flops=4e12).of(waited_s=0.25, took_s=2.0)
    assert found == {
        "wait_s": 0.25,
        "step_s": 2.0,
        "wait_share": 0.125,
        "clips_per_s": 32.0,
        "tflops_per_s": 0.16,
        "mfu": 0.04,
    }


def test_what_nobody_knows_is_left_out() -> None:
    assert "mfu" not in Speed(clips=1, clip_flops=1e9).of(0, 1)
    assert Speed(clips=1, peak_flops=1e12).of(0, 1).keys() == {"wait_s", "step_s", "wait_share", "clips_per_s"}


PEAKS = {
    "H100, the usual one": ("NVIDIA H100 80GB HBM3", "bfloat16", 989e12),
    "H100 in a slot": ("NVIDIA H100 PCIe", "bfloat16", 756e12),
    "A100 of any kind": ("NVIDIA A100-SXM4-80GB", "bfloat16", 312e12),
    "L40S is no L4": ("NVIDIA L40S", "bfloat16", 362e12),
    "L4": ("NVIDIA L4", "bfloat16", 121e12),
    "in another type": ("NVIDIA H100 80GB HBM3", "float32", None),
    "unknown": ("NVIDIA GeForce GTX 1080", "bfloat16", None),
}


@pytest.mark.parametrize("case", PEAKS)
def test_known_devices(case: str) -> None:
    name, precision, expected = PEAKS[case]
    assert known_peak(name, Precision("float32" if precision == "float32" else "bfloat16")) == expected


def test_memory_is_in_bytes() -> None:
    # Torch alone takes more than the one, and no machine of ours has the other.
    assert 50e6 < peak_memory(torch.device("cpu")) < 10e12
