"""A build on top of an earlier one: what is in its shards stays, and new clips that resemble it are left out."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from curation.verify import verify_run
from pipelines.base import base_name, open_bases
from pipelines.build import BuildResult, build
from pipelines.duplicate_index import read_index
from pipelines.run_folder import Run
from pipelines.watching import Watcher
from schemas.arrow import DUPLICATE_BASE, parquet_bytes, read_rows
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig, load_corpus
from schemas.duplicates import BaseVersion
from schemas.run import DUPLICATES_JSON
from tests.builders import IN_PROCESS, counted_digests
from tests.pipelines.copied_films import LICENCE

QUIET = Watcher(quiet=True)
STOCK = {"name": "stock", "origin": "clean", "format": "jsonl", "location": "stock.jsonl", "text_kinds": ["caption"]}
CRAWL = {"name": "crawl", "origin": "noisy", "format": "folder", "location": "crawl", "text_kinds": ["alt"]}


def corpus(folder: Path, name: str, *sources: dict[str, Any], **more: Any) -> CorpusConfig:
    whole = {"corpus": name, "sources": [{**source, "licence": LICENCE} for source in sources]}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**whole, "clip": {"short_side_px": 120}, **more}))
    return load_corpus(path)


@pytest.fixture(scope="module")
def base(films: Path) -> BuildResult:
    """The noisy copies come first."""
    return build(corpus(films, "first", CRAWL), films / "base", IN_PROCESS, watcher=QUIET)


@pytest.fixture(scope="module")
def later(films: Path, base: BuildResult) -> BuildResult:
    """A clean source with larger pictures, and the base's own source once more."""
    return build(corpus(films, "second", STOCK, CRAWL, base="base@1"), films / "later", IN_PROCESS, watcher=QUIET)


def with_base(result: BuildResult, films: Path, base: str) -> Run:
    """Return a finished run whose corpus names another base; nothing is written."""
    return replace(result.run, config=corpus(films, "second", STOCK, CRAWL, base=base))


def selection(result: BuildResult) -> dict[str, dict[str, Any]]:
    """Return the rows of the selection by `locator start_s`."""
    store = result.run.store
    rows = pl.concat([pl.read_parquet(store.read(path)) for path in store.list("selection") if path.endswith("t")])
    samples = pl.concat([pl.read_parquet(store.read(path)) for path in store.list("samples")])
    named = rows.join(samples.select("sample_id", "locator", "start_us"), on="sample_id")
    return {f"{Path(row['locator']).name} {(row['start_us'] or 0) / 1e6:g}": row for row in named.iter_rows(named=True)}


def test_new_clips_are_left_out_for_what_is_in_the_base(base: BuildResult, later: BuildResult) -> None:
    kept = {name: row["sample_id"] for name, row in selection(base).items()}
    assert sorted(kept) == ["smaller.mp4 0", "stranger.mp4 0"]
    found = {name: (row["duplicate_kind"], row["keeper"]) for name, row in selection(later).items()}
    second = selection(later)["second.mp4 0"]
    assert found == {
        # cleaner, larger and yet new: what an earlier version holds stays
        "first.mp4 0": ("perceptual", f"base:{kept['smaller.mp4 0']}"),
        "first.mp4 0.25": ("perceptual", f"base:{kept['smaller.mp4 0']}"),
        "second.mp4 0": (None, second["sample_id"]),
        "smaller.mp4 0": ("exact", f"base:{kept['smaller.mp4 0']}"),
        "stranger.mp4 0": ("exact", f"base:{kept['stranger.mp4 0']}"),
    }
    assert {name for name, row in selection(later).items() if row["shard_bucket"] is not None} == {"second.mp4 0"}
    statistics = later.statistics
    assert statistics is not None and statistics.duplicates.removed == {"exact": 2, "perceptual": 2}
    pairs = {(pair.source, pair.other): pair.groups for pair in statistics.duplicates.pairs}
    assert pairs[("base:crawl", "stock")] == 1 and pairs[("base:crawl", "crawl")] == 2


def test_the_manifest_names_its_base_by_content(base: BuildResult, later: BuildResult, films: Path) -> None:
    assert base.manifest is not None and later.manifest is not None
    assert base.manifest.base is None
    run = with_base(later, films, "base@1")
    (opened,) = open_bases(run)
    assert later.manifest.base == opened.name == base_name(run)
    assert opened.name.startswith("first@1:")


def test_a_base_elsewhere_gives_the_same_bytes(later: BuildResult, films: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(films / "base"), str(tmp_path / "moved")], check=True)
    config = corpus(films, "second", STOCK, CRAWL, base=f"{tmp_path / 'moved'}@1")
    assert counted_digests(build(config, tmp_path / "run", IN_PROCESS, watcher=QUIET).run.root) == counted_digests(
        later.run.root
    )


def found_duplicates(root: Path) -> dict[str, str]:
    """Return the digests of what was found and selected; counts say what was looked at, and differ."""
    own = ("duplicates/", "selection/", "shards/")
    without = ("duplicates/summary.json",)
    return {path: told for path, told in counted_digests(root).items() if path.startswith(own) and path not in without}


BY_KEY = {
    "whole corpus": {},
    "inside each source": {"duplicates": {"scope": "source"}},
    "without semantic": {"duplicates": {"semantic": {"action": "off"}}},
}


@pytest.mark.parametrize("case", BY_KEY)
def test_a_base_with_an_index_gives_what_one_without_gives(
    case: str, base: BuildResult, films: Path, tmp_path: Path
) -> None:
    """The index was written under the whole corpus's scope; a clip has its row there whatever the scope."""
    for name in ("with", "without"):
        subprocess.run(["cp", "-r", str(films / "base"), str(tmp_path / name)], check=True)
    shutil.rmtree(tmp_path / "without" / "duplicates" / "index")
    results = {}
    for name in ("with", "without"):
        config = corpus(films, "second", STOCK, CRAWL, base=f"{tmp_path / name}@1", **BY_KEY[case])
        results[name] = build(config, tmp_path / f"on-{name}", IN_PROCESS, watcher=QUIET)
    assert found_duplicates(results["with"].run.root) == found_duplicates(results["without"].run.root)
    kinds = {row["duplicate_kind"] for row in selection(results["with"]).values()}
    assert "perceptual" in kinds or case == "inside each source"
    counts = {name: summary(result) for name, result in results.items()}
    assert counts["with"]["base_clips"] == counts["without"]["base_clips"] == 2
    assert counts["without"]["base_clips_without_index"] == 2
    assert "base_clips_without_index" not in counts["with"]
    assert counts["with"]["postings"] < counts["without"]["postings"]


def summary(result: BuildResult) -> dict[str, int]:
    """Return what a search for duplicates counted."""
    return dict(json.loads(result.run.store.read(DUPLICATES_JSON))["counts"])


def test_clips_that_the_base_left_out_are_in_its_index_and_not_compared(
    later: BuildResult, films: Path, tmp_path: Path
) -> None:
    """The second build's index holds the films that it left out for the first one's."""
    index = read_index(later.run.store)
    assert index is not None and index.groups == ("crawl-00000", "stock-00000")
    third = build(corpus(films, "third", STOCK, base="later@1"), tmp_path / "third", IN_PROCESS, watcher=QUIET)
    kept = {name: row["sample_id"] for name, row in selection(later).items()}
    found = {name: row["keeper"] for name, row in selection(third).items()}
    assert found["second.mp4 0"] == f"base:{kept['second.mp4 0']}"
    assert f"base:{kept['first.mp4 0']}" not in found.values()


def test_an_index_can_be_left_out_and_one_that_is_not_whole_is_not_used(
    base: BuildResult, films: Path, tmp_path: Path
) -> None:
    config = corpus(films, "first", CRAWL, duplicates={"index": False})
    plain = build(config, tmp_path / "plain", IN_PROCESS, watcher=QUIET)
    assert not list(plain.run.store.list("duplicates/index")) and read_index(plain.run.store) is None
    assert verify_run(plain.run.store, plain.run.config).problems == []
    assert read_index(base.run.store) is not None
    subprocess.run(["cp", "-r", str(films / "base"), str(tmp_path / "base")], check=True)
    next((tmp_path / "base" / "duplicates" / "index" / "postings").rglob("*-value.npy")).unlink()
    run = with_base(base, films, f"{tmp_path / 'base'}@1")
    (opened,) = open_bases(run)
    assert opened.index is None
    # and its own next build writes it again
    again = build(corpus(films, "first", CRAWL), tmp_path / "base", IN_PROCESS, watcher=QUIET)
    assert found_duplicates(again.run.root) == found_duplicates(base.run.root)


def test_the_run_verifies_and_a_lost_keeper_is_found(later: BuildResult, tmp_path: Path) -> None:
    assert verify_run(later.run.store, later.run.config).problems == []
    subprocess.run(["cp", "-r", str(later.run.root), str(tmp_path / "run")], check=True)
    store = type(later.run.store)(tmp_path / "run")
    (path,) = store.list("duplicates/base")
    rows = read_rows(store.read(path), DUPLICATE_BASE)
    assert len(rows) == 2
    store.write(path, parquet_bytes(rows[:1], DUPLICATE_BASE))
    assert any("which is not kept" in line for line in verify_run(store, later.run.config).problems)


REFUSED = {
    "no version": ("base", "allowed: RUN@VERSION"),
    "a version that is not there": ("base@7", "has no manifests/v000007.json"),
    "no run": ("crawl@1", "holds no run.json"),
    "the run itself": ("later@1", "is this run itself"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_base_is_refused(case: str, later: BuildResult, films: Path) -> None:
    named, said = REFUSED[case]
    with pytest.raises((ConfigError, ValueError), match=said):
        open_bases(with_base(later, films, named))


def test_a_wrong_base_is_said_before_anything_is_read(films: Path, base: BuildResult, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no manifests/v000007"):
        build(corpus(films, "fourth", CRAWL, base="base@7"), tmp_path / "run", IN_PROCESS, watcher=QUIET)
    assert not (tmp_path / "run" / "units").exists()
    with pytest.raises(ConfigError, match=r"duplicates\.scope is off"):
        corpus(films, "fourth", CRAWL, base="base@1", duplicates={"scope": "off"})


def test_a_base_that_moved_on_is_refused(later: BuildResult, films: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(films / "base"), str(tmp_path / "base")], check=True)
    run = with_base(later, films, f"{tmp_path / 'base'}@1")
    assert len(open_bases(run)) == 1
    (part,) = (tmp_path / "base" / "selection").glob("*.parquet")
    before = part.read_bytes()
    part.write_bytes(before + b" ")
    with pytest.raises(ConfigError, match="judged again since"):
        open_bases(run)
    part.write_bytes(before)
    state = json.loads((tmp_path / "base" / "run.json").read_text())
    other = {**state, "scorer": {**state["scorer"], "digest": "another"}}
    (tmp_path / "base" / "run.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="this corpus's scorer"):
        open_bases(run)
    stages = [{**own, "outputs": "x"} if own["stage"] == "shard" else own for own in state["stages"]]
    (tmp_path / "base" / "run.json").write_text(json.dumps({**state, "stages": stages}))
    with pytest.raises(ConfigError, match="not what that run holds now"):
        open_bases(run)


def test_a_base_of_a_base_is_compared_with_too(
    base: BuildResult, later: BuildResult, films: Path, tmp_path: Path
) -> None:
    """The second build's shards lack what it left out for the first one's."""
    config = corpus(films, "third", CRAWL, base="later@1")
    third = build(config, tmp_path / "third", IN_PROCESS, watcher=QUIET)
    kept = {name: row["sample_id"] for name, row in selection(base).items()}
    assert {name: row["keeper"] for name, row in selection(third).items()} == {
        name: f"base:{sample}" for name, sample in kept.items()
    }
    assert verify_run(third.run.store, third.run.config).problems == []
    other = tmp_path / "base"
    subprocess.run(["cp", "-r", str(films / "base"), str(other)], check=True)
    (other / "manifests" / "v000001.json").write_text((films / "later" / "manifests" / "v000001.json").read_text())
    subprocess.run(["cp", "-r", str(films / "later"), str(tmp_path / "later")], check=True)
    told = json.loads((tmp_path / "later" / "run.json").read_text())
    told["config"]["base"] = f"{other}@1"
    (tmp_path / "later" / "run.json").write_text(json.dumps(told))
    run = with_base(third, films, f"{tmp_path / 'later'}@1")
    with pytest.raises(ConfigError, match="which a base was built on"):
        open_bases(run)


def test_a_finished_run_needs_its_base_no_more(later: BuildResult, films: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(films / "base"), str(tmp_path / "base")], check=True)
    subprocess.run(["cp", "-r", str(later.run.root), str(tmp_path / "run")], check=True)
    (part,) = (tmp_path / "base" / "selection").glob("*.parquet")
    part.unlink()
    config = corpus(films, "second", STOCK, CRAWL, base=f"{tmp_path / 'base'}@1", cuts={"low": -1.0, "high": -1.0})
    again = build(config, tmp_path / "run", IN_PROCESS, stages=("judge", "shard"), watcher=QUIET)
    assert again.manifest is not None and again.manifest.version == 2
    kinds = {name: row["duplicate_kind"] for name, row in selection(later).items()}
    assert {name: row["duplicate_kind"] for name, row in selection(again).items()} == kinds


def test_a_base_with_other_units_is_refused(later: BuildResult, films: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(films / "base"), str(tmp_path / "base")], check=True)
    run = with_base(later, films, f"{tmp_path / 'base'}@1")
    next((tmp_path / "base" / "units").glob("*.json")).unlink()
    with pytest.raises(ConfigError, match="not those of its last finished ingest"):
        open_bases(run)


def test_a_version_is_taken_apart_at_its_last_mark() -> None:
    assert BaseVersion.parse("/data/a@b/run@12") == BaseVersion(Path("/data/a@b/run"), 12)
    assert str(BaseVersion(Path("run"), 3)) == "run@3"
