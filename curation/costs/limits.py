"""Where the limits of engines, stores and clipstrata itself bite: each with the plan's number beside it."""

from __future__ import annotations

from dataclasses import dataclass

from curation.judging.rows import SAMPLES_PER_GROUP, UNITS_PER_GROUP
from curation.packing import FINE_BITS
from schemas.costs import Reached

# A name of a unit in a list of them, as JSON or as an element.
_UNIT_NAME_BYTES = 45
# A commit as the driver holds it while it plans, and a shard's entry in a manifest.
_COMMIT_KB, _SHARD_ENTRY_BYTES = 4.0, 420
_MB, _GB = 1e6, 1e9
DUPLICATE_TASKS = 1 << 10
"""Of `pipelines.duplicates.MAX_BITS`."""

# docs.cloud.google.com/dataflow/quotas and /dataflow/docs/request-quotas, read 2026-11-30.
DATAFLOW_GRAPH_MB, DATAFLOW_INSTANCES = 10.0, 4_000
# docs.aws.amazon.com/AmazonS3: optimizing performance, per prefix; a bucket splits prefixes by itself, within an hour.
S3_PUT_PER_S = 3_500
# Flink: a job's key groups, `pipeline.max-parallelism`.
FLINK_MAX_PARALLELISM = 32_768
# Protocol buffers and gRPC as Beam sets them: no element may be larger; ours stay far below (docs/engines.md).
ELEMENT_KB = 64.0
# Of a driver: what a machine of 32 GB can hold of the run at once; a manifest that readers still load in seconds.
DRIVER_GB, MANIFEST_MB = 16.0, 200.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The numbers of a plan that limits are about.

    Attributes:
        workers: cores at work.
        objects_per_s: that ingest writes, all workers together.
    """

    clips: float
    sources: int
    units: int
    shards: int
    machines: int
    workers: int
    objects_per_s: float


def limits_of(scale: Scale) -> tuple[Reached, ...]:
    """Return the limits, those that bite first."""
    groups = max(scale.clips / SAMPLES_PER_GROUP, scale.units / UNITS_PER_GROUP)
    names_mb = scale.units * _UNIT_NAME_BYTES / _MB
    found = [
        Reached(
            what="MB of unit names in the graph of judge",
            where="Dataflow: job graph, 10 MB",
            value=names_mb,
            limit=DATAFLOW_GRAPH_MB,
            mend="raise videos_per_unit; Flink has no such limit",
        ),
        Reached(
            what="GB of unit commits that the driver holds",
            where="clipstrata: judge plans from all of them",
            value=scale.units * _COMMIT_KB * 1e3 / _GB,
            limit=DRIVER_GB,
            mend="raise videos_per_unit, or start from a larger machine",
        ),
        Reached(
            what="MB of a manifest",
            where="clipstrata: one JSON file for all shards",
            value=scale.shards * _SHARD_ENTRY_BYTES / _MB,
            limit=MANIFEST_MB,
            mend="raise shards.max_mb",
        ),
        Reached(
            what="shards of one source, on average",
            where="clipstrata: 16 bits of a key's hash choose its shard",
            value=scale.shards / max(1, scale.sources),
            limit=float(1 << FINE_BITS),
            mend="raise shards.max_mb",
        ),
        Reached(
            what="clips that one task of the search for duplicates compares",
            where="clipstrata: at most 1,024 tasks of 50,000 clips, four times as many fit into 4 GB",
            value=scale.clips / DUPLICATE_TASKS,
            limit=200_000.0,
            mend="duplicates: {scope: source}, or build in parts, each with the one before as its base",
        ),
        Reached(
            what="kB of the largest element, a group's unit names",
            where="clipstrata: every shuffled element",
            value=min(UNITS_PER_GROUP, scale.units / max(1.0, groups)) * _UNIT_NAME_BYTES / 1e3,
            limit=ELEMENT_KB,
            mend="report it: groups are cut before that",
        ),
        Reached(
            what="machines",
            where="Dataflow: instances of a batch job with its shuffle service",
            value=float(scale.machines),
            limit=float(DATAFLOW_INSTANCES),
            mend="take fewer, larger machines, or split the corpus and name a base",
        ),
        Reached(
            what="parallel tasks",
            where="Flink: pipeline.max-parallelism",
            value=float(scale.workers),
            limit=float(FLINK_MAX_PARALLELISM),
            mend="split the corpus and name a base",
        ),
        Reached(
            what="objects written a second, of 256 prefixes of media/",
            where="S3: 3,500 a second for each prefix that it has split off",
            value=scale.objects_per_s,
            limit=256.0 * S3_PUT_PER_S,
            mend="take fewer workers",
        ),
        Reached(
            what="objects written a second before S3 has split the prefixes",
            where="S3: 3,500 a second",
            value=scale.objects_per_s,
            limit=float(S3_PUT_PER_S),
            mend="begin with fewer workers for an hour, or ask for the prefixes to be split",
        ),
        Reached(
            what="cores for each unit of work",
            where="clipstrata: a unit is done by one worker",
            value=scale.workers / max(1, scale.units),
            limit=0.1,
            mend="lower videos_per_unit, or take fewer workers: the last units leave most of them idle",
        ),
    ]
    return tuple(sorted(found, key=lambda own: not own.is_over))
