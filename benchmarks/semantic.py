"""What finding semantic duplicates costs beside bare faiss, and which pairs it finds.

    python -m benchmarks.semantic [--clips 1000000] [--threshold 9500] [--queries 10000] [--runs 1] [--work FOLDER]

Makes embeddings of 512 dimensions (`benchmarks.semantic_world`), fits cells once, and then finds the near pairs with
both sides, each in a process of its own with two threads, in turns:

ours   float16 -> int16 steps, `assign`, `search_cell` for each cell, pairs each once.
faiss  float16 -> float32, the same centres: IndexFlatIP, or IndexIVFFlat over the routers with as many products, the 6
       nearest cut at the same border; then for each cell an IndexFlatIP of its clips, and range_search with those
       that are at home there: one cell at a time with two threads, or two cells at a time with one each. All ways are
       run, the quickest counts. It neither removes doubles nor orders pairs, and a hot cell may find any number.

Prints both times and their ratio (target 1.5), peak memory, the recall of pairs of so many random clips against all
clips (target 0.99), the growth of CPU seconds from a quarter of the clips, and hot worlds of a quarter of the clips in
which a fifth are one cluster: their time over that of the spread world of that size (target 1.5), once with cells
fitted to it and once with cells that know nothing of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import own_peak_bytes
from benchmarks.semantic_world import DIMENSIONS, Hot, World, read_world, write_world
from curation.duplicates.cells import MAX_CELLS, Cells, border_1e4
from curation.duplicates.search_options import SearchOptions
from curation.duplicates.semantic import cells_for, near_pairs
from curation.duplicates.vectors import STEPS, quantise

THREADS = 2
_BLOCK = 16_384


def fit(root: Path, world: World, options: SearchOptions) -> dict[str, Any]:
    """Fit cells to a world and write them."""
    cells = cells_for(quantise(read_world(world, root / world.name)), options)
    (root / f"{world.name}.cells").write_bytes(cells.to_bytes())
    return {"cells": len(cells.centres)}


def ours(root: Path, world: World, options: SearchOptions, cells: Cells) -> dict[str, Any]:
    """Find the pairs as clipstrata does, and write them."""
    steps = quantise(read_world(world, root / world.name))
    found = near_pairs(np.arange(world.clips), steps, options, cells=cells, threads=THREADS)
    pairs = found.pairs
    np.savez(root / f"{world.name}.pairs.npz", first=pairs.first, second=pairs.second)
    return {"pairs": len(pairs), **vars(found.counts)}


def bare_faiss(root: Path, world: World, options: SearchOptions, cells: Cells) -> dict[str, Any]:
    """Find the pairs with faiss alone."""
    import faiss

    faiss.omp_set_num_threads(THREADS)
    vectors = read_world(world, root / world.name)
    centres, routers = (array.astype(np.float32) / STEPS for array in (cells.centres, cells.routers))
    timed: dict[str, tuple[float, float]] = {}
    assigned = np.empty(0, dtype=np.int64)
    for kind in ("flat", "lists"):
        begun = time.monotonic(), time.process_time()
        index = faiss.IndexFlatIP(DIMENSIONS)
        if kind == "lists" and len(routers) > 1:
            index.add(routers)
            index = faiss.IndexIVFFlat(index, DIMENSIONS, len(routers), faiss.METRIC_INNER_PRODUCT)
            index.train(routers)
            index.nprobe = cells.lists.size // len(centres)
        index.add(centres)
        blocks = range(0, world.clips, _BLOCK)
        found = [index.search(vectors[start : start + _BLOCK].astype(np.float32), MAX_CELLS) for start in blocks]
        scores, numbers = (np.concatenate(part) for part in zip(*found, strict=True))
        numbers[scores < scores[:, :1] - border_1e4(options.threshold_1e4) / 10_000] = -1
        timed[kind] = time.monotonic() - begun[0], time.process_time() - begun[1]
        assigned = numbers if kind == "flat" else assigned
    lists = _lists(assigned)
    pairs = 0
    for kind, at_a_time in (("one", 1), ("two", THREADS)):
        begun = time.monotonic(), time.process_time()
        faiss.omp_set_num_threads(THREADS // at_a_time)
        with ThreadPoolExecutor(at_a_time) as pool:
            pairs = sum(pool.map(lambda cell: _faiss_cell(vectors, *cell, options), lists))
        timed[kind] = time.monotonic() - begun[0], time.process_time() - begun[1]
    counted = [min(timed["flat"], timed["lists"]), min(timed["one"], timed["two"])]
    return {
        "pairs": pairs,
        "timed": {kind: [round(value, 1) for value in own] for kind, own in timed.items()},
        "wall_s": sum(own[0] for own in counted),
        "cpu_s": sum(own[1] for own in counted),
    }


def _lists(assigned: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    flat = assigned.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.searchsorted(flat[order], 0) :]
    parts = np.split(order, np.flatnonzero(np.diff(flat[order])) + 1)
    return [(own // MAX_CELLS, own % MAX_CELLS == 0) for own in parts]


def _faiss_cell(
    vectors: NDArray[np.float16], own: NDArray[np.int64], home: NDArray[np.bool_], options: SearchOptions
) -> int:
    import faiss

    rows = vectors[own].astype(np.float32)
    index = faiss.IndexFlatIP(DIMENSIONS)
    index.add(rows)
    limits, _, numbers = index.range_search(np.ascontiguousarray(rows[home]), options.threshold_1e4 / 10_000)
    # Each finds itself.
    return len(numbers) - (len(limits) - 1)


def exact(root: Path, world: World, options: SearchOptions, queries: int) -> dict[str, Any]:
    """Compare random clips with all clips, and say which share of their pairs was found."""
    steps = quantise(read_world(world, root / world.name))
    asked = np.sort(np.random.default_rng(7).permutation(world.clips)[:queries])
    rows = unit_rows(read_world(world, root / world.name)[asked])
    stored = steps[asked].astype(np.float32)
    found = np.load(root / f"{world.name}.pairs.npz")
    codes = np.sort(found["first"] * world.clips + found["second"])
    near: dict[str, int] = {"cosine": 0, "stored": 0}
    hit: dict[str, int] = {"cosine": 0, "stored": 0}
    threshold = options.threshold_1e4 / 10_000
    vectors = read_world(world, root / world.name)
    for start in range(0, world.clips, 4_096):
        block = steps[start : start + 4_096].astype(np.float32)
        first, second = np.nonzero(stored @ block.T >= (threshold - 0.002) * STEPS * STEPS)
        products = (stored[first] * block[second]).sum(axis=1, dtype=np.float64)
        lengths = np.linalg.norm(stored[first], axis=1) * np.linalg.norm(block[second], axis=1)
        others = unit_rows(vectors[start : start + 4_096])
        cosines = {
            "stored": np.rint(products / lengths * 10_000) / 10_000,
            "cosine": (rows[first] * others[second]).sum(axis=1),
        }
        one, other = asked[first], second + start
        code = np.minimum(one, other) * world.clips + np.maximum(one, other)
        known = codes[np.minimum(np.searchsorted(codes, code), len(codes) - 1)] == code
        for kind, values in cosines.items():
            told = (one != other) & (values >= threshold)
            near[kind] += int(told.sum())
            hit[kind] += int((told & known).sum())
    return {"near": near, "hit": hit}


def unit_rows(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return vectors as float32 at length 1."""
    rows = vectors.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def one_side(options: argparse.Namespace) -> None:
    """Be the process of one side."""
    world = World(clips=options.clips, hot=options.hot)
    search = SearchOptions(threshold_1e4=options.threshold)
    started = time.monotonic(), time.process_time()
    if options.side == "fit":
        facts = fit(options.work, world, search)
    elif options.side == "exact":
        facts = exact(options.work, world, search, options.queries)
    else:
        cells = Cells.from_bytes((options.work / options.cells).read_bytes())
        facts = {"ours": ours, "faiss": bare_faiss}[options.side](options.work, world, search, cells)
    spent = {
        "wall_s": time.monotonic() - started[0],
        "cpu_s": time.process_time() - started[1],
        "peak_mb": own_peak_bytes() / 1e6,
    }
    sys.stdout.write(json.dumps(spent | facts) + "\n")


class Bench:
    """The runs over the files of one folder."""

    def __init__(self, work: Path, threshold: int, queries: int) -> None:
        self.work, self.threshold, self.queries = work, threshold, queries

    def world(self, clips: int, hot: Hot = "none") -> World:
        """Return a world whose file is there."""
        world = World(clips=clips, hot=hot)
        if not (self.work / world.name).exists():
            write_world(world, self.work / world.name)
        return world

    def side(self, side: str, world: World, cells: World | None = None) -> dict[str, Any]:
        """Run one side in a process of its own; print and return its facts."""
        command = [sys.executable, "-m", "benchmarks.semantic", "--side", side, "--work", str(self.work)]
        command += ["--clips", str(world.clips), "--hot", world.hot, "--threshold", str(self.threshold)]
        command += ["--queries", str(self.queries), "--cells", f"{(cells or world).name}.cells"]
        # Ours searches two cells at a time, each with one thread of BLAS.
        threads = {"ours": 1, "fit": 1}.get(side, THREADS)
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        facts = dict(json.loads(done.stdout.splitlines()[-1]))
        sys.stdout.write(f"{side:6} {world.name} {json.dumps(facts)}\n")
        sys.stdout.flush()
        return facts

    def run(self, clips: int, runs: int) -> list[str]:
        """Run everything and return the lines that say what came out."""
        whole, quarter = self.world(clips), self.world(clips // 4)
        fitted = self.side("fit", whole)
        both = [(self.side("ours", whole), self.side("faiss", whole)) for _ in range(runs)]
        recall = self.side("exact", whole)
        self.side("fit", quarter)
        small = self.side("ours", quarter)
        ratio = statistics.median(own["wall_s"] / peer["wall_s"] for own, peer in both)
        own, peer = both[-1]
        lines = [
            f"{clips} clips, {fitted['cells']} cells fitted in {fitted['wall_s']:.1f} s, threshold {self.threshold}",
            f"ours   {own['wall_s']:7.1f} s {own['cpu_s']:7.1f} CPU-s {own['peak_mb']:6.0f} MB, {own['pairs']} pairs",
            f"faiss  {peer['wall_s']:7.1f} s {peer['cpu_s']:7.1f} CPU-s {peer['peak_mb']:6.0f} MB",
            f"ratio of wall times {ratio:.2f}, of CPU times {own['cpu_s'] / peer['cpu_s']:.2f} (target 1.5)",
            *(
                f"recall of pairs, {kind}: {recall['hit'][kind]} of {near} "
                f"{recall['hit'][kind] / max(1, near):.4f} (target 0.99)"
                for kind, near in recall["near"].items()
            ),
            f"CPU per clip, whole over quarter: {own['cpu_s'] / small['cpu_s'] / (clips / quarter.clips):.2f}",
        ]
        for hot, fits in (("near", True), ("near", False), ("equal", False)):
            lines.append(self._hot(quarter, hot, fits, small))
        return lines

    def _hot(self, quarter: World, hot: Hot, fits: bool, spread: dict[str, Any]) -> str:
        world = self.world(quarter.clips, hot)
        if fits:
            self.side("fit", world)
        found = self.side("ours", world, world if fits else quarter)
        known = "cells fitted to it" if fits else "cells that know nothing of it"
        wall, cpu = (found[what] / spread[what] for what in ("wall_s", "cpu_s"))
        return f"a fifth {hot}, {known}: {wall:.2f} of the spread time, {cpu:.2f} of its CPU time (target 1.5)"


def main() -> int:
    """Read the command line and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--threshold", type=int, default=9_500)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--side", choices=("fit", "ours", "faiss", "exact"), default=None, help=argparse.SUPPRESS)
    parser.add_argument("--hot", choices=("none", "near", "equal"), default="none", help=argparse.SUPPRESS)
    parser.add_argument("--cells", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        one_side(options)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) if options.work is None else options.work
        bench = Bench(work, options.threshold, options.queries)
        sys.stdout.write("\n".join(bench.run(options.clips, options.runs)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
