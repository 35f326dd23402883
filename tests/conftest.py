"""Before any test module loads torch: how its threads wait is read once, when it is loaded."""

from curation.threads import SPINS

assert SPINS
