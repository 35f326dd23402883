"""Items through a model in batches of one fixed shape, smaller ones when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[NDArray[Any]], NDArray[np.float32]]
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says on a GPU, on Linux and on other systems."""


class ScorerOutOfMemory(RuntimeError):
    """Not even one item fits into memory."""


class PaddedBatches:
    """Runs items through an encoder in batches of `size`, the last one padded with zeros.

    The shape is fixed because a matrix library picks its kernel by it: so an item's result does not depend on how many
    items came with it. A batch that does not fit into memory is halved and tried again, down to one item; the smaller
    size stays for all that follows. Scores may then differ in their last digit from those of a machine with more
    memory, so `halvings` is counted and reported.

    Attributes:
        size: items in a batch now.
        halvings: how often it was halved.
    """

    def __init__(self, size: int, release: Callable[[], None]) -> None:
        self.size = size
        self.halvings = 0
        self._release = release

    def run(self, items: NDArray[Any], encode: Encode) -> NDArray[np.float32]:
        """Return float32 [N, D] for items [N, ...]; no item still is one batch, so that D is known.

        Raises:
            ScorerOutOfMemory: one item alone does not fit.
        """
        parts: list[NDArray[np.float32]] = []
        start = 0
        while not parts or start < len(items):
            size = self.size
            part = self._encoded(items[start : start + size], size, encode)
            if part is not None:
                parts.append(part)
                start += size
        found: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
        return found

    def _encoded(self, items: NDArray[Any], size: int, encode: Encode) -> NDArray[np.float32] | None:
        """Return the results of one batch, or None when it was too large and `size` is smaller now."""
        padded = np.zeros((size, *items.shape[1:]), items.dtype)
        padded[: len(items)] = items
        try:
            return encode(padded)[: len(items)]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise ScorerOutOfMemory(
                    f"one item of shape {list(items.shape[1:])} does not fit into memory ({error!s:.200}); "
                    "use a smaller model, dtype bfloat16, fewer workers on this machine, or more memory"
                ) from error
            self.size = min(self.size, size // 2)
            self.halvings += 1
        # Outside the except block: a live traceback would keep the failed batch's memory.
        self._release()
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on any device."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)
