"""Ctrl-C and SIGTERM between two steps and not within one, so that nothing that was trained is lost."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import Signals
from types import FrameType
from typing import Any, NoReturn

LOG = logging.getLogger("clipstrata")
NAMES = {Signals.SIGINT: "Ctrl-C", Signals.SIGTERM: "SIGTERM"}


class TrainingPaused(SystemExit):
    """SIGTERM: the step under way has its checkpoint, and the same command goes on from it; exit code 0.

    As SystemExit, for what SIGTERM asks for is an end of the process and not of one training in it.
    """

    def __init__(self) -> None:
        super().__init__(0)


@contextmanager
def held_interrupts() -> Iterator[Callable[[], Signals | None]]:
    """Hold the first Ctrl-C and the first SIGTERM of a block back; the function that it gives says which came first.

    A second one does what it did before the block. Nothing is held back outside the main thread, which Python gives
    no signals, nor what is ignored, nor a Ctrl-C that kills the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in NAMES}
    asked: list[Signals] = []

    def hold(number: int, frame: FrameType | None) -> None:
        asked.append(Signals(number))
        signal.signal(number, before[Signals(number)])
        LOG.info("stopping after this step with a checkpoint; %s again stops at once", NAMES[Signals(number)])

    held = [number for number, handler in before.items() if _can_be_held(number, handler)]
    for number in held:
        signal.signal(number, hold)
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number in held:
            signal.signal(number, before[number])


def _can_be_held(number: Signals, handler: Any) -> bool:
    """Python has a handler of its own for Ctrl-C; where there is none, somebody wanted it so."""
    return callable(handler) or (number is Signals.SIGTERM and handler is signal.SIG_DFL)


def raise_for(number: Signals) -> NoReturn:
    """End a training whose last step has its checkpoint, as the signal asks for.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
        TrainingPaused: after SIGTERM.
    """
    if number is Signals.SIGINT:
        raise KeyboardInterrupt
    LOG.info("stopped by SIGTERM; the same command goes on where it stopped")
    raise TrainingPaused
