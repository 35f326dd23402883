"""The sandbox's server: one process, one thread, that forks a limited child for every video and survives them all.

It is started by `MediaSandbox` and speaks framed JSON on stdin and stdout. Its imports are done once, so that a child
costs a fork (milliseconds) and not a start of Python. It never opens media itself.
"""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from curation.media import linux
from curation.media.framing import MessageBuffer, PeerGoneError, read_message, write_message
from curation.media.progress import Told, allowed_s
from curation.media.tasks import CutTask, MediaError, outcome_to_json, task_from_json
from curation.media.worker import cut_video
from schemas.media import MediaLimits
from schemas.reasons import Reason

POLL_S = 0.05
IDLE_POLL_S = 1.0
READ_BYTES = 1 << 16
MAX_RESULT_BYTES = 32 << 20
BYTES_PER_MB = 1_000_000
# how long dead descendants may take to go once they are killed
REAP_S = 2.0


@dataclass
class _Watch:
    """What is known of the child while it works; `verdict` is set when the server ended it."""

    pid: int
    pipe: int
    told: Told = field(default_factory=Told)
    verdict: tuple[Reason, str] | None = None


def serve(requests: int, answers: int) -> None:
    """Answer requests until the client closes its end or dies."""
    parent = os.getppid()
    isolated = linux.drop_network()
    linux.adopt_orphans()
    write_message(answers, {"ready": True, "network_isolated": isolated, "pid": os.getpid()})
    poller = select.poll()
    poller.register(requests, select.POLLIN)
    # Not PR_SET_PDEATHSIG: it fires when the *thread* that started this process ends, and workers' threads come and go.
    while os.getppid() == parent:
        if poller.poll(IDLE_POLL_S * 1000):
            row = read_message(requests)
            _answer(task_from_json(row), row["ffmpeg_path"], (requests, answers))


def _answer(task: CutTask, ffmpeg_path: str, client: tuple[int, int]) -> None:
    """Have a child work on the task, and write its answer; before it, messages that more time is needed."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _be_child(task, ffmpeg_path, write_end)
    os.close(write_end)
    watch = _Watch(pid, read_end)
    try:
        _watch_child(watch, task.limits, client)
    finally:
        os.close(read_end)
        status, cpu_s, orphans_cpu_s = _end_child(watch)
    write_message(client[1], _judge(watch, task.limits, status, (cpu_s, orphans_cpu_s)))


def _be_child(task: CutTask, ffmpeg_path: str, pipe: int) -> None:
    """Work on the task as a process of its own session, write the result, and exit without returning."""
    try:
        os.setsid()
        linux.die_with_parent()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        limits = task.limits
        linux.limit_resources(
            cpu_s=limits.cpu_s,
            memory_mb=limits.memory_mb,
            output_mb=limits.output_mb,
            cpu_ceiling_s=math.ceil(limits.max_wall_s),
        )
        write_message(pipe, _work(task, ffmpeg_path, pipe))
    finally:
        # also after an error of ours: its last words are all that a person gets to see
        if sys.exc_info()[1] is not None:
            write_message(pipe, {"kind": "crash", "words": traceback.format_exc(limit=-6)})
        os._exit(0)


def _work(task: CutTask, ffmpeg_path: str, pipe: int) -> dict[str, Any]:
    try:
        outcome = cut_video(task, ffmpeg_path, lambda message: write_message(pipe, message))
    except MediaError as error:
        return {"kind": "ended", "reason": error.reason, "detail": error.detail}
    except MemoryError:
        return {"kind": "ended", "reason": Reason.MEMORY_LIMIT, "detail": "an allocation failed"}
    except OSError as error:
        reason = Reason.OUTPUT_LIMIT if error.errno == errno.EFBIG else Reason.IO_ERROR
        return {"kind": "ended", "reason": reason, "detail": f"{type(error).__name__}: {error.strerror}"}
    return {"kind": "outcome", "outcome": outcome_to_json(outcome)}


def _watch_child(watch: _Watch, limits: MediaLimits, client: tuple[int, int]) -> None:
    """Listen until the child closes the pipe; end it at the deadline, over its memory, or without a client."""
    started_s = time.monotonic()
    buffer = MessageBuffer(MAX_RESULT_BYTES)
    poller = select.poll()
    poller.register(watch.pipe, select.POLLIN)
    poller.register(client[0], select.POLLHUP)
    while True:
        wall_s = allowed_s(limits.wall_s, watch.told.work_s, limits)
        left_s = started_s + wall_s - time.monotonic()
        if left_s <= 0:
            watch.verdict = (Reason.TIMEOUT, f"not done after {wall_s:.1f} s")
            return
        events = dict(poller.poll(min(POLL_S, left_s) * 1000))
        if client[0] in events:
            raise PeerGoneError("the client is gone")
        if watch.pipe in events:
            if not _listen(watch, buffer):
                return
            if allowed_s(limits.wall_s, watch.told.work_s, limits) > wall_s:
                write_message(client[1], {"wait_s": allowed_s(limits.wall_s, watch.told.work_s, limits)})
            continue
        resident = linux.resident_bytes([watch.pid, *linux.descendants_of(watch.pid)])
        if resident > limits.memory_mb * BYTES_PER_MB:
            watch.verdict = (Reason.MEMORY_LIMIT, f"{resident} bytes resident; allowed: {limits.memory_mb} MB")
            return


def _listen(watch: _Watch, buffer: MessageBuffer) -> bool:
    """Take what the child says; whether there may be more."""
    chunk = os.read(watch.pipe, READ_BYTES)
    try:
        for message in buffer.feed(chunk):
            watch.told.take(message)
    except (PeerGoneError, ValueError) as error:
        watch.verdict = (Reason.CHILD_CRASHED, f"the child said what cannot be read: {error}")
        return False
    return bool(chunk)


def _end_child(watch: _Watch) -> tuple[int, float, float]:
    """Kill whatever is left of the child and of everything it started; return its wait status and the CPU seconds."""
    if watch.verdict is None and (watch.told.outcome or watch.told.ended or watch.told.crash):
        # it has closed the pipe and is about to exit by itself
        time_left = time.monotonic() + REAP_S
        while time.monotonic() < time_left:
            pid, status, usage = os.wait4(watch.pid, os.WNOHANG)
            if pid:
                return status, usage.ru_utime + usage.ru_stime, _end_orphans()
            time.sleep(0.0005)
    _kill_group(watch.pid)
    _, status, usage = os.wait4(watch.pid, 0)
    return status, usage.ru_utime + usage.ru_stime, _end_orphans()


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue  # not a group leader yet, or gone


def _end_orphans() -> float:
    """Kill and reap every other descendant: the kernel makes them this process's children when their parent dies."""
    cpu_s = 0.0
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return cpu_s
        cpu_s += usage.ru_utime + usage.ru_stime if pid else 0.0
        if pid == 0:
            for orphan in linux.children_of(os.getpid()):
                _kill_group(orphan)
            time.sleep(0.0005)


def _judge(watch: _Watch, limits: MediaLimits, status: int, cpu_s: tuple[float, float]) -> dict[str, Any]:
    """Return the outcome as JSON: the child's own, or what it had finished when it was ended."""
    code = os.waitstatus_to_exitcode(status)
    told = watch.told
    if watch.verdict is None and code == 0 and told.outcome is not None:
        row = told.outcome
    else:
        row = told.partial(*(watch.verdict or told.ended or _reason_of(code, cpu_s[0], limits, told)))
    total_us, orphans_us = (round(seconds * 1_000_000) for seconds in cpu_s)
    row["child_cpu_us"] = max(0, total_us - row["ffmpeg_cpu_us"])
    row["ffmpeg_cpu_us"] += orphans_us
    return row


def _reason_of(code: int, cpu_s: float, limits: MediaLimits, told: Told) -> tuple[Reason, str]:
    allowed_cpu_s = math.ceil(allowed_s(limits.cpu_s, told.work_s, limits))
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu_s >= allowed_cpu_s):
        return Reason.CPU_LIMIT, f"over {allowed_cpu_s} s of CPU"
    if code == -signal.SIGXFSZ:
        return Reason.OUTPUT_LIMIT, f"a file over {limits.output_mb} MB"
    return Reason.CHILD_CRASHED, f"the child ended with {code} and no result; {told.crash}"


def main() -> None:
    """Serve on stdin and stdout, which nothing else may then write to."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(requests, answers)
    except PeerGoneError:
        sys.exit(0)


if __name__ == "__main__":
    main()
