"""Running ffmpeg inside the child: in the child's process group, with drained pipes and a bounded memory of stderr."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from dataclasses import dataclass

from curation.media.linux import die_with_parent, limit_cpu
from curation.media.tasks import MAX_STDERR_BYTES, MediaError
from schemas.reasons import Reason

READ_BYTES = 65_536
# more than is reported, so that what is cut off at the front does not depend on the addresses in it
KEPT_STDERR_BYTES = 32 * MAX_STDERR_BYTES
ADDRESS = re.compile(r" ?@ 0x[0-9a-f]+")
# while stderr is quiet, look this often whether ffmpeg is gone: something it started may hold the pipe open
POLL_MS = 20
CRASH_SIGNALS = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGKILL})


@dataclass(frozen=True, kw_only=True)
class FfmpegRun:
    """How a run ended.

    Attributes:
        code: exit code, or minus the signal's number.
        stderr: the last MAX_STDERR_BYTES of what it said.
        cpu_us: of ffmpeg itself.
    """

    code: int
    stderr: str
    cpu_us: int

    @property
    def signal_number(self) -> int:
        """The signal that ended it, also when a shell reports it as 128 + n; 0 for none."""
        if self.code < 0:
            return -self.code
        return self.code - 128 if 128 < self.code <= 128 + signal.SIGSYS else 0


def run_ffmpeg(argv: list[str], folder: str, cpu_s: int) -> FfmpegRun:
    """Run ffmpeg to its end in `folder`; the deadline is the sandbox server's, which kills the whole group.

    Args:
        cpu_s: CPU seconds that it may use.

    Raises:
        MediaError: `encode_failed` when the program cannot be started.
    """

    def limited() -> None:
        die_with_parent()
        limit_cpu(cpu_s)

    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=limited,  # safe here: the child has one thread
        )
    except OSError as error:
        raise MediaError(Reason.ENCODE_FAILED, f"ffmpeg does not start: {error.strerror}") from error
    if process.stderr is None:
        raise MediaError(Reason.ENCODE_FAILED, "ffmpeg has no stderr")
    with process.stderr:
        tail, status, cpu_us = _drain(process.pid, process.stderr.fileno())
    process.returncode = os.waitstatus_to_exitcode(status)
    return FfmpegRun(code=process.returncode, stderr=last_words(tail), cpu_us=cpu_us)


def last_words(stderr: bytes) -> str:
    """Return the last whole lines within MAX_STDERR_BYTES, without memory addresses: equal failures read equal.

    ffmpeg names its parts by address, `[h264 @ 0x55d0c0ffee00]`, of a width that varies too: they go before the cut.
    """
    text = ADDRESS.sub("", stderr.decode("utf-8", "replace"))
    return text if len(text) <= MAX_STDERR_BYTES else text[-MAX_STDERR_BYTES:].partition("\n")[2]


def _drain(pid: int, descriptor: int) -> tuple[bytes, int, int]:
    """Read until the process ends; return the tail, its wait status and its CPU in microseconds."""
    os.set_blocking(descriptor, False)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    tail = b""
    open_pipe = True
    while open_pipe:
        if poller.poll(POLL_MS):
            chunk = os.read(descriptor, READ_BYTES)
            tail = (tail + chunk)[-KEPT_STDERR_BYTES:]
            open_pipe = bool(chunk)
            continue
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return tail, status, _cpu_us(usage.ru_utime + usage.ru_stime)
    _, status, usage = os.wait4(pid, 0)
    return tail, status, _cpu_us(usage.ru_utime + usage.ru_stime)


def _cpu_us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def failed_reason(run: FfmpegRun, cpu_s: int) -> Reason:
    """Return why a run with a code other than 0, or without a file, failed; `cpu_s` is what it was allowed."""
    # ffmpeg catches SIGXCPU and ends by itself, so the CPU that it used tells
    if run.signal_number == signal.SIGXCPU or run.cpu_us >= cpu_s * 950_000:
        return Reason.CPU_LIMIT
    if run.signal_number == signal.SIGXFSZ or "File too large" in run.stderr:
        return Reason.OUTPUT_LIMIT
    if run.signal_number in CRASH_SIGNALS:
        return Reason.CHILD_CRASHED
    return Reason.ENCODE_FAILED
