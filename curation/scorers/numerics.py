"""On which device and with which numbers a scorer computes; both change the last digits, so both are in its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from curation.scorers.base import ScorerUnavailable

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "float32", "bfloat16")
_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of x86 and Arm cores whose matrix instructions take bfloat16 (Linux names)."""


@dataclass(frozen=True, kw_only=True)
class Numerics:
    """What was chosen.

    Attributes:
        device: `cpu` or `cuda`.
        dtype: `float32` or `bfloat16`, of the products inside the model; embeddings are float32 in both.
    """

    device: str = "cpu"
    dtype: str = "float32"

    def __str__(self) -> str:
        return f"{self.device} {self.dtype}"


PLAIN = Numerics()
"""What every machine has."""


class Hardware(Protocol):
    """What a machine can do."""

    def has_cuda(self) -> bool: ...

    def has_bfloat16(self, device: str) -> bool: ...


class ThisMachine:
    """The machine that this process runs on.

    Args:
        cpu_info: where Linux tells what the cores can do; elsewhere there is no such file.
    """

    def __init__(self, cpu_info: Path = Path("/proc/cpuinfo")) -> None:
        self._cpu_info = cpu_info

    def has_cuda(self) -> bool:
        """Return whether torch can use a GPU."""
        import torch

        return bool(torch.cuda.is_available())

    def has_bfloat16(self, device: str) -> bool:
        """Return whether the device multiplies bfloat16 in hardware; False where that cannot be found out."""
        if device == "cuda":
            import torch

            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        if not self._cpu_info.is_file():
            return False
        lines = self._cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
        return bool(set(flags.split()) & set(_CPU_BFLOAT16))


def choose_numerics(device: str, dtype: str, hardware: Hardware) -> Numerics:
    """Return what a scorer computes with. `auto` takes the best that is there; what is named is taken or refused.

    Raises:
        ValueError: a name is not one of DEVICES or DTYPES.
        ScorerUnavailable: a GPU was asked for and there is none.
    """
    for what, value, allowed in (("device", device, DEVICES), ("dtype", dtype, DTYPES)):
        if value not in allowed:
            raise ValueError(f"{what} is {value!r}; allowed: {', '.join(allowed)}; choose one of them")
    if device == "cuda" and not hardware.has_cuda():
        raise ScorerUnavailable(
            "device is 'cuda' and torch finds no usable GPU here; allowed: cuda where there is one; look at nvidia-smi "
            "and at whether this torch was built for CUDA, or say device: cpu"
        )
    if device == "auto":
        device = "cuda" if hardware.has_cuda() else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if hardware.has_bfloat16(device) else "float32"
    return Numerics(device=device, dtype=dtype)


def scorer_digest(model_digest: str, numerics: Numerics) -> str:
    """Return the digest of a model under some numerics: its own for float32 on the CPU, another for each other pair."""
    if numerics == PLAIN:
        return model_digest
    return hashlib.sha256(f"{model_digest} {numerics}".encode()).hexdigest()
