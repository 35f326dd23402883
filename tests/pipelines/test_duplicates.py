"""Duplicates of real videos through a whole build: found, grouped, left out, given away to keepers, and verified."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from beam_runner import main
from curation.verify import verify_run
from pipelines.build import BuildResult, build
from pipelines.duplicates import find_duplicates
from pipelines.run_folder import read_statistics
from pipelines.watching import Watcher
from schemas.arrow import SELECTION, parquet_bytes, read_rows
from schemas.config_file import ConfigError
from schemas.corpus import load_corpus
from schemas.duplicates import DuplicatePolicy
from tests.builders import IN_PROCESS, counted_digests
from tests.pipelines.copied_films import write_corpus

QUIET = Watcher(quiet=True)


def corpus(folder: Path, **duplicates: Any) -> Path:
    return write_corpus(folder, duplicates=duplicates)


@pytest.fixture(scope="module")
def built(films: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    config = load_corpus(corpus(films, move_texts=True))
    return build(config, tmp_path_factory.mktemp("built") / "run", IN_PROCESS, watcher=QUIET)


def again(built: BuildResult, films: Path, folder: Path, **duplicates: Any) -> BuildResult:
    """Judge and pack a copy of the run under another policy."""
    subprocess.run(["cp", "-r", str(built.run.root), str(folder / "run")], check=True)
    return build(load_corpus(corpus(films, **duplicates)), folder / "run", IN_PROCESS, watcher=QUIET)


def test_statistics_that_were_just_counted_are_as_they_read_back(films: Path, tmp_path: Path) -> None:
    """Byte for byte, order of keys included: a build that goes on after judging draws the page of those it reads."""
    shutil.copytree(films, tmp_path / "films")
    shutil.copy(films / "stock" / "first.mp4", tmp_path / "films" / "stock" / "again.mp4")
    row = {"video": "stock/again.mp4", "start_s": 0, "end_s": 3.5, "caption": "again"}
    with (tmp_path / "films" / "stock.jsonl").open("a") as rows:
        rows.write(json.dumps(row) + "\n")
    found = build(load_corpus(corpus(tmp_path / "films")), tmp_path / "run", IN_PROCESS, watcher=QUIET).statistics
    read = read_statistics(tmp_path / "run")
    assert found is not None
    assert json.dumps(found.model_dump(mode="json")) == json.dumps(read.model_dump(mode="json"))
    assert list(read.duplicates.removed) == ["overlap", "perceptual"], "crawl, which is counted first, has the second"


def selection(result: BuildResult) -> dict[str, dict[str, Any]]:
    """Return the rows of the selection by `locator start_s`."""
    store = result.run.store
    rows = [
        row
        for path in store.list("selection")
        if path.endswith(".parquet")
        for row in read_rows(store.read(path), SELECTION)
    ]
    samples = pl.concat(
        [pl.read_parquet(store.read(path)).select("sample_id", "locator", "start_us") for path in store.list("samples")]
    )
    names = {sample: f"{Path(locator).name} {(start or 0) / 1e6:g}" for sample, locator, start in samples.iter_rows()}
    return {names[row["sample_id"]]: {**row, "keeper": names[row["keeper"]]} for row in rows}


def told(result: BuildResult) -> dict[str, tuple[str | None, str]]:
    """Return (why it is left out, its keeper) of each sample."""
    return {name: (row["duplicate_kind"], row["keeper"]) for name, row in selection(result).items()}


FOUND = {
    "first.mp4 0": (None, "first.mp4 0"),
    "first.mp4 0.25": ("perceptual", "first.mp4 0"),
    "second.mp4 0": (None, "second.mp4 0"),
    "smaller.mp4 0": ("perceptual", "first.mp4 0"),
    "stranger.mp4 0": (None, "stranger.mp4 0"),
}


def test_copies_are_found_and_name_the_kept_one(built: BuildResult) -> None:
    found = told(built)
    # Scores decide which of two spans of equal standing is kept.
    if found["first.mp4 0"][0] is not None:
        swap = {"first.mp4 0": "first.mp4 0.25", "first.mp4 0.25": "first.mp4 0"}
        found = {swap.get(name, name): (kind, swap.get(keeper, keeper)) for name, (kind, keeper) in found.items()}
    assert found == FOUND
    assert {name for name, row in selection(built).items() if row["shard_bucket"] is None} == {
        name for name, (kind, _) in told(built).items() if kind
    }
    assert built.statistics is not None
    assert built.statistics.duplicates.removed == {"perceptual": 2}
    assert [(pair.source, pair.other) for pair in built.statistics.duplicates.pairs] == [
        ("crawl", "stock"),
        ("stock", "stock"),
    ]


def test_a_keeper_takes_the_texts_of_those_it_stands_for(built: BuildResult) -> None:
    facts = {}
    for path in (path for path in built.run.store.list("shards") if path.endswith(".tar")):
        with tarfile.open(built.run.root / path) as tar:
            for member in (member for member in tar if member.name.endswith(".json")):
                read = json.load(tar.extractfile(member))  # type: ignore[arg-type]
                facts[Path(read["locator"]).name] = read
    moved = facts["first.mp4"]["moved_texts"]
    assert {(text["kind"], text["text"], text["from_source"]) for text in moved} >= {
        ("alt", "something small", "crawl")
    }
    assert len(moved) == 2 and facts["first.mp4"]["moved_texts_left"] == 0
    assert "moved_texts" not in facts["stranger.mp4"]


def test_the_run_verifies_and_a_planted_fault_is_found(built: BuildResult, tmp_path: Path) -> None:
    assert verify_run(built.run.store, built.run.config).problems == []
    subprocess.run(["cp", "-r", str(built.run.root), str(tmp_path / "run")], check=True)
    store = type(built.run.store)(tmp_path / "run")
    (path,) = (path for path in store.list("selection") if path.startswith("selection/crawl"))
    rows = read_rows(store.read(path), SELECTION)
    stranger = next(row["sample_id"] for row in rows if row["duplicate_kind"] is None)
    faulty = [{**row, "keeper": stranger} if row["duplicate_kind"] else row for row in rows]
    store.write(path, parquet_bytes(faulty, SELECTION))
    problems = verify_run(store, built.run.config).problems
    assert any("left out as perceptual duplicate" in problem for problem in problems)


def test_another_cut_finds_nothing_anew(built: BuildResult, films: Path, tmp_path: Path) -> None:
    before = {
        path: digest for path, digest in counted_digests(built.run.root).items() if path.startswith("duplicates/")
    }
    subprocess.run(["cp", "-r", str(built.run.root), str(tmp_path / "run")], check=True)
    config = load_corpus(corpus(films, move_texts=True))
    cuts = config.cuts.model_copy(update={"low": -1.0, "high": -1.0})
    changed = build(config.model_copy(update={"cuts": cuts}), tmp_path / "run", IN_PROCESS, watcher=QUIET)
    assert before == {
        path: digest for path, digest in counted_digests(changed.run.root).items() if path.startswith("duplicates/")
    }
    states = [built.run.state.stage("duplicates"), changed.run.state.stage("duplicates")]
    assert states[0] == states[1], "the stage was not run again"
    assert told(changed) == told(built)


POLICIES: dict[str, tuple[dict[str, Any], set[str | None]]] = {
    "labels only": (
        {"exact": {"action": "label"}, "overlap": {"action": "label"}, "perceptual": {"action": "label"}},
        {None, "perceptual"},
    ),
    "no pictures": ({"perceptual": {"action": "off"}}, {None, "overlap"}),
    "inside sources": ({"scope": "source"}, {None, "perceptual"}),
    "not at all": ({"scope": "off"}, {None}),
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy_says_what_is_looked_for(case: str, built: BuildResult, films: Path, tmp_path: Path) -> None:
    policy, kinds = POLICIES[case]
    result = again(built, films, tmp_path, **policy)
    assert {row["duplicate_kind"] for row in selection(result).values()} == kinds
    if case == "labels only":
        assert all(row["shard_bucket"] is not None for row in selection(result).values())
    assert verify_run(result.run.store, result.run.config).problems == []


def test_a_group_that_shows_a_benchmark_is_left_out(built: BuildResult, films: Path, tmp_path: Path) -> None:
    hashes = tmp_path / "bench.parquet"
    assert main(["hashes", str(films / "bench"), "--out", str(hashes)]) == 0
    result = again(built, films, tmp_path, benchmarks=[{"name": "games", "hashes": str(hashes)}])
    rows = selection(result)
    assert {name for name, row in rows.items() if row["rule"] == "benchmark"} == {"second.mp4 0"}
    assert rows["second.mp4 0"]["shard_bucket"] is None
    assert result.statistics is not None and result.statistics.duplicates.found is not None
    assert result.statistics.duplicates.found.benchmarks == {"games": (1, 1)}
    assert [(own.benchmark, own.source, own.samples) for own in result.statistics.duplicates.benchmarks] == [
        ("games", "stock", 1)
    ]
    assert verify_run(result.run.store, result.run.config).problems == []
    (path,) = (path for path in result.run.store.list("selection") if path.startswith("selection/stock"))
    leaking = [{**row, "shard_bucket": 0} for row in read_rows(result.run.store.read(path), SELECTION)]
    result.run.store.write(path, parquet_bytes(leaking, SELECTION))
    assert any("is of games" in line for line in verify_run(result.run.store, result.run.config).problems)


def test_a_file_that_holds_no_hashes_is_refused(built: BuildResult, films: Path, tmp_path: Path) -> None:
    (tmp_path / "bench.parquet").write_bytes(b"no")
    with pytest.raises(ConfigError, match="allowed: a file that `clipstrata hashes"):
        again(built, films, tmp_path, benchmarks=[{"name": "games", "hashes": str(tmp_path / "bench.parquet")}])


def test_how_clips_are_shared_out_changes_nothing(built: BuildResult, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(built.run.root), str(tmp_path / "run")], check=True)
    run = replace(built.run, store=type(built.run.store)(tmp_path / "run"))
    edges = [pl.read_parquet(run.store.read(path)) for path in run.store.list("duplicates/edges")]
    run.state = run.state.model_copy(update={"stages": run.state.stages[:1]})
    find_duplicates(run, IN_PROCESS, QUIET, group_samples=1)
    small = [pl.read_parquet(run.store.read(path)) for path in run.store.list("duplicates/edges")]
    assert pl.concat(edges).equals(pl.concat(small)) and pl.concat(edges).height >= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"exact": {"action": "label"}},
        {"benchmarks": [{"name": "a", "hashes": "x"}] * 2},
        {"benchmarks": [{"name": "a", "hashes": "x"}], "scope": "off"},
        {"benchmarks": [{"name": "no good", "hashes": "x"}]},
        {"semantic": {"min_cosine": 2}},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"allowed|less than or equal"):
        DuplicatePolicy.model_validate(wrong)
