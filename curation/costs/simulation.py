"""Workers that take units of work one after the other: what stragglers, lost workers and retries cost.

A discrete-event simulation of what an engine does with independent units: whoever is free takes the next one; a unit on
a worker that is lost is done again by another, and a lost worker is replaced after a while. It knows no network and no
store.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass

_NOTHING = -1


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Workers and what befalls them.

    Attributes:
        workers: at work at a time.
        mean_hours_to_loss: of one worker: preempted, out of memory, broken.
        replace_s: from a loss to a worker in its place.
        start_s: before a worker takes its first unit.
        attempts: of a unit, before the job fails.
    """

    workers: int
    mean_hours_to_loss: float = 200.0
    replace_s: float = 180.0
    start_s: float = 60.0
    attempts: int = 4


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a job.

    Attributes:
        wall_s: until its last unit.
        busy_share: of the workers' time, spent on work that counts.
        lost_s: worker seconds of attempts that were lost.
        tail_s: from when the first worker found nothing to do.
        failed: whether a unit used up its attempts.
    """

    wall_s: float
    busy_share: float
    lost_s: float
    tail_s: float
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Units:
    """Independent units of work.

    Attributes:
        count: how many.
        mean_s: time of one, on one worker.
        spread: standard deviation of the logarithm of a unit's time; 0 is all alike.
        longest_s: of one more unit: a video that nothing can be sought in; 0 is none.
        pieces: of one more video, which is cut in pieces after all units.
        piece_s: time of a piece.
    """

    count: int
    mean_s: float
    spread: float = 0.6
    longest_s: float = 0.0
    pieces: int = 0
    piece_s: float = 0.0

    def takes(self, drawn: random.Random, workers: int) -> list[Take]:
        """Return the units in a random order, the last one of the list first.

        Neighbours are one take: half of a worker's share of what is left, so that the last takes are single units.
        """
        found, left = [], self.count
        while left:
            together = max(1, left // (2 * workers))
            left -= together
            found.append(Take(self._drawn_s(drawn, together), self.mean_s if together > 1 else math.inf))
        if self.longest_s:
            found.insert(drawn.randrange(len(found) + 1), Take(self.longest_s, math.inf))
        found += [Take(self.piece_s, math.inf) for _ in range(self.pieces)]
        return found[::-1]

    def _drawn_s(self, drawn: random.Random, count: int) -> float:
        # The sum of n units spreads less than one: the square of its coefficient of variation falls as n grows.
        spread = math.sqrt(math.log(1 + (math.exp(self.spread**2) - 1) / count))
        return drawn.lognormvariate(-(spread**2) / 2, spread) * self.mean_s * count


@dataclass
class Take:
    """What a worker takes at a time.

    Attributes:
        left_s: work that is not committed yet.
        unit_s: what is committed at a time; infinite where the take is one unit.
    """

    left_s: float
    unit_s: float
    tries: int = 0


def simulate(units: Units, fleet: Fleet, seed: int = 1) -> Outcome:
    """Return what a job of units comes to; the same seed gives the same job."""
    drawn = random.Random(seed)
    job = _Job(units.takes(drawn, fleet.workers), fleet, drawn)
    while job.step():
        pass
    return job.outcome()


class _Job:
    """A job under way: events are (time, worker, take, whether the worker was lost)."""

    def __init__(self, takes: list[Take], fleet: Fleet, drawn: random.Random) -> None:
        self._takes = takes
        self._fleet = fleet
        self._drawn = drawn
        # The last one is taken first.
        self._waiting = list(range(len(takes)))
        # A worker that starts, or is replaced, comes free without a take.
        self._events = [(fleet.start_s, worker, _NOTHING, False) for worker in range(fleet.workers)]
        self._idle: list[int] = []
        self._done_s = self._lost_s = self._wall_s = 0.0
        self._first_idle_s: float | None = None
        self._left = len(takes)
        self._failed = False

    def step(self) -> bool:
        """Let the next event happen; returns whether there is more to do."""
        now_s, worker, place, lost = heapq.heappop(self._events)
        if lost:
            self._failed = self._takes[place].tries == self._fleet.attempts
            self._waiting.append(place)
            heapq.heappush(self._events, (now_s + self._fleet.replace_s, worker, _NOTHING, False))
        else:
            if place != _NOTHING:
                self._done_s += self._takes[place].left_s
                self._left -= 1
                self._wall_s = now_s
            self._idle.append(worker)
        while self._idle and self._waiting:
            self._start(self._idle.pop(), self._waiting.pop(), now_s)
        if self._idle and self._first_idle_s is None:
            self._first_idle_s = now_s
        return self._left > 0 and not self._failed

    def _start(self, worker: int, place: int, now_s: float) -> None:
        take = self._takes[place]
        loss_s = self._drawn.expovariate(1 / (self._fleet.mean_hours_to_loss * 3600))
        heapq.heappush(self._events, (now_s + min(loss_s, take.left_s), worker, place, loss_s < take.left_s))
        take.tries += 1
        if loss_s < take.left_s:
            # Units of a take that are committed are not done again.
            committed_s = loss_s - loss_s % take.unit_s if math.isfinite(take.unit_s) else 0.0
            self._lost_s += loss_s - committed_s
            self._done_s += committed_s
            take.left_s -= committed_s
            take.tries = 1 if committed_s else take.tries

    def outcome(self) -> Outcome:
        """Return what has come of it."""
        wall_s = self._wall_s
        return Outcome(
            wall_s=wall_s,
            busy_share=self._done_s / (wall_s * self._fleet.workers) if wall_s else 0.0,
            lost_s=self._lost_s,
            tail_s=0.0 if self._first_idle_s is None else max(0.0, wall_s - self._first_idle_s),
            failed=self._failed,
        )
