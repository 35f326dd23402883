"""Time as fetching sees it, and the one deadline that an item has."""

from __future__ import annotations

import time
from typing import Protocol

from curation.fetching.base import FetchError
from schemas.reasons import Reason


class Clock(Protocol):
    """Where time comes from."""

    def now_s(self) -> float:
        """Return seconds that only ever grow, from an arbitrary start."""
        ...

    def epoch_s(self) -> float:
        """Return seconds since 1970, for dates that servers write."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return that much later."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Return the monotonic clock."""
        return time.monotonic()

    def epoch_s(self) -> float:
        """Return the wall clock."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


class Deadline:
    """The end of an item's time, over all its tries; waiting for a turn at a host pushes it back."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._total_s = seconds
        self._end_s = clock.now_s() + seconds

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            FetchError: none are.
        """
        left = self._end_s - self._clock.now_s()
        if left <= 0.0:
            raise self.passed()
        return left

    def allows(self, seconds: float) -> bool:
        """Return whether a wait of that length ends before the deadline."""
        return self._clock.now_s() + seconds < self._end_s

    def extend(self, seconds: float) -> None:
        """Push the deadline back."""
        self._end_s += seconds

    def passed(self) -> FetchError:
        """Return the error of an item whose time is over."""
        return FetchError(Reason.DEADLINE, f"not done in {self._total_s:g} s")
