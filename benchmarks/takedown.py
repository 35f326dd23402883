"""What a takedown costs: ten clips of a run whose shards are many.

    python -m benchmarks.takedown RUN --work DIR [--shards 1000] [--clips 10]

Copies a finished run, for example the demo's, packs it into about as many small shards, and takes down clips of as many
different shards by `clipstrata takedown`, in a process of its own. Prints the time, what was written and what stayed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import polars as pl

from curation.store import LocalStore
from curation.verify import verify_run
from pipelines.engine import EngineOptions
from pipelines.run_folder import Run, open_run, read_run
from pipelines.stages import judge, shard
from pipelines.watching import Watcher
from schemas.corpus import CorpusConfig
from training.data import read_run_manifest


def packed_small(root: Path, shards: int) -> Run:
    """Pack a run anew into at least so many shards, as far as its samples go."""
    config = CorpusConfig.model_validate(read_run(root).config)
    most = max(1, 4 * sum(facts.samples for facts in read_run_manifest(root).shards) // shards)
    while True:
        # The buckets of a tier and source are halved together until the fullest fits, so most are about half full.
        options = config.shards.model_copy(update={"max_samples": most})
        run = open_run(config.model_copy(update={"shards": options}), root)
        manifest = shard(run, EngineOptions(), Watcher(quiet=True), judge(run, EngineOptions(), Watcher(quiet=True)))
        if len(manifest.shards) >= shards or most == 1:
            return run
        most = max(1, most // 2)


def clip_ids(root: Path, clips: int, seed: int = 0) -> list[str]:
    """Return clips of as many different shards, drawn by a seed."""
    selection = pl.read_parquet(root / "selection" / "*.parquet").filter(pl.col("shard_bucket").is_not_null())
    samples = pl.read_parquet(root / "samples" / "**" / "*.parquet", columns=["sample_id", "clip_id"])
    rows = selection.join(samples.unique("sample_id"), on="sample_id").sort("sample_id")
    first = rows.unique(["source", "tier", "shape", "shard_bucket"], keep="first", maintain_order=True)
    found = first["clip_id"].unique(maintain_order=True).to_list()
    if len(found) < clips:
        raise ValueError(f"{clips} clips of as many shards are asked for; allowed: up to {len(found)}")
    return random.Random(seed).sample(found, clips)


def main() -> int:
    """Run it; exit 1 where the run does not verify afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="a new folder, for a copy of the run")
    parser.add_argument("--shards", type=int, default=1_000)
    parser.add_argument("--clips", type=int, default=10)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    root = arguments.work / "run"
    shutil.copytree(arguments.run, root)
    packed_small(root, arguments.shards)
    before, ids = read_run_manifest(root), arguments.work / "ids.txt"
    ids.write_text("".join(f"clip:{clip}\n" for clip in clip_ids(root, arguments.clips)))
    started = time.perf_counter()
    command = [sys.executable, "-m", "beam_runner", "takedown", str(root), "--ids", str(ids)]
    subprocess.run(command, check=True)
    seconds, after = time.perf_counter() - started, read_run_manifest(root)
    kept = {(facts.path, facts.sha256) for facts in before.shards}
    written = [facts for facts in after.shards if (facts.path, facts.sha256) not in kept]
    total_bytes = sum(facts.bytes for facts in before.shards)
    written_bytes = sum(facts.bytes for facts in written)
    problems = verify_run(LocalStore(root), CorpusConfig.model_validate(read_run(root).config)).problems
    print_line(
        f"{arguments.clips} clips of {len(before.shards):,} shards, {total_bytes / 1e6:,.1f} MB: {seconds:.1f} s"
    )
    print_line(f"  {len(after.shards) - len(written):,} shards stayed, {len(written)} were written")
    print_line(f"  written {written_bytes / 1e6:,.2f} MB, {written_bytes / total_bytes:.1%} of all")
    print_line(
        f"  samples {sum(f.samples for f in before.shards):,} before, {sum(f.samples for f in after.shards):,} after"
    )
    print_line(f"  verify: {len(problems)} problems")
    return 1 if problems else 0


def print_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
