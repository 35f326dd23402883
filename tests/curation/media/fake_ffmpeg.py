"""Programs that stand where ffmpeg should and misbehave."""

from __future__ import annotations

import sys
from pathlib import Path

# a number that no other process sleeps for, so that leftovers can be told from other work on the machine
SLEEP_S = "86397"

SCRIPTS = {
    "sleeps": f"exec sleep {SLEEP_S}",
    "ignores SIGTERM": f"trap '' TERM HUP INT; while true; do sleep {SLEEP_S}; done",
    "leaves a grandchild": f"sleep {SLEEP_S} & sleep {SLEEP_S} & exit 0",
    "hides in a session of its own": f"setsid sleep {SLEEP_S} & sleep {SLEEP_S}",
    "keeps stderr open": f"sleep {SLEEP_S} & exit 3",
    "floods stderr": "head -c 100000000 /dev/zero | tr '\\0' 'x' >&2; exit 4",
    "floods stderr for ever": "exec cat /dev/zero >&2",
    "writes for ever": 'for last; do :; done; exec cat /dev/zero > "${last#file:}"',
    "burns the CPU": "while :; do :; done",
    "eats memory": f"exec '{sys.executable}' -c 'import time; held = b\"x\" * 600_000_000; time.sleep({SLEEP_S})'",
    "exits 0 with no output": "exit 0",
    "exits 1": "echo 'something is wrong' >&2; exit 1",
    "segfaults": "kill -SEGV $$",
    "kills itself": "kill -KILL $$",
    "writes rubbish": 'for last; do :; done; head -c 5000 /dev/urandom > "${last#file:}"',
    "writes an empty file": 'for last; do :; done; : > "${last#file:}"',
}


def write_fake(folder: Path, name: str) -> Path:
    """Write the named script as an executable and return its path."""
    path = folder / "fake-ffmpeg"
    path.write_text(f"#!/bin/sh\n{SCRIPTS[name]}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
