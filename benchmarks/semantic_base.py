"""What comparing the embeddings of new clips with a base costs, where the base keeps its cells.

    python -m benchmarks.semantic_base [--clips 1000000] [--threshold 9500] [--queries 2000] [--work FOLDER]

Embeddings as in `benchmarks.semantic_world`; every tenth clip is new. Each measurement is a process of its own with one
thread, from float16 to pairs:

all     cells fitted to all clips, and all compared with all
base    new ones compared among themselves in cells fitted to them, and with all others in the cells of those, which
        were written before (target 0.35 of `all`)
part    the same beside a quarter of the others. A cell costs what it holds, however few new clips lie there, so this
        grows with the base until each new clip has cells of its own; then it stands still

Prints wall and CPU seconds, peak memory, bytes of the index per clip, and which share of the pairs between so many new
clips and the old ones was found (target 0.99); ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.memory import own_peak_bytes
from benchmarks.semantic_world import World, read_world, write_world
from curation.arrays import array_bytes, open_array
from curation.duplicates.cell_index import CELL_ARRAYS, CellIndex, index_cells
from curation.duplicates.cells import Cells
from curation.duplicates.semantic import cells_for, near_pairs
from curation.duplicates.tasks import CellSide, cell_rows, search_cells, search_options
from curation.duplicates.vectors import STEPS, Steps, quantise
from curation.store import LocalStore
from schemas.duplicates import SemanticOptions

NEW_EVERY = 10
BASE_TARGET, RECALL_TARGET = 0.35, 0.99
_BLOCK = 4_096


class KeptCells:
    """The cells of old clips in files of a folder, opened as a later build opens them."""

    def __init__(self, folder: Path, places: NDArray[np.int64], steps: Steps, policy: SemanticOptions) -> None:
        self.store, self.places, self.policy = LocalStore(folder), places, policy
        cells = cells_for(steps, search_options(policy))
        index = index_cells([(0, _homes(steps, cells, policy))])
        self.store.write("cells.bin", cells.to_bytes())
        for name in CELL_ARRAYS:
            self.store.write(f"{name}.npy", array_bytes(getattr(index, name)))
        self.store.write("vectors.npy", array_bytes(steps))
        self.bytes = sum(self.store.size(path) for path in self.store.list("."))

    def find_pairs(self, places: NDArray[np.int64], steps: Steps) -> pl.DataFrame:
        """Return `a` and `b` of the pairs of a new clip with an old one."""
        own = _homes(steps, Cells.from_bytes(self.store.read("cells.bin")), self.policy)
        index = CellIndex(*(open_array(self.store, f"{name}.npy") for name in CELL_ARRAYS))
        found = index.find(own["cell"].unique().sort().to_numpy().astype(np.uint32))
        known = found.select("cell", "place", "home", node="place", known=True)
        told = own.with_columns(known=False).select(known.columns).cast(known.schema)
        sides = [
            CellSide(rows=told, nodes=_names(places), steps=steps),
            CellSide(rows=known, nodes=_names(self.places), steps=open_array(self.store, "vectors.npy")),
        ]
        return search_cells(sides, self.policy, between=True)[0].select("a", "b")


def _homes(steps: Steps, cells: Cells, policy: SemanticOptions) -> pl.DataFrame:
    return cell_rows(steps, np.arange(len(steps)), cells, policy, 0).drop("part")


def _names(places: NDArray[np.int64]) -> NDArray[np.bytes_]:
    return places.astype("S64")


def measure(kind: str, world: World, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Be the process of one measurement."""
    policy, vectors = SemanticOptions(min_cosine=options.threshold / 10_000), read_world(world, root / world.name)
    search = search_options(policy)
    if kind == "all":
        begun = time.monotonic(), time.process_time()
        pairs = near_pairs(np.arange(world.clips), quantise(vectors), search)
        return {"kind": kind, "clips": world.clips, **_spent(begun), "pairs": len(pairs.pairs)}
    is_new = np.arange(world.clips) % NEW_EVERY == NEW_EVERY - 1
    new, old = np.flatnonzero(is_new), np.flatnonzero(~is_new)
    old = old[: len(old) // 4] if kind == "part" else old
    with tempfile.TemporaryDirectory(dir=root) as folder:
        kept = KeptCells(Path(folder), old, quantise(vectors[old]), policy)
        begun = time.monotonic(), time.process_time()
        steps = quantise(vectors[new])
        among = near_pairs(new, steps, search)
        found = kept.find_pairs(new, steps)
        facts = {"kind": kind, "new": len(new), "old": len(old), **_spent(begun)}
        stored = open_array(kept.store, "vectors.npy")
        hit, near = recall(found, (new, steps), (old, stored), options)
    sizes = {"index_bytes": round(kept.bytes / len(old)), "pairs": found.height, "among": len(among.pairs)}
    return {**facts, **sizes, "near": near, "found": round(hit / max(near, 1), 4)}


def _spent(begun: tuple[float, float]) -> dict[str, float]:
    spent = time.monotonic() - begun[0], time.process_time() - begun[1]
    return {"wall_s": round(spent[0], 1), "cpu_s": round(spent[1], 1), "peak_mb": own_peak_bytes() // 10**6}


def recall(
    found: pl.DataFrame,
    new: tuple[NDArray[np.int64], Steps],
    old: tuple[NDArray[np.int64], Steps],
    options: argparse.Namespace,
) -> tuple[int, int]:
    """Return how many of the pairs between some new clips and all old ones were found, and how many there are."""
    asked = np.sort(np.random.default_rng(7).permutation(len(new[0]))[: options.queries])
    rows = new[1][asked].astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    met = {frozenset((int(a), int(b))) for a, b in found.iter_rows()}
    hit = near = 0
    for start in range(0, len(old[0]), _BLOCK):
        block = old[1][start : start + _BLOCK].astype(np.float32)
        first, second = np.nonzero(rows @ block.T >= (options.threshold / 10_000 - 0.002) * STEPS * STEPS)
        products = (rows[first] * block[second]).sum(axis=1, dtype=np.float64)
        cosines = np.rint(products / (lengths[first] * np.linalg.norm(block[second], axis=1)) * 10_000)
        for one, other in zip(first[cosines >= options.threshold], second[cosines >= options.threshold], strict=True):
            near += 1
            hit += frozenset((int(new[0][asked[one]]), int(old[0][start + other]))) in met
    return hit, near


def _run(kind: str, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.semantic_base", "--kind", kind, "--work", str(root)]
    for name in ("clips", "threshold", "queries"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    facts: dict[str, Any] = json.loads(done.stdout)
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    return facts


def compare(root: Path, options: argparse.Namespace) -> int:
    """Run everything in a folder, print what came out, and say whether the targets are met."""
    world = World(clips=options.clips)
    if not (root / world.name).exists():
        write_world(world, root / world.name)
    part, base, whole = (_run(kind, root, options) for kind in ("part", "base", "all"))
    ratio, grown = base["cpu_s"] / whole["cpu_s"], base["cpu_s"] / part["cpu_s"]
    sys.stdout.write(
        f"a tenth new beside the cells of the others: {ratio:.2f}x of comparing all (target {BASE_TARGET})\n"
        f"the same beside four times as many: {grown:.2f}x\n"
        f"pairs of new and old clips found: {base['found']:.4f} of {base['near']} (target {RECALL_TARGET})\n"
    )
    return 0 if ratio <= BASE_TARGET and base["found"] >= RECALL_TARGET else 1


def main() -> int:
    """Read the command line and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--threshold", type=int, default=9_500)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--kind", choices=("all", "base", "part"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        facts = measure(options.kind, World(clips=options.clips), options.work, options)
        sys.stdout.write(json.dumps(facts) + "\n")
        return 0
    if options.work is not None:
        return compare(options.work, options)
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), options)


if __name__ == "__main__":
    sys.exit(main())
