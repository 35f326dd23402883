"""What the tasks of the duplicates job compare: clips that are known already are compared with new ones only."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from curation.duplicates.clips import GroupClips, only_samples, references
from curation.duplicates.overlap import SPANS
from curation.duplicates.perceptual_tasks import collide_postings
from curation.duplicates.tasks import CellSide, base_parquet, find_overlaps, search_cells
from curation.duplicates.vectors import quantise
from schemas.duplicates import OverlapOptions, PerceptualOptions, SemanticOptions

GROUPS = {"a": 0, "b": 1, "base+a": 2, "benchmark+x": 3}


def postings(*told: tuple[str, int]) -> pl.DataFrame:
    """One key that the first row of each group has, at a frame."""
    clips = np.concatenate([references(GROUPS[group], np.array([0])) for group, _ in told])
    frames = np.array([frame for _, frame in told], dtype=np.int32)
    return pl.DataFrame({"key": np.full(len(told), 7, dtype=np.uint64), "clip": clips, "frame": frames})


TOLD = [("a", 3), ("b", 5), ("base+a", 1), ("benchmark+x", 1)]
# (group, other group, offset) of the pairs, by the place of the first group that is known.
PAIRS = {
    "none is known": ((4, 4), {(0, 1, -2), (0, 2, 2), (0, 3, 2), (1, 2, 4), (1, 3, 4), (2, 3, 0)}),
    "base and benchmark are": ((2, 3), {(0, 1, -2), (0, 2, 2), (0, 3, 2), (1, 2, 4), (1, 3, 4)}),
    "all but one are": ((1, 3), {(0, 1, -2), (0, 2, 2), (0, 3, 2)}),
}


@pytest.mark.parametrize("case", PAIRS)
def test_known_clips_are_no_pairs_with_each_other(case: str) -> None:
    firsts, wanted = PAIRS[case]
    pairs, counts = collide_postings([postings(*TOLD[:2]), postings(*TOLD[2:])], firsts, PerceptualOptions())
    assert set(pairs.select("group", "other", "offset").iter_rows()) == wanted
    assert pairs.height == counts["perceptual_pairs"] == len(wanted)


def test_a_crowd_of_the_base_leaves_a_benchmark_its_place() -> None:
    """Of more than 128 clips under a key a new one meets a few: those of the base, and the benchmark's."""
    crowd = references(GROUPS["base+a"], np.arange(500))
    clips = np.concatenate([references(0, np.array([0])), crowd, references(GROUPS["benchmark+x"], np.array([0]))])
    rows = pl.DataFrame({"key": np.full(502, 7, np.uint64), "clip": clips, "frame": np.zeros(502, np.int32)})
    pairs, _ = collide_postings([rows], (2, 3), PerceptualOptions())
    assert pairs["other"].value_counts().sort("other").rows() == [(2, 8), (3, 1)]


def spans(*nodes: str) -> pl.DataFrame:
    """Clips of the same ten seconds of one video."""
    times = {"video_sha256": "v", "start_us": 0, "end_us": 10_000_000, "duration_us": 10_000_000}
    return pl.DataFrame([{**times, "node": node} for node in nodes], schema=SPANS)


def test_two_spans_of_the_base_have_no_edge() -> None:
    own, base = spans("n1", "k2"), spans("k1", "k2")
    edges, _ = find_overlaps([own, base], [base], OverlapOptions())
    assert sorted(edges.select("a", "b").rows()) == [("k1", "n1"), ("k2", "n1")]
    edges, _ = find_overlaps([own, base], [], OverlapOptions())
    assert edges.height == 3


def side(new: bool, *nodes: str) -> CellSide:
    """Clips whose embeddings are all equal, in one cell."""
    rows = {
        "cell": [0] * len(nodes),
        "place": range(len(nodes)),
        "node": range(len(nodes)),
        "home": [True] * len(nodes),
        "known": [not new] * len(nodes),
    }
    steps = quantise(np.tile(np.array([[3, 4]], dtype=np.float16), (len(nodes), 1)))
    return CellSide(rows=pl.DataFrame(rows), nodes=np.array(nodes, dtype="S64"), steps=steps)


SIDES = {
    "new ones": ([side(True, "n1"), side(True, "n2")], {("n1", "n2")}),
    "a new and a known one": ([side(True, "n1"), side(False, "k1")], {("k1", "n1")}),
    "known ones": ([side(False, "k1"), side(False, "k2")], set()),
    "one that is both is known": ([side(True, "k1"), side(False, "k1", "k2")], set()),
}


@pytest.mark.parametrize("case", SIDES)
def test_two_known_embeddings_are_not_compared(case: str) -> None:
    sides, wanted = SIDES[case]
    edges, _ = search_cells(sides, SemanticOptions())
    assert {(row["a"], row["b"]) for row in edges.iter_rows(named=True)} == wanted


BETWEEN = {
    "two new ones are left to their own cells": ([side(True, "n1"), side(True, "n2")], set()),
    "each new one meets each known one": (
        [side(True, "n1", "n2"), side(False, "k1", "k2")],
        {("k1", "n1"), ("k1", "n2"), ("k2", "n1"), ("k2", "n2")},
    ),
    "one that is both is known": ([side(True, "k1", "n1"), side(False, "k1")], {("k1", "n1")}),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_between_new_and_known_embeddings_only(case: str) -> None:
    sides, wanted = BETWEEN[case]
    edges, _ = search_cells(sides, SemanticOptions(), between=True)
    assert {(row["a"], row["b"]) for row in edges.iter_rows(named=True)} == wanted


def test_the_bases_samples_in_groups_are_written_by_id() -> None:
    samples = pl.DataFrame(
        {
            "sample_id": ["base:2", "base:1", "base:3"],
            "source": ["s"] * 3,
            "origin": ["clean"] * 3,
            "node": ["n1", "n1", "n2"],
            "pixels": [4, 4, 4],
            "score_1e4": pl.Series([None, 7, 8], dtype=pl.Int32),
        }
    )
    members = pl.DataFrame({"node": ["n1", "n2"], "duplicate_group": ["g", None]})
    found = pl.read_parquet(io.BytesIO(base_parquet([members], samples)))
    assert found.select("sample_id", "duplicate_group", "score_1e4").rows() == [
        ("base:1", "g", 7),
        ("base:2", "g", None),
    ]


def test_only_the_clips_of_some_samples_are_taken() -> None:
    tellings = pl.DataFrame({"sample_id": ["1", "1", "2"], "node": ["n1", "n1", "n2"]})
    clips = GroupClips(tellings=tellings, nodes=pl.DataFrame({"node": ["n1", "n2"]}))
    only = only_samples(clips, pl.Series(["1"]))
    assert (only.tellings.height, only.nodes["node"].to_list()) == (2, ["n1"])
    with pytest.raises(ValueError, match="1 samples that are in shards are not among the clips"):
        only_samples(clips, pl.Series(["1", "9"]))
