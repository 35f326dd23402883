from __future__ import annotations

import subprocess
import sys

import numpy as np

from benchmarks.memory import own_peak_bytes, tree_memory_bytes

HELD = """
from benchmarks.memory import own_peak_bytes
held = bytearray(b"x") * 80_000_000
del held
print(own_peak_bytes())
"""


def test_a_process_tells_its_own_peak_and_not_that_of_the_one_that_started_it() -> None:
    held = np.ones(600_000_000, dtype=np.uint8)
    child = subprocess.run([sys.executable, "-c", HELD], check=True, capture_output=True, text=True)
    assert own_peak_bytes() > held.nbytes
    assert 80_000_000 < int(child.stdout) < 300_000_000


def test_what_a_process_started_counts_with_it_or_alone() -> None:
    holding = "held = bytearray(b'x') * 80_000_000; print(flush=True); input()"
    starting = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {holding!r}], check=True)"
    with subprocess.Popen([sys.executable, "-c", starting], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        parent.stdout.readline()
        whole, below = tree_memory_bytes(parent.pid), tree_memory_bytes(parent.pid, with_root=False)
        parent.stdin.write(b"\n")
        parent.stdin.close()
    assert 80_000_000 < below < whole < below + 60_000_000
    assert tree_memory_bytes(parent.pid) == 0
