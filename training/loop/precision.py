"""What matrices are multiplied in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

Name = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Precision:
    """The type of matrix products; everything else stays float32."""

    name: Name

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a forward pass runs."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.name == "bfloat16")


def resolve_precision(wanted: Literal["auto", "float32", "bfloat16"]) -> Precision:
    """Return the precision to use; `auto` is bfloat16 only where the processor multiplies it by itself."""
    if wanted != "auto":
        return Precision(wanted)
    found = torch.cpu.get_capabilities()
    return Precision("bfloat16" if found.get("avx512_bf16") or found.get("amx_bf16") else "float32")
