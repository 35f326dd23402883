"""Rates of a cost model: fitted to builds whose CPU time was measured, and applied to builds to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from scipy.optimize import nnls

from schemas.costs import CostModel, CostStage, StageRates, Workload

# What a stage's time grows with. Judging and packing open no video.
GROWS_WITH: dict[CostStage, tuple[str, ...]] = {
    "ingest": ("videos", "clips", "source_mpx", "clip_mpx", "score_gflop"),
    "judge": ("clips",),
    "shard": ("clips", "media_mb"),
}
MEASURED_JSON = "measured.json"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A build's stage: what it did, and the CPU seconds of all its processes."""

    workload: Workload
    cpu_s: float


def fit_rates(stage: CostStage, builds: Sequence[Measured]) -> StageRates:
    """Return the rates that tell these builds best, none of them negative (`scipy.optimize.nnls`).

    Errors count in shares of a build's time, so that a small build says as much as a large one.

    Raises:
        ValueError: there are fewer builds than rates.
    """
    names = GROWS_WITH[stage]
    if len(builds) < len(names) + 1:
        raise ValueError(f"{len(builds)} builds of {stage}; allowed: {len(names) + 1} or more, which differ")
    rows = np.array([[1.0, *(getattr(build.workload, name) for name in names)] for build in builds])
    times = np.array([build.cpu_s for build in builds])
    # Columns of one size, or the solver stops early at amounts of millions.
    scale = rows.max(axis=0)
    scale[scale == 0] = 1.0
    found, _ = nnls(rows / scale / times[:, None], np.ones(len(times)))
    start_s, *rates = found / scale
    return StageRates(
        start_cpu_s=float(start_s), cpu_s={name: float(rate) for name, rate in zip(names, rates, strict=True)}
    )


def predicted_cpu_s(rates: StageRates, workload: Workload) -> float:
    """Return the CPU seconds of a stage."""
    return rates.start_cpu_s + sum(rate * getattr(workload, name) for name, rate in rates.cpu_s.items())


def shipped_model() -> CostModel:
    """Return the model that was measured for this version."""
    return CostModel.model_validate_json((files("curation.costs") / MEASURED_JSON).read_bytes())
