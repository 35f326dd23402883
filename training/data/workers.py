"""Clips decoded by processes of their own: several at a time, and none for longer than its deadline."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from curation.media import FramePlan
from curation.shard_reading import ShardSample
from training.data.frames import ClipRefused, read_frames


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """How clips are decoded.

    Attributes:
        workers: processes.
        deadline_s: how long one clip may take.
    """

    workers: int = 2
    deadline_s: float = 60.0

    def __post_init__(self) -> None:
        if self.workers < 1 or self.deadline_s <= 0:
            raise ValueError(f"workers is {self.workers} and deadline_s {self.deadline_s}; allowed: from 1, above 0")


@dataclass(kw_only=True)
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    place: int = 0
    started: float = 0.0


class DecodeWorkers:
    """Processes that turn clips into frames; to be closed after use.

    They share no memory with this process: a clip that brings its decoder down brings one worker down.
    """

    def __init__(self, plan: FramePlan, options: WorkerOptions | None = None) -> None:
        self._options = WorkerOptions() if options is None else options
        self._plan = plan
        # Not forked of this process, whose threads may hold locks.
        self._context = multiprocessing.get_context("forkserver")
        # Loaded once, by what workers are forked of.
        self._context.set_forkserver_preload([__name__])
        self._workers = [self._start() for _ in range(self._options.workers)]

    def __enter__(self) -> DecodeWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def frames(self, samples: Sequence[ShardSample]) -> NDArray[np.uint8]:
        """Return the frames of samples, as `read_frames` does: uint8 [len(samples), T, S, S, 3] RGB.

        Raises:
            ClipRefused: a clip does not give its frames, not in time, or its worker died of it; the message names key
                and shard. All workers are ended.
        """
        size = self._plan.size_px
        found = np.empty((len(samples), self._plan.count, size, size, 3), np.uint8)
        waiting = deque(range(len(samples)))
        idle, busy = list(self._workers), dict[Connection, _Worker]()
        try:
            while waiting or busy:
                while waiting and idle:
                    worker = self._hand(idle.pop(), waiting.popleft(), samples)
                    busy[worker.pipe] = worker
                for pipe in self._ready(busy, samples):
                    worker = busy.pop(pipe)
                    found[worker.place] = self._take(worker, samples[worker.place]).reshape(found.shape[1:])
                    idle.append(worker)
        except BaseException:
            self.close()
            raise
        return found

    def _start(self) -> _Worker:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(there, self._plan), daemon=True)
        process.start()
        there.close()
        return _Worker(process=process, pipe=here)

    def _hand(self, worker: _Worker, place: int, samples: Sequence[ShardSample]) -> _Worker:
        sample = samples[place]
        worker.place, worker.started = place, time.monotonic()
        try:
            worker.pipe.send((sample.media, sample.facts.get("frames")))
        except OSError as error:
            raise ClipRefused(f"sample {sample.key} of {sample.shard}: its decoding process is gone") from error
        return worker

    def _ready(self, busy: dict[Connection, _Worker], samples: Sequence[ShardSample]) -> list[Connection]:
        """Return the pipes that have something to say; wait for one, to the first deadline."""
        first = min(busy.values(), key=lambda worker: worker.started)
        left = first.started + self._options.deadline_s - time.monotonic()
        ready = [pipe for pipe in wait(list(busy), max(0.0, left)) if isinstance(pipe, Connection)]
        if not ready:
            sample = samples[first.place]
            raise ClipRefused(
                f"sample {sample.key} of {sample.shard}: was not decoded in {self._options.deadline_s:g} s; give more "
                "time (deadline_s), or look at the clip"
            )
        return ready

    def _take(self, worker: _Worker, sample: ShardSample) -> NDArray[np.uint8]:
        try:
            said, data = worker.pipe.recv()
        except (EOFError, OSError) as error:
            raise ClipRefused(f"sample {sample.key} of {sample.shard}: its decoding process died") from error
        if said:
            raise ClipRefused(f"sample {sample.key} of {sample.shard}: {said}")
        return np.frombuffer(data, np.uint8)


def _serve(pipe: Connection, plan: FramePlan) -> None:
    """Decode what comes until the other end is closed."""
    while True:
        try:
            media, available = pipe.recv()
        except EOFError:
            return
        try:
            answer = ("", read_frames(media, plan, available).tobytes())
        except ClipRefused as error:
            answer = (str(error), b"")
        pipe.send(answer)
