"""The loop of small pipelines over edge files, against labels in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from curation.duplicates.edges import EDGES, BadEdges, strongest
from curation.judging.sums import pack, unpack
from curation.store import LocalStore
from pipelines.components import ComponentOptions, Components, ComponentsNotSettled, EdgeFile, find_components
from pipelines.engine import EngineOptions
from tests.builders import IN_PROCESS
from tests.curation.duplicates.graphs import Numbers, chain, clique, digest, naive_labels, random_edges, star

ALL = ("overlap", "perceptual", "semantic")
THREADS = EngineOptions(flags=("--direct_running_mode=multi_threading", "--direct_num_workers=2"))
GRAPHS: dict[str, Numbers] = {
    "a long chain in order": chain(10_000),
    "a long chain, mixed": sorted(chain(10_000), key=lambda edge: digest(edge[0])),
    "a star": star(2_000),
    "cliques": [(a + 100 * part, b + 100 * part) for part in range(4) for a, b in clique(40)],
    "sparse": random_edges(4_000, 2_500, 5),
}


def write_edges(root: Path, edges: Numbers, rows_per_file: int, kind: str = "overlap") -> list[EdgeFile]:
    files = []
    for start in range(0, len(edges), rows_per_file):
        rows = [(digest(a), digest(b), kind, 9_000, None) for a, b in edges[start : start + rows_per_file]]
        frame = strongest([pl.DataFrame(rows, schema=EDGES, orient="row")])
        path = f"edges/{kind}-{start:06d}.arrow"
        LocalStore(root).write(path, pack(frame))
        files.append(EdgeFile(path=path, rows=frame.height))
    return files


def labelled(
    root: Path, files: Sequence[EdgeFile], folder: str, options: ComponentOptions, engine: EngineOptions = IN_PROCESS
) -> tuple[Components, dict[str, list[tuple[str, str]]]]:
    """Return what was found, and the rows of each file of labels by its name."""
    found = find_components(str(root), folder, files, ALL, engine, options)
    labels = {Path(path).name: unpack(LocalStore(root).read(path)).rows() for path in found.files}
    rows = [row for own in labels.values() for row in own]
    assert found.nodes == len(rows)
    assert found.groups == len({label for _, label in rows})
    return found, labels


@pytest.mark.parametrize("name", GRAPHS)
def test_both_ways_write_the_same_labels(tmp_path: Path, name: str) -> None:
    edges = GRAPHS[name]
    files = write_edges(tmp_path, edges, 500)
    local, labels = labelled(tmp_path, files, "tmp/local", ComponentOptions())
    assert (local.way, local.changes) == ("local", ())
    assert sorted(row for rows in labels.values() for row in rows) == naive_labels(edges)
    stars, same = labelled(tmp_path, files, "tmp/stars", ComponentOptions(local_edges=0, edges_per_file=1_000))
    assert same == labels
    assert (stars.way, stars.nodes, stars.groups) == ("stars", local.nodes, local.groups)
    assert stars.changes[-1] == 0 and 0 not in stars.changes[:-1]
    assert len(stars.changes) <= 12


def test_threads_and_sizes_of_files_change_nothing(tmp_path: Path) -> None:
    edges = random_edges(200, 120, 5)
    files = write_edges(tmp_path, edges, 15)
    for number, size in enumerate((1, 40, 10_000)):
        options = ComponentOptions(local_edges=0, edges_per_file=size)
        _, labels = labelled(tmp_path, files[:: 1 - 2 * (number % 2)], f"tmp/{number}", options, THREADS)
        assert sorted(row for rows in labels.values() for row in rows) == naive_labels(edges)


def test_many_edges_are_not_labelled_in_this_process(tmp_path: Path) -> None:
    files = write_edges(tmp_path, chain(20), 10)
    ways = [labelled(tmp_path, files, f"tmp/{n}", ComponentOptions(local_edges=n))[0].way for n in (20, 19)]
    assert ways == ["local", "stars"]


@pytest.mark.parametrize("local_edges", [0, 100])
def test_other_kinds_are_passed_over(tmp_path: Path, local_edges: int) -> None:
    files = [*write_edges(tmp_path, [(0, 1)], 10), *write_edges(tmp_path, [(1, 2), (3, 4)], 10, "semantic")]
    options = ComponentOptions(local_edges=local_edges)
    for kinds, edges in ((("overlap",), [(0, 1)]), (("semantic",), [(1, 2), (3, 4)]), (("perceptual",), [])):
        found = find_components(str(tmp_path), f"tmp/{kinds[0]}", files, kinds, IN_PROCESS, options)
        rows = [row for path in found.files for row in unpack(LocalStore(tmp_path).read(path)).rows()]
        assert rows == naive_labels(edges)


@pytest.mark.parametrize("local_edges", [0, 100])
def test_no_edges_have_no_groups(tmp_path: Path, local_edges: int) -> None:
    found = find_components(str(tmp_path), "tmp/x", [], ALL, IN_PROCESS, ComponentOptions(local_edges=local_edges))
    assert (found.files, found.nodes, found.groups) == ((), 0, 0)


def test_a_loop_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    files = write_edges(tmp_path, chain(15), 1)
    options = ComponentOptions(local_edges=0, edges_per_file=1, max_rounds=2)
    with pytest.raises(
        ComponentsNotSettled, match=r"tmp/x: .* still change after 2 rounds, which changed \[\d+, \d+\]"
    ):
        find_components(str(tmp_path), "tmp/x", files, ALL, IN_PROCESS, options)


def test_only_the_last_turn_stays_in_the_scratch_folder(tmp_path: Path) -> None:
    files = write_edges(tmp_path, chain(15), 1)
    found, _ = labelled(tmp_path, files, "tmp/x", ComponentOptions(local_edges=0, edges_per_file=1))
    left = {path.split("/")[3] for path in LocalStore(tmp_path).list("tmp/x/stars")}
    assert left == {f"{len(found.changes) - 1:03d}-small"}
    counts = [json.loads(LocalStore(tmp_path).read(path)) for path in LocalStore(tmp_path).list("tmp/x/counts")]
    assert counts == [[16, 1]]


@pytest.mark.parametrize("local_edges", [0, 100])
def test_a_file_that_holds_no_edges_is_named(tmp_path: Path, local_edges: int) -> None:
    frame = pl.DataFrame([("b" * 64, "a" * 64, "overlap", 1, None)], schema=EDGES, orient="row")
    LocalStore(tmp_path).write("edges/bad.arrow", pack(frame))
    with pytest.raises(Exception, match=r"edges/bad.arrow: 1 rows are no edges") as caught:
        find_components(
            str(tmp_path),
            "tmp/x",
            [EdgeFile(path="edges/bad.arrow", rows=1)],
            ALL,
            IN_PROCESS,
            ComponentOptions(local_edges=local_edges),
        )
    assert isinstance(caught.value, BadEdges) or "BadEdges" in str(caught.value)


@pytest.mark.parametrize("name", ["local_edges", "edges_per_file", "max_rounds"])
def test_bad_options_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is -1; allowed"):
        ComponentOptions(**{name: -1})
