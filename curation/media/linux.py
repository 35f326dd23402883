"""The few Linux calls that the sandbox needs and Python does not wrap; elsewhere they change nothing and say so."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from functools import lru_cache
from pathlib import Path

# linux/prctl.h and linux/sched.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
# address space is not memory: threads' stacks and a static binary's arenas take gigabytes of it that are never touched
AS_HEADROOM_BYTES = 16 << 30
BYTES_PER_MB = 1_000_000
MAX_OPEN_FILES = 512


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _prctl(option: int, value: int) -> bool:
    libc = _libc()
    return libc is not None and libc.prctl(option, value, 0, 0, 0) == 0


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends. The signal survives exec, not fork."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> bool:
    """Become the parent of all descendants whose own parent dies, whatever session they moved to."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def drop_network() -> bool:
    """Move this process to an empty network namespace; whether it worked. Containers often forbid it."""
    libc = _libc()
    if libc is None:
        return False
    if libc.unshare(CLONE_NEWNET) == 0:
        return True
    return libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0


def limit_resources(*, cpu_s: int, memory_mb: int, output_mb: int, cpu_ceiling_s: int = 0) -> None:
    """Set the limits that the kernel keeps by itself; they are inherited by everything this process starts.

    Args:
        cpu_ceiling_s: as far as `allow_cpu` may raise the CPU seconds later; less than `cpu_s` is no further than that.
    """
    _lower(resource.RLIMIT_CORE, 0, 0)
    _lower(resource.RLIMIT_CPU, cpu_s, max(cpu_s, cpu_ceiling_s) + 1)
    _lower(resource.RLIMIT_FSIZE, output_mb * BYTES_PER_MB, output_mb * BYTES_PER_MB)
    _lower(resource.RLIMIT_NOFILE, MAX_OPEN_FILES, MAX_OPEN_FILES)
    address_bytes = AS_HEADROOM_BYTES + 4 * memory_mb * BYTES_PER_MB
    _lower(resource.RLIMIT_AS, address_bytes, address_bytes)


def allow_cpu(cpu_s: int) -> None:
    """Set the CPU seconds of this process and of what it starts from now on, up to the ceiling it was given.

    A process without a limit keeps none: where the work is done in the caller's own process, nobody asked for one.
    """
    soft, ceiling = resource.getrlimit(resource.RLIMIT_CPU)
    if soft != resource.RLIM_INFINITY:
        raised = cpu_s if ceiling == resource.RLIM_INFINITY else min(cpu_s, ceiling)
        resource.setrlimit(resource.RLIMIT_CPU, (raised, ceiling))


def limit_cpu(cpu_s: int) -> None:
    """Set the CPU seconds of this process for good: a second later it is killed."""
    _lower(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)


def _lower(kind: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process, dead ones that are not reaped included."""
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    if texts:
        return [int(word) for text in texts for word in text.split()]
    return [child for child in _all_pids() if _parent_of(child) == pid]


def descendants_of(pid: int) -> list[int]:
    """Return all living descendants of a process, nearest first."""
    found: list[int] = []
    queue = [pid]
    while queue:
        children = children_of(queue.pop())
        found += children
        queue += children
    return found


def resident_bytes(pids: list[int]) -> int:
    """Return the resident memory of some processes together; shared pages count for each of them."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page_bytes
        except (OSError, IndexError):
            continue  # it ended between two looks
    return total


def kill_marked(mark: str) -> int:
    """Kill every process whose environment holds `mark` (NAME=value, unique to one sandbox); return how many."""
    wanted = mark.encode()
    killed = 0
    for pid in _all_pids():
        try:
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        except OSError:
            continue  # gone, or another user's: then it is not ours
    return killed


def _all_pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0
