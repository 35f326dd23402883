"""What a base costs a build on top of it beside its index: its samples, times and groups are read as columns.

    python -m benchmarks.base_columns [--clips 200000]

Makes a scored run without media (`benchmarks.judge_world`) whose samples are all in the shards, and reads it as the
duplicates stage reads a base that has an index: its frame hashes and embeddings stay where they are. Prints CPU seconds
for a million clips of base; one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.judge_world import SCORER, WorldSize, make_run, world_config
from curation.judging.rows import UnitGroup, group_units
from pipelines.base import Base
from pipelines.duplicate_index import BaseIndex, cell_facts
from pipelines.duplicate_job import DuplicatesJob, base_group
from pipelines.duplicate_steps import TellBase
from pipelines.run_folder import Run
from pipelines.units import ScoredUnits
from schemas.duplicates import DuplicatePolicy
from schemas.run import selection_path

BITS = 5
NEW = "new-00000"


def select_all(run: Run, units: ScoredUnits, group: UnitGroup) -> int:
    """Write a selection by which all samples of a group are in the shards; returns how many there are."""
    parts = [pl.read_parquet(run.store.read(units.read(name).parts["samples"].path)) for name in group.units]
    rows = pl.concat(parts).select("sample_id", score_1e4=pl.lit(3_000), shard_bucket=pl.lit(0)).unique("sample_id")
    path = run.root / selection_path(group.source, group.part)
    path.parent.mkdir(exist_ok=True)
    rows.write_parquet(path)
    return rows.height


def main() -> int:
    """Make the run, read it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200_000)
    clips = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        size = WorldSize(sources=1, samples=clips, texts=1)
        run = make_run(size, world_config(size, Path(folder)), Path(folder) / "run")
        names = tuple(path.rsplit("/", 1)[1].removesuffix(".json") for path in run.store.list("units"))
        units = ScoredUnits(root=str(run.root), scoring=SCORER.scoring, names=names)
        groups = tuple(group_units(units.read(name) for name in names))
        told = sum(select_all(run, units, group) for group in groups)
        policy = DuplicatePolicy()
        index = BaseIndex(
            root=str(run.root),
            bits=BITS,
            groups=tuple(group.name for group in groups),
            scopes=(),
            parts=frozenset(),
            perceptual=True,
            semantic=cell_facts(round(policy.semantic.min_cosine * 10_000)),
        )
        base = Base(units=units, groups=groups, origins={"s00": "clean"}, name="made", clips=told, index=index)
        job = DuplicatesJob(
            policy=policy,
            units=units,
            folder="tmp/columns",
            groups=(NEW, *(base_group(0, group) for group in groups)),
            benchmarks=0,
            bits=BITS,
            bases=(base,),
        )
        begun = time.process_time()
        for group in groups:
            list(TellBase(job).process((0, group)))
        spent = time.process_time() - begun
    facts = {"clips": told, "cpu_s": round(spent, 2), "cpu_s_per_million": round(spent / told * 1e6, 1)}
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
