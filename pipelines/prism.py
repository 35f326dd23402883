"""Prism as the engine: the binary that `make prism` builds, and no download."""

from __future__ import annotations

from pathlib import Path

from pipelines.flags import EngineOptionsError, GivenFlags

PRISM = "prism"


def prism_defaults(given: GivenFlags, tools: Path) -> tuple[str, ...]:
    """Return what must be added to the flags given.

    Raises:
        EngineOptionsError: Prism is not there: Beam would download it from a host that may not answer.
    """
    if given.has("prism_location") or given.has("job_endpoint"):
        return ()
    binary = tools / PRISM
    if not binary.is_file():
        raise EngineOptionsError(
            f"--runner=PrismRunner: there is no Prism at {binary}; allowed: a file there, or --prism_location=FILE; "
            "`make prism` builds it"
        )
    return (f"--prism_location={binary}",)
