"""Work that runs beside other work, in its order, on one thread: hashing, which leaves the interpreter to others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class Background:
    """A thread that does what it is given, a few pieces behind; use it in a `with`, which waits for its end.

    Args:
        behind: how many pieces may wait; what they hold stays in memory until then.
    """

    def __init__(self, behind: int = 8) -> None:
        self._behind = behind
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._waiting: deque[Future[Any]] = deque()

    def do(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have a piece of work done after those given before; raises what an earlier one failed with."""
        self._waiting.append(self._pool.submit(work, *arguments))
        while len(self._waiting) > self._behind:
            self._waiting.popleft().result()

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
