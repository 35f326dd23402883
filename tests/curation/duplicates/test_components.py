"""Components in memory and in rounds over files, against plain union-find."""

from __future__ import annotations

import pickle

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.components import (
    CHUNK_ROWS,
    STARS,
    TOLD,
    StarStep,
    label_components,
    labels_of,
    lowest_of,
    partition_bits,
    partitions,
    stars_of,
    take_lowest,
    told_of,
)
from curation.judging.sums import pack
from tests.curation.duplicates.graphs import (
    Numbers,
    chain,
    clique,
    digest,
    naive_labels,
    pairs_frame,
    random_edges,
    star,
)

GRAPHS: dict[str, Numbers] = {
    "two nodes": [(0, 1)],
    "a chain": chain(300),
    "a ring": [*chain(200), (200, 0)],
    "a star": star(200),
    "a clique": clique(25),
    "cliques along a chain": [(a + 10 * part, b + 10 * part) for part in range(20) for a, b in clique(11)],
    "sparse": random_edges(400, 180, 1),
    "near one component": random_edges(300, 300, 2),
    "dense": random_edges(60, 900, 3),
    "twice the same": [*chain(5), *chain(5)],
}


def step_over(files: dict[str, pl.DataFrame], step: StarStep, bits: int) -> tuple[dict[str, pl.DataFrame], int]:
    """Do one step as workers do: tell by partition, compare, take."""
    told: dict[int, list[tuple[str, pl.DataFrame]]] = {}
    for name, stars in files.items():
        for partition, rows in partitions(told_of(stars, step), bits):
            told.setdefault(partition, []).append((name, rows))
    news: dict[str, list[pl.DataFrame]] = {}
    for partition in sorted(told, reverse=True):
        for name, chunk in lowest_of(told[partition], step):
            news.setdefault(name, []).append(chunk)
    taken = {name: take_lowest(stars, news.get(name, []), step) for name, stars in files.items()}
    return {name: stars for name, (stars, _) in taken.items()}, sum(changed for _, changed in taken.values())


def in_rounds(edges: Numbers, edges_per_file: int, bits: int = 3) -> tuple[list[tuple[str, str]], int]:
    """Return the labels and the number of rounds."""
    files = {
        f"{start:05d}": stars_of(pairs_frame(edges[start : start + edges_per_file]).rename({"a": "leaf", "b": "root"}))
        for start in range(0, len(edges), edges_per_file)
    }
    rounds, changed = 0, 1
    while changed:
        sizes = {name: stars.height for name, stars in files.items()}
        files, large = step_over(files, StarStep.LARGE, bits)
        files, small = step_over(files, StarStep.SMALL, bits)
        assert all(files[name].height <= size for name, size in sizes.items()), "a file grew"
        changed, rounds = large + small, rounds + 1
        assert rounds <= 30
    return pl.concat([labels_of(stars) for stars in files.values()]).unique().sort("node", "label").rows(), rounds


@pytest.mark.parametrize("name", GRAPHS)
def test_labels_are_those_of_union_find(name: str) -> None:
    edges = GRAPHS[name]
    expected = naive_labels(edges)
    assert label_components([pairs_frame(edges)]).rows() == expected
    assert label_components([pairs_frame(edges[start::7]) for start in range(7)]).rows() == expected


@pytest.mark.parametrize("edges_per_file", [1, 4, 50])
@pytest.mark.parametrize("name", GRAPHS)
def test_rounds_come_to_the_same(name: str, edges_per_file: int) -> None:
    edges = GRAPHS[name][:: 1 if edges_per_file > 1 else 3]
    assert in_rounds(edges, edges_per_file)[0] == naive_labels(edges)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=25), st.integers(1, 6), st.integers(0, 12))
def test_any_graph_in_files_of_any_size(edges: Numbers, edges_per_file: int, bits: int) -> None:
    edges = [(one, other) for one, other in edges if one != other]
    expected = naive_labels(edges)
    assert label_components([pairs_frame(edges)]).rows() == expected
    if edges:
        assert in_rounds(edges, edges_per_file, bits)[0] == expected


def test_a_long_chain_takes_few_rounds() -> None:
    edges = chain(10_000)
    labels, rounds = in_rounds(edges, 400)
    assert labels == naive_labels(edges)
    assert rounds <= 6
    mixed = sorted(edges, key=lambda edge: digest(edge[0]))
    labels, rounds = in_rounds(mixed, 400)
    assert labels == naive_labels(edges)
    assert rounds <= 12


def test_nothing_has_no_components() -> None:
    assert label_components([]).rows() == []
    assert label_components([pl.DataFrame({"a": ["1" * 64], "b": ["1" * 64]})]).rows() == []
    assert stars_of(STARS.to_frame()).equals(STARS.to_frame())


A, B, C, D = (letter * 64 for letter in "abcd")


def stars(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=STARS, orient="row")


def test_stars_hang_on_the_smallest_node() -> None:
    assert stars_of(stars((C, D), (D, B), (A, A))).rows() == [(C, B), (D, B)]


def test_a_root_that_hangs_elsewhere_hands_its_leaves_over() -> None:
    files = {"one": stars((C, B), (D, B)), "two": stars((B, A))}
    told = [(name, told_of(own, StarStep.LARGE)) for name, own in files.items()]
    assert told[0][1].rows() == [(C, B), (D, B), (B, None)]
    ((name, news),) = lowest_of(told, StarStep.LARGE)
    assert (name, news.rows()) == ("one", [(B, A)])
    after, changed = take_lowest(files["one"], [news], StarStep.LARGE)
    assert (after.rows(), changed) == ([(C, A), (D, A)], 2)


def test_a_leaf_with_a_smaller_root_elsewhere_joins_the_roots() -> None:
    files = {"one": stars((C, B), (D, B)), "two": stars((C, A))}
    told = [(name, told_of(own, StarStep.SMALL)) for name, own in files.items()]
    ((name, news),) = lowest_of(told, StarStep.SMALL)
    assert (name, news.rows()) == ("one", [(C, A)])
    after, changed = take_lowest(files["one"], [news], StarStep.SMALL)
    assert (after.rows(), changed) == ([(B, A), (D, A)], 1)


def test_a_file_that_learns_nothing_stays() -> None:
    own = stars((C, B), (D, B))
    assert take_lowest(own, [TOLD.to_frame()], StarStep.LARGE) == (own, 0)


def test_a_node_with_very_many_neighbours_is_told_once_by_each_file() -> None:
    """The smallest digest of all is the hub: no element and no partition grows with its neighbours."""
    hub, leaves = "0" * 64, [digest(number) for number in range(5_000)]
    files = [stars_of(stars(*((leaf, hub) for leaf in leaves[start::10]))) for start in range(10)]
    for step in StarStep:
        assert sum(told_of(own, step).filter(pl.col("node") == hub).height for own in files) <= 10
    told = [(f"{number}", told_of(own, StarStep.LARGE)) for number, own in enumerate(files)]
    assert list(lowest_of(told, StarStep.LARGE)) == []


def test_chunks_stay_small() -> None:
    told = TOLD.to_frame()
    rows = pl.DataFrame([(digest(number), digest(-number)) for number in range(CHUNK_ROWS)], schema=TOLD, orient="row")
    assert told.schema == rows.schema
    assert len(pickle.dumps((0, ("00000", pack(rows))))) < 64_000


def test_partitions_are_ranges_of_digests_of_bounded_number() -> None:
    rows = pl.DataFrame({"node": sorted(digest(number) for number in range(500))})
    parts = list(partitions(rows, 2))
    assert [partition for partition, _ in parts] == [0, 1, 2, 3]
    assert pl.concat([own for _, own in parts]).equals(rows)
    assert {node[0] for node in parts[1][1]["node"]} == set("4567")
    assert [partition for partition, _ in partitions(rows[:3], 12)] == sorted(
        {int(n[:3], 16) for n in rows[:3]["node"]}
    )
    assert [partition_bits(rows, 100) for rows in (0, 100, 101, 400, 10**12)] == [0, 0, 1, 2, 12]
