"""How the threads of a model wait for each other; to be imported before anything that loads torch.

torch's OpenMP threads spin between operations. On a machine whose cores are busy elsewhere the spinning thread keeps
the one that it waits for off its core: a training step of 0.11 s took 9 s beside a second program. Spinning for
microseconds only and sleeping then costs 0.14 s on a quiet machine and 0.26 s on a busy one (docs/experiments.md).
"""

from __future__ import annotations

import os

SPINS = "1000"

# The library reads its environment once, when it is loaded; what a person has set stands.
os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
