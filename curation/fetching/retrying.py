"""Trying again: what may help is tried again, later each time, and never past the item's deadline."""

from __future__ import annotations

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from curation.fetching.base import FetchError
from curation.fetching.clock import Clock, Deadline
from schemas.fetching import RetryPolicy
from schemas.reasons import Reason

# The rest of RETRYABLE is for a later run: a machine out of disk, or an item whose time is over.
TRIED_AGAIN = frozenset(
    {
        *(Reason.RATE_LIMITED, Reason.SERVER_ERROR, Reason.CONNECTION_FAILED, Reason.STALLED),
        *(Reason.WRONG_LENGTH, Reason.WRONG_DIGEST),
    }
)
Result = TypeVar("Result")


class Retry:
    """Does a piece of work until it is done, cannot be done, or its tries or its time are used up."""

    def __init__(self, policy: RetryPolicy, clock: Clock, chance: random.Random) -> None:
        self.clock = clock
        self._policy = policy
        self._chance = chance

    def run(self, work: Callable[[], Result], deadline: Deadline) -> Result:
        """Return what the work comes to.

        Raises:
            FetchError: of the last try, with the number of tries.
        """
        tries = 0

        def counted() -> Result:
            nonlocal tries
            tries += 1
            return work()

        def over(state: tenacity.RetryCallState) -> bool:
            return state.attempt_number >= self._policy.attempts or not deadline.allows(state.upcoming_sleep)

        retrying = tenacity.Retrying(
            sleep=self.clock.sleep,
            stop=over,
            wait=self._wait_s,
            retry=tenacity.retry_if_exception(_may_help),
            reraise=True,
        )
        try:
            return retrying(counted)
        except FetchError as error:
            error.attempts = tries
            raise

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        """Return the wait before the next try: twice the last one, with jitter; at least what the host asked for."""
        error = state.outcome.exception() if state.outcome is not None else None
        usual_s = min(self._policy.max_wait_s, self._policy.first_wait_s * 2.0 ** (state.attempt_number - 1))
        asked_s = error.retry_after_s if isinstance(error, FetchError) else None
        return max(usual_s * self._chance.uniform(0.5, 1.0), asked_s or 0.0)


def _may_help(error: BaseException) -> bool:
    return isinstance(error, FetchError) and error.reason in TRIED_AGAIN


def retry_after_s(value: str, clock: Clock) -> float | None:
    """Return the seconds of a `Retry-After` header: a number, or a date; None for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:10])
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, at.timestamp() - clock.epoch_s())
    except (ValueError, TypeError, OverflowError):
        return None
