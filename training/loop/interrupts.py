"""Ctrl-C between two steps and not within one, so that nothing that was trained is lost."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

LOG = logging.getLogger("clipstrata")


@contextmanager
def held_interrupts() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C of a block back; the function that it gives says whether there was one.

    A second Ctrl-C does what it did before the block. Nothing is held back outside the main thread, which Python gives
    no signals, nor where Ctrl-C is ignored or kills the process.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False
        return
    asked = threading.Event()

    def hold(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        LOG.info("stopping after this step with a checkpoint; Ctrl-C again stops at once")

    signal.signal(signal.SIGINT, hold)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
