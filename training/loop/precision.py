"""What matrices are multiplied in, and in which order sums are taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

Name = Literal["float32", "bfloat16"]
# its switch is set through the module's own class, which type checkers do not see
_DETERMINISTIC: Any = torch.utils.deterministic


@dataclass(frozen=True)
class Precision:
    """The type of matrix products; everything else stays float32."""

    name: Name
    device: str = "cpu"

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a forward pass runs."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.name == "bfloat16")


def resolve_precision(wanted: Literal["auto", "float32", "bfloat16"], device: str = "cpu") -> Precision:
    """Return the precision to use; `auto` is bfloat16 only where the device multiplies it by itself.

    Args:
        device: `cpu` or `cuda`.
    """
    if wanted != "auto":
        return Precision(wanted, device)
    if device == "cuda":
        return Precision("bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32", device)
    found = torch.cpu.get_capabilities()
    return Precision("bfloat16" if found.get("avx512_bf16") or found.get("amx_bf16") else "float32", device)


@contextmanager
def repeatable(threads: int | None, processes: int = 1) -> Iterator[None]:
    """Make every sum of a block take its terms in one order, so that equal work gives equal bits.

    Some gradients (of `table[index]`, for one) are otherwise added up by several threads in the order in which they get
    there. Equal bits also need an equal number of threads, whatever else in this process may have set it to.

    On a GPU an operation that has no such order warns and is not repeatable.

    Args:
        threads: None is as many as this process may use.
        processes: that share them.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = _DETERMINISTIC.fill_uninitialized_memory
    torch.set_num_threads(threads or max(1, len(os.sched_getaffinity(0)) // processes))
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_initialized())
    # new memory is not filled first: nothing here reads what it has not written, and it costs a tenth of a step
    _DETERMINISTIC.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        _DETERMINISTIC.fill_uninitialized_memory = filled
