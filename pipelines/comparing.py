"""Statistics of runs beside each other: comparing two, checking limits, adding several up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curation.drift import broken_limits, compare_runs
from curation.run_statistics import merge_statistics, merge_tables
from curation.stores import open_store
from pipelines.run_folder import read_statistics
from schemas.canonical import canonical_json
from schemas.config_file import ConfigError, load_yaml
from schemas.drift import BrokenLimit, Drift, DriftLimits
from schemas.run import RUN_JSON, STATISTICS_JSON, RunAddress
from schemas.statistics import Statistics


def compare(now: RunAddress, before: RunAddress) -> Drift:
    """Return how a run differs from another one.

    Raises:
        ConfigError: a folder holds no statistics, or their scores do not compare.
    """
    return compare_runs(read_statistics(now), read_statistics(before))


def check(now: RunAddress, before: RunAddress, limits: Path) -> tuple[Drift, list[BrokenLimit]]:
    """Return how a run differs from another one, and the limits that this passes.

    Raises:
        ConfigError: as `compare`, or the file of limits is wrong.
    """
    wanted = load_yaml(limits, DriftLimits, what="limits file", guide="docs/statistics.md")
    drift = compare(now, before)
    compared = {source.source for source in drift.sources} | {source.source for source in drift.rejects}
    known = compared | {*drift.only_here, *drift.only_before}
    strangers = sorted(set(wanted.sources) - known)
    if strangers:
        raise ConfigError(f"limits file {limits}: names sources {strangers}; allowed: {', '.join(sorted(known))}")
    return drift, broken_limits(drift, wanted)


def merge_stats(folders: Sequence[RunAddress], out: RunAddress) -> Statistics:
    """Write the sum of runs' statistics as `out`/stats.

    Raises:
        ConfigError: a folder holds no statistics, they do not add up, or `out` is a run.
    """
    store = open_store(out)
    if store.exists(RUN_JSON) or store.address in [open_store(folder).address for folder in folders]:
        raise ConfigError(f"--out {out}: is a run; allowed: a new folder, or one that merge-stats wrote")
    merged = merge_statistics([read_statistics(folder) for folder in folders])
    mixed = {source.name for source in merged.sources if source.cuts is None}
    files = merge_tables([open_store(folder) for folder in folders], mixed)
    for path, data in files.items():
        store.write(path, data)
    store.write(STATISTICS_JSON, canonical_json(merged.model_dump(mode="json"), indent=1))
    return merged
