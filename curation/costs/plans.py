"""A plan: amounts times rates, on machines, with what it stores and which limits it meets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from curation.costs.limits import Scale, limits_of
from curation.costs.rates import predicted_cpu_s
from schemas.corpus import CorpusConfig
from schemas.costs import COST_STAGES, BuildPlan, CostModel, StageCost, Workload
from schemas.units import unit_bits

_HOUR_S = 3600.0
# Of a clip's objects, the clip and its score frames; the rest is shared by a unit.
_OBJECTS_PER_CLIP = 2


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What a build runs on.

    Attributes:
        count, cores: machines, and cores of each.
        core_hour_price: of one core, in any currency.
        gpu_tflops: what the accelerator that scores reaches in practice, in units of 10**12 a second; None scores on
            the cores.
    """

    count: int
    cores: int
    core_hour_price: float | None = None
    gpu_tflops: float | None = None

    @property
    def workers(self) -> int:
        """Cores of all machines."""
        return self.count * self.cores


def plan_build(config: CorpusConfig, workload: Workload, model: CostModel, machines: Machines, basis: str) -> BuildPlan:
    """Return what a build comes to.

    Args:
        basis: where the workload comes from.
    """
    on_gpu = machines.gpu_tflops is not None
    own = workload.model_copy(update={"score_gflop": 0.0}) if on_gpu else workload
    stages = []
    for stage in COST_STAGES:
        core_hours = predicted_cpu_s(model.stages[stage], own) / _HOUR_S
        price = machines.core_hour_price
        stages.append(
            StageCost(
                stage=stage,
                core_hours=core_hours,
                wall_hours=core_hours / machines.workers,
                shuffled_gb=workload.clips * model.shuffled_kb[stage] / 1e6,
                money=None if price is None else core_hours * price,
            )
        )
    units = _units(workload.videos, len(config.sources), config.videos_per_unit)
    shard_mb = workload.media_mb + workload.clips * model.tables_mb
    shards = max(len(config.sources), math.ceil(shard_mb / config.shards.max_mb * 4 / 3))
    ingest_s = stages[0].wall_hours * _HOUR_S
    scale = Scale(
        clips=workload.clips,
        sources=len(config.sources),
        units=units,
        shards=shards,
        machines=machines.count,
        workers=machines.workers,
        objects_per_s=workload.clips * _OBJECTS_PER_CLIP / ingest_s if ingest_s else 0.0,
    )
    return BuildPlan(
        corpus=config.corpus,
        basis=basis,
        workload=workload,
        machines=machines.count,
        cores=machines.cores,
        stages=tuple(stages),
        gpu_hours=workload.score_gflop / 1e3 / machines.gpu_tflops / _HOUR_S if machines.gpu_tflops else None,
        storage_gb=_storage_gb(config, workload, model, shard_mb),
        units=units,
        shards=shards,
        limits=limits_of(scale),
    )


def _units(videos: float, sources: int, videos_per_unit: int) -> int:
    """Return the units of sources of one size: each has as many as a power of two."""
    return sources * (1 << unit_bits(math.ceil(videos / sources), videos_per_unit))


def _storage_gb(config: CorpusConfig, workload: Workload, model: CostModel, shard_mb: float) -> dict[str, float]:
    frames_mb = workload.frames_mpx * model.frames_mb_per_mpx if config.scorer.keep_frames else 0.0
    found = {"clips": workload.media_mb, "score frames": frames_mb, "tables": workload.clips * model.tables_mb}
    return {name: own_mb / 1e3 for name, own_mb in {**found, "shards": shard_mb}.items()}
