"""Graphs to join: nodes are digests, so that their order has nothing to do with the order in which they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

Numbers = Sequence[tuple[int, int]]


def digest(number: int) -> str:
    """Return the node of a number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def pairs_frame(edges: Numbers) -> pl.DataFrame:
    """Return columns `a` and `b` of edges between numbered nodes, the smaller digest first."""
    rows = [sorted((digest(one), digest(other))) for one, other in edges]
    return pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")


def chain(length: int) -> Numbers:
    return [(number, number + 1) for number in range(length)]


def star(leaves: int) -> Numbers:
    return [(0, number + 1) for number in range(leaves)]


def clique(nodes: int) -> Numbers:
    return [(one, other) for one in range(nodes) for other in range(one)]


def random_edges(nodes: int, edges: int, seed: int) -> Numbers:
    found = np.random.default_rng(seed).integers(0, nodes, (edges, 2))
    return [(int(one), int(other)) for one, other in found if one != other]


def naive_labels(edges: Numbers) -> list[tuple[str, str]]:
    """Return (node, smallest node of its component), sorted, by plain union-find."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        parent.setdefault(number, number)
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for one, other in edges:
        parent[root(one)] = root(other)
    members: dict[int, list[str]] = {}
    for number in list(parent):
        members.setdefault(root(number), []).append(digest(number))
    return sorted((name, min(names)) for names in members.values() for name in names)
