"""Who is kept in groups of a million edges: nobody is dropped without a kept neighbour; and what that costs.

    python -m benchmarks.survivors [--edges 1000000] [--runs 3]

For each kind of graph about so many edges are decided at once, in a process of its own: chains in keeper order and
mixed, stars whose hub comes second, cliques, random edges, ties only, and all of these joined into one group. Beside
it stands SemDeDup's rule on the same edges and the same order: drop a clip when any that comes earlier is near, even
if that one was dropped itself (https://github.com/facebookresearch/SemDeDup, `semdedup.py`). Both are checked by the
same count: dropped clips none of whose neighbours is kept. Prints times, peak memory and CPU seconds per edge over a
quarter of the edges, and what labelling the components of these edges takes. Ends with 1 when `decide_group` leaves
one such clip, names a keeper that is none, or keeps two neighbours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.memory import own_peak_bytes
from curation.duplicates import Candidate, Edge, GroupDecision, decide_group
from curation.duplicates.components import label_components
from schemas.records import Origin

SEED = 7
STAR_LEAVES = 10_000
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """Edges between numbered clips.

    Attributes:
        left, right: int64 [m].
        score: int64 [n], in 1e-4: the higher, the earlier in keeper order; ties go by the id.
        similarity: int64 [m], in 1e-4.
    """

    left: Numbers
    right: Numbers
    score: Numbers
    similarity: Numbers


def _graph(left: Numbers, right: Numbers, score: Numbers, rng: np.random.Generator) -> Graph:
    # Few different values: many ties.
    return Graph(left, right, score, rng.integers(9_000, 9_010, len(left)))


def chain(edges: int, rng: np.random.Generator) -> Graph:
    """Return a chain whose scores fall along it: each clip is near the one before it."""
    places = np.arange(edges + 1)
    return _graph(places[:-1], places[1:], -places, rng)


def mixed_chain(edges: int, rng: np.random.Generator) -> Graph:
    """Return a chain whose scores have nothing to do with it."""
    places = np.arange(edges + 1)
    return _graph(places[:-1], places[1:], rng.permutation(edges + 1), rng)


def stars(edges: int, rng: np.random.Generator) -> Graph:
    """Return stars whose hub comes second, after one of its leaves; the hubs are chained."""
    leaves = min(STAR_LEAVES, edges)
    count = edges // leaves
    hubs = np.repeat(np.arange(count), leaves)
    places = np.arange(count * leaves) + count
    score = np.concatenate([np.full(count, 1), np.zeros(count * leaves, dtype=np.int64)])
    score[count::leaves] = 2
    left, right = np.concatenate([hubs, np.arange(count - 1)]), np.concatenate([places, np.arange(1, count)])
    return _graph(left, right, score, rng)


def clique(edges: int, rng: np.random.Generator) -> Graph:
    """Return a clique of about so many edges."""
    size = round((2 * edges) ** 0.5)
    left, right = np.triu_indices(size, 1)
    return _graph(left.astype(np.int64), right.astype(np.int64), rng.permutation(size), rng)


def random_graph(edges: int, rng: np.random.Generator) -> Graph:
    """Return random edges, four per clip, and random scores."""
    nodes = max(2, edges // 4)
    left, right = rng.integers(0, nodes, (2, edges))
    other = left != right
    return _graph(left[other], right[other], rng.integers(-10_000, 10_001, nodes), rng)


def ties(edges: int, rng: np.random.Generator) -> Graph:
    """Return random edges between clips that nothing but their ids tells apart, all equally near."""
    found = random_graph(edges, rng)
    return Graph(found.left, found.right, np.zeros_like(found.score), np.full_like(found.similarity, 9_000))


def joined(edges: int, rng: np.random.Generator) -> Graph:
    """Return all of these as one group: the first clips of each are chained."""
    parts = [make(edges // len(KINDS), rng) for make in KINDS.values()]
    starts = np.cumsum([0, *(len(part.score) for part in parts)])
    moved = list(zip(parts, starts[:-1], strict=True))
    return _graph(
        np.concatenate([*(part.left + start for part, start in moved), starts[:-2]]),
        np.concatenate([*(part.right + start for part, start in moved), starts[1:-1]]),
        np.concatenate([part.score for part in parts]),
        rng,
    )


KINDS: dict[str, Callable[[int, np.random.Generator], Graph]] = {
    "chain in keeper order": chain,
    "mixed chain": mixed_chain,
    "stars, hub second": stars,
    "clique": clique,
    "random": random_graph,
    "ties only": ties,
}
ALL_KINDS = {**KINDS, "all joined": joined}


def members_of(graph: Graph) -> tuple[list[Candidate], list[Edge]]:
    """Return what `decide_group` is told: a clip's node is its id."""
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(len(graph.score))]
    candidates = [
        Candidate(
            sample_id=name, node=name, source="made", origin=Origin.NOISY, passes=True, pixels=1, score_1e4=int(score)
        )
        for name, score in zip(names, graph.score, strict=True)
    ]
    columns = (graph.left.tolist(), graph.right.tolist(), graph.similarity.tolist())
    return candidates, [(names[a], names[b], "perceptual", near) for a, b, near in zip(*columns, strict=True)]


def orphans(graph: Graph, kept: NDArray[np.bool_]) -> int:
    """Return how many dropped clips have no kept neighbour."""
    has = np.zeros(len(kept), dtype=bool)
    has[graph.left[kept[graph.right]]] = True
    has[graph.right[kept[graph.left]]] = True
    return int((~kept & ~has).sum())


def semdedup(graph: Graph, names: list[str]) -> NDArray[np.bool_]:
    """Return who is kept when any earlier neighbour drops a clip."""
    rank = np.empty(len(names), dtype=np.int64)
    by_name = np.argsort(np.array(names))
    rank[by_name[np.argsort(-graph.score[by_name], kind="stable")]] = np.arange(len(names))
    later = np.where(rank[graph.left] > rank[graph.right], graph.left, graph.right)
    kept = np.ones(len(names), dtype=bool)
    kept[later] = False
    return kept


def wrong_decisions(graph: Graph, decisions: list[GroupDecision], names: list[str]) -> int:
    """Return how many decisions break a promise: a keeper that is dropped or not near, or two kept neighbours."""
    place = {name: number for number, name in enumerate(names)}
    pairs = zip(graph.left.tolist(), graph.right.tolist(), graph.similarity.tolist(), strict=True)
    near = {(min(a, b), max(a, b), similarity) for a, b, similarity in pairs}
    keeper = {decision.sample_id: decision.keeper for decision in decisions}
    wrong = sum(keeper[names[a]] == names[a] and keeper[names[b]] == names[b] for a, b, _ in near)
    for decision in decisions:
        if decision.keeper == decision.sample_id:
            continue
        ends = sorted((place[decision.sample_id], place[decision.keeper]))
        wrong += keeper[decision.keeper] != decision.keeper or (*ends, decision.similarity_1e4) not in near
    return wrong


def measure(kind: str, edges: int) -> dict[str, float]:
    """Decide one group in this process; return what came out and what it cost."""
    graph = ALL_KINDS[kind](edges, np.random.default_rng(SEED))
    candidates, told = members_of(graph)
    names = [candidate.sample_id for candidate in candidates]
    before_mb = own_peak_bytes() / 1e6
    started, cpu = time.monotonic(), time.process_time()
    decisions = decide_group("group", candidates, told)
    wall_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    peak_mb = own_peak_bytes() / 1e6
    kept_names = {decision.sample_id for decision in decisions if decision.keeper == decision.sample_id}
    kept, theirs = np.array([name in kept_names for name in names]), semdedup(graph, names)
    frame = pl.DataFrame([edge[:2] for edge in told], schema={"a": pl.String, "b": pl.String}, orient="row")
    started = time.monotonic()
    label_components([frame])
    return {
        "clips": len(names),
        "edges": len(told),
        "label_s": time.monotonic() - started,
        "dropped": int((~kept).sum()),
        "orphans": orphans(graph, kept),
        "wrong": wrong_decisions(graph, decisions, names),
        "their_dropped": int((~theirs).sum()),
        "their_orphans": orphans(graph, theirs),
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "added_mb": peak_mb - before_mb,
        "peak_mb": peak_mb,
    }


def in_child(kind: str, edges: int) -> dict[str, float]:
    """Measure in a fresh process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.survivors", "--kind", kind, "--edges", str(edges)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def compare(edges: int, runs: int) -> bool:
    """Print a line for each kind of graph; return whether every promise was kept."""
    heads = ["graph", "clips", "edges", "dropped", "without a kept neighbour", "SemDeDup's rule: dropped"]
    heads += [
        "without a kept neighbour",
        "wall s",
        "added MB",
        "peak MB",
        "CPU per edge over a quarter",
        "labels, wall s",
    ]
    sys.stdout.write(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    promises = True
    for kind in ALL_KINDS:
        pairs = [(in_child(kind, edges // 4), in_child(kind, edges)) for _ in range(runs)]
        found = pairs[-1][1]
        growth = statistics.median(
            (whole["cpu_s"] / whole["edges"]) / (quarter["cpu_s"] / quarter["edges"]) for quarter, whole in pairs
        )
        wall_s = statistics.median(whole["wall_s"] for _, whole in pairs)
        counts = ("clips", "edges", "dropped", "orphans", "their_dropped", "their_orphans")
        cells = [kind, *(f"{found[name]:,.0f}" for name in counts), f"{wall_s:.2f}"]
        cells += [f"{found['added_mb']:.0f}", f"{found['peak_mb']:.0f}", f"{growth:.2f}"]
        cells.append(f"{statistics.median(whole['label_s'] for _, whole in pairs):.2f}")
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        promises = promises and not any(run["orphans"] or run["wrong"] for pair in pairs for run in pair)
    sys.stdout.write("promises: " + ("kept\n" if promises else "broken\n"))
    return promises


def main() -> int:
    """Read the command line and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kind", choices=ALL_KINDS, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind is not None:
        sys.stdout.write(json.dumps(measure(options.kind, options.edges)))
        return 0
    return 0 if compare(options.edges, options.runs) else 1


if __name__ == "__main__":
    sys.exit(main())
