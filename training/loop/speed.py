"""How fast a step was, and how large a share of what the device could do."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

import torch

from training.loop.precision import Precision

# Dense products in bfloat16, from NVIDIA's data sheets (which state sparse ones, twice as many, for all but the A100):
# the name that CUDA gives -> 1e12 operations a second. A longer name comes before one that it begins with.
PEAK_TFLOPS = {
    "NVIDIA A100": 312.0,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H100 80GB HBM3": 989.0,
    "NVIDIA H200": 989.0,
    "NVIDIA L40S": 362.0,
    "NVIDIA L4": 121.0,
}
TERA = 1e12


def known_peak(device: str, precision: Precision) -> float | None:
    """Return the operations a second that a device is sold with, or None where nobody says.

    Args:
        device: its name as CUDA gives it.
        precision: what matrices are multiplied in; the table is of bfloat16 alone.
    """
    if precision.name != "bfloat16":
        return None
    return next((peak * TERA for name, peak in PEAK_TFLOPS.items() if device.startswith(name)), None)


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that a device's tensors had at a time; of the processor, that this process had."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What turns the seconds of a step into rates.

    Attributes:
        clips: of a step, all ranks together.
        clip_flops: what one costs (`training.loop.flops`); None leaves out what hangs on it.
        peak_flops: operations a second of all devices together; None leaves `mfu` out.
    """

    clips: int
    clip_flops: float | None = None
    peak_flops: float | None = None

    def of(self, waited_s: float, took_s: float) -> dict[str, float]:
        """Return a step's rates by name.

        Args:
            waited_s: for its batch, part of the next.
            took_s: from before the batch was asked for to after the weights changed.
        """
        took_s = max(took_s, 1e-9)
        rate = self.clips / took_s
        found = {"wait_s": waited_s, "step_s": took_s, "wait_share": waited_s / took_s, "clips_per_s": rate}
        if self.clip_flops is not None:
            found["tflops_per_s"] = rate * self.clip_flops / TERA
            if self.peak_flops is not None:
                found["mfu"] = rate * self.clip_flops / self.peak_flops
        return found
