"""How one host is asked: so many at once, so many in a second, and not at all once it fails for everyone.

The counts are those of one process; a job with many workers asks a host that many times as often.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from curation.fetching.base import FetchError, HostBrokenError
from curation.fetching.clock import Clock, Deadline
from schemas.fetching import HostLimits
from schemas.reasons import Reason

# What a host does to all of its videos; a single video that is gone, or of a wrong type, says nothing of its host.
HOST_CAUSES = frozenset(
    {
        *(Reason.FORBIDDEN, Reason.BOT_WALL, Reason.LOGIN_REQUIRED, Reason.RATE_LIMITED, Reason.SERVER_ERROR),
        *(Reason.CONNECTION_FAILED, Reason.STALLED, Reason.DEADLINE, Reason.WRONG_TYPE, Reason.ROBOTS_UNKNOWN),
    }
)
# What a dead network does to all hosts.
NETWORK_CAUSES = frozenset({Reason.CONNECTION_FAILED, Reason.STALLED, Reason.DEADLINE})
EVERY_HOST = "the network"
# The network is judged by so many windows of a host: single hosts die all the time.
NETWORK_WINDOWS = 10
HOSTS_KEPT = 20_000
MAX_CRAWL_DELAY_S = 30.0


@dataclass
class _Host:
    """What is known of one host."""

    turns: threading.BoundedSemaphore
    interval_s: float
    window: int
    causes: frozenset[Reason]
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_s: float = 0.0
    paused_until_s: float = 0.0
    outcomes: deque[Reason | None] = field(default_factory=deque)
    worked: bool = False
    broken_until_s: float = 0.0
    broken_by: Reason | None = None
    users: int = 0


class Hosts:
    """The pace and the state of all hosts; one for all threads of a worker."""

    def __init__(self, limits: HostLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    @contextmanager
    def turn(self, host: str, deadline: Deadline) -> Iterator[None]:
        """Hold one of a host's places, from its turn on; the wait for it pushes the deadline back.

        Raises:
            FetchError: `rate_limited`, the host asked to be left alone for longer than there is time.
        """
        state = self._take(host)
        try:
            began_s = self._clock.now_s()
            with state.turns:
                self._clock.sleep(self._reserve(state))
                deadline.extend(self._clock.now_s() - began_s)
                self._sit_out(state, host, deadline)
                yield
        finally:
            self._release(state)

    def pause(self, host: str, seconds: float) -> None:
        """Leave a host alone for a while, as it asked."""
        state = self._take(host)
        state.paused_until_s = max(state.paused_until_s, self._clock.now_s() + seconds)
        self._release(state)

    def slow_down(self, host: str, interval_s: float) -> None:
        """Ask a host no more often than it wishes; at most MAX_CRAWL_DELAY_S apart."""
        state = self._take(host)
        state.interval_s = max(state.interval_s, min(interval_s, MAX_CRAWL_DELAY_S))
        self._release(state)

    def admit(self, host: str) -> None:
        """Let an item go on to a host.

        Raises:
            FetchError: the host never worked and its last answers failed for one cause: it is not asked for a while.
            HostBrokenError: the host worked and then failed for one cause, or all hosts fail.
        """
        for name in (EVERY_HOST, host):
            self._admit(name)

    def _admit(self, host: str) -> None:
        state = self._take(host)
        self._release(state)
        with state.lock:
            if state.broken_by is None or self._clock.now_s() >= state.broken_until_s:
                return
            raise self._refusal(host, state, state.broken_by)

    def tell(self, host: str, outcome: Reason | None) -> None:
        """Count what became of an item of a host; None for a success.

        Raises:
            HostBrokenError: with this one, a host that worked before fails for one cause, or all hosts do.
        """
        for name in (EVERY_HOST, host):
            self._tell(name, outcome)

    def _tell(self, host: str, outcome: Reason | None) -> None:
        state = self._take(host)
        self._release(state)
        with state.lock:
            cause = self._count(state, outcome)
            if cause is None:
                return
            state.broken_by = cause
            state.broken_until_s = self._clock.now_s() + self._limits.breaker_cool_s
            state.outcomes.clear()
            refusal = self._refusal(host, state, cause)
        if isinstance(refusal, HostBrokenError):
            raise refusal

    def _count(self, state: _Host, outcome: Reason | None) -> Reason | None:
        """Return the cause that has taken over, if one has."""
        if outcome is None:
            state.worked, state.broken_by = True, None
        state.outcomes.append(outcome)
        while len(state.outcomes) > state.window:
            state.outcomes.popleft()
        causes = Counter(reason for reason in state.outcomes if reason in state.causes)
        if state.broken_by is not None and outcome == state.broken_by:
            # the one that was let through to see whether the host is back
            return outcome
        if len(state.outcomes) < state.window or not causes:
            return None
        cause, count = causes.most_common(1)[0]
        return cause if count >= self._limits.breaker_share * state.window else None

    def _refusal(self, host: str, state: _Host, cause: Reason) -> Exception:
        if state.worked or host == EVERY_HOST:
            return HostBrokenError(
                f"{host}: nearly all of the last {state.window} fetches end as {cause.value}; mend the cause, or ask "
                "more slowly, and run again: what is done stays done"
            )
        return FetchError(cause, f"{host} never answered and is not asked for now")

    def _take(self, host: str) -> _Host:
        with self._lock:
            state = self._hosts.get(host)
            if state is None:
                state = self._hosts[host] = self._new(host)
            self._hosts.move_to_end(host)
            state.users += 1
            for name in [name for name, other in self._surplus() if other.users == 0]:
                del self._hosts[name]
            return state

    def _new(self, host: str) -> _Host:
        whole = host == EVERY_HOST
        return _Host(
            turns=threading.BoundedSemaphore(self._limits.at_once),
            interval_s=1.0 / self._limits.per_s,
            window=self._limits.breaker_window * (NETWORK_WINDOWS if whole else 1),
            causes=NETWORK_CAUSES if whole else HOST_CAUSES,
        )

    def _surplus(self) -> list[tuple[str, _Host]]:
        count = max(0, len(self._hosts) - HOSTS_KEPT)
        return [pair for pair, _ in zip(self._hosts.items(), range(count), strict=False)]

    def _release(self, state: _Host) -> None:
        with self._lock:
            state.users -= 1

    def _reserve(self, state: _Host) -> float:
        """Book the next free moment of a host; returns how long it is until then."""
        with state.lock:
            now_s = self._clock.now_s()
            at_s = max(now_s, state.next_s)
            state.next_s = at_s + state.interval_s
            return at_s - now_s

    def _sit_out(self, state: _Host, host: str, deadline: Deadline) -> None:
        wait_s = state.paused_until_s - self._clock.now_s()
        if wait_s <= 0.0:
            return
        if not deadline.allows(wait_s):
            raise FetchError(Reason.RATE_LIMITED, f"{host} asked to be left alone for longer", retry_after_s=wait_s)
        self._clock.sleep(wait_s)
