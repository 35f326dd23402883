"""A hand-off of a small real run, opened by those it is for; what they read is compared with the shards' own bytes."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np
import pandas as pd
import pytest
import webdataset as wds
import wids
import yaml
from megatron.energon import (
    Cooker,
    DefaultTaskEncoder,
    Sample,
    WorkerConfig,
    basic_sample_keys,
    edataclass,
    get_loader,
    get_train_dataset,
    stateless,
)
from megatron.energon.cache.file_store import WebdatasetFileStore
from megatron.energon.epathlib import EPath
from megatron.energon.flavors.webdataset.prepare import WebdatasetPreparator
from open_clip_train.data import expand_urls, get_dataset_size

from beam_runner import main
from curation.handoff.croissant import Publication
from curation.manifests import read_manifest
from curation.store import LocalStore
from pipelines.handoff import hand_off
from pipelines.results import verify_folder
from schemas.config_file import ConfigError
from schemas.manifest import Manifest
from tests.builders import built_with_fakes, counted_digests
from training.loop import load_train_config
from training.planning import shares_with

ONE_AT_A_TIME = shares_with(1, [])


@dataclass(frozen=True)
class Handed:
    """A run and its hand-off; `members` is name -> bytes of every member of every shard, read with tarfile alone."""

    run: Path
    folder: Path
    manifest: Manifest
    members: dict[str, bytes]

    @property
    def clips(self) -> dict[str, bytes]:
        """Key -> clip."""
        return {name.removesuffix(".mp4"): data for name, data in self.members.items() if name.endswith(".mp4")}


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    run = built_with_fakes(tmp_path_factory.mktemp("handed"), "shards: {embeddings: true}\n").root
    hand_off(run, None, None, Publication(), ONE_AT_A_TIME)
    manifest = read_manifest(LocalStore(run), 1)
    members = {}
    for shard in manifest.shards:
        with tarfile.open(run / shard.path) as tar:
            members.update({own.name: tar.extractfile(own).read() for own in tar})  # type: ignore[union-attr]
    return Handed(run, run / "handoff", manifest, members)


def patterns(handed: Handed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((handed.folder / "patterns.json").read_bytes())
    return found


def test_open_clip_counts_the_samples_and_finds_every_shard(handed: Handed) -> None:
    shards = "::".join(str(handed.folder / pattern) for pattern in patterns(handed)["all"].split("::"))
    assert get_dataset_size(shards) == (5, 4)
    for own in handed.manifest.shards:
        pattern = str(handed.folder / patterns(handed)["places"][f"{own.tier}/{own.source}"])
        names, _ = expand_urls(pattern)
        assert [Path(name).resolve() for name in names] == [handed.run / own.path]
        assert get_dataset_size(pattern) == (own.samples, 1)


def test_webdataset_reads_every_sample(handed: Handed) -> None:
    urls = [str(handed.folder / pattern) for pattern in patterns(handed)["places"].values()]
    found = {own["__key__"]: own["mp4"] for own in wds.WebDataset(urls, shardshuffle=False)}
    assert found == handed.clips


def test_wids_finds_every_sample_by_its_number(handed: Handed) -> None:
    # The name of a local copy is the shard itself, so that nothing is copied.
    found = wids.ShardListDataset(str(handed.folder / "wids.json"), localname=lambda url: url, transformations=[])
    samples = [found[place] for place in range(len(found))]
    assert {own["__key__"]: own[".mp4"].read() for own in samples} == handed.clips
    sizes = [(Path(own["url"]).stat().st_size, own["filesize"]) for own in found.shards]
    assert all(real == told for real, told in sizes)


@edataclass
class Clip(Sample):
    """What the cooker of a training would make of a sample."""

    mp4: bytes
    facts: bytes


@stateless
def cook(sample: dict[str, Any]) -> Clip:
    return Clip(**basic_sample_keys(sample), mp4=sample["mp4"], facts=sample["json"])


class Clips(DefaultTaskEncoder):
    """Energon's own encoder without its decoder: bytes as the shard has them."""

    cookers: ClassVar = [Cooker(cook)]
    decoder = None


def energon(path: Path, **options: Any) -> Any:
    worker = WorkerConfig(rank=0, world_size=1, num_workers=0)
    return get_loader(
        get_train_dataset(
            str(path),
            worker_config=worker,
            batch_size=None,
            shuffle_buffer_size=None,
            max_samples_per_sequence=100,
            task_encoder=Clips(),
            **options,
        )
    )


def test_energon_reads_every_sample(handed: Handed) -> None:
    found = {own.__key__.rsplit("/", 1)[-1]: own for own in energon(handed.folder / "shards", repeat=False)}
    assert {key: own.mp4 for key, own in found.items()} == handed.clips
    assert all(own.facts == handed.members[f"{key}.json"] for key, own in found.items())


def test_energon_blends_tiers_and_sources(handed: Handed) -> None:
    found = [own.__subflavors__ for own in islice(energon(handed.folder / "energon-stage2.yaml"), 200)]
    drawn = {tuple(sorted(own.items())) for own in found}
    assert drawn == {(("source", own.source), ("tier", own.tier)) for own in handed.manifest.shards}
    assert sum(own["tier"] == "clean" for own in found) == pytest.approx(80, abs=40)


def test_energon_finds_a_member_by_its_name(handed: Handed) -> None:
    store = WebdatasetFileStore(EPath(handed.folder / "shards"))
    for name, data in handed.members.items():
        assert store[name][0] == data


def test_energons_own_tool_writes_the_same(handed: Handed, tmp_path: Path) -> None:
    ours = handed.folder / "shards"
    for path in sorted(ours.glob("*.tar")):
        shutil.copy(path.resolve(), tmp_path / path.name)
    names = sorted(path.name for path in tmp_path.iterdir())
    WebdatasetPreparator.prepare_dataset(
        tmp_path, names, split_parts_ratio=[("train", 1.0)], shuffle_seed=None, workers=1
    )
    for name in names:
        assert (ours / f"{name}.idx").read_bytes() == (tmp_path / f"{name}.idx").read_bytes()
    theirs = tmp_path / ".nv-meta"
    for name in (".info.json",):
        assert json.loads((ours / ".nv-meta" / name).read_bytes()) == json.loads((theirs / name).read_bytes())
    assert set(os.listdir(theirs)) <= set(os.listdir(ours / ".nv-meta"))
    assert dump(ours / ".nv-meta/index.sqlite") == dump(theirs / "index.sqlite")


def dump(path: Path) -> dict[str, Any]:
    """Return the rows of each table and the columns that each index stands on."""
    with closing(sqlite3.connect(path)) as base:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        indexes = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
        rows: dict[str, Any] = {name: sorted(base.execute(f"SELECT * FROM {name}")) for name in tables}
        columns = {name: base.execute(f"PRAGMA index_info({name})").fetchall() for name in indexes}
        types = {name: [row[1:4] for row in base.execute(f"PRAGMA table_info({name})")] for name in tables}
    return {"rows": rows, "indexes": columns, "types": types}


def hugging_face(handed: Handed, cache: Path, config: str = "default") -> list[dict[str, Any]]:
    path = str(handed.folder)
    return list(datasets.load_dataset(path, config, split="train", streaming=True, cache_dir=str(cache)))


def test_hugging_face_reads_every_sample(handed: Handed, tmp_path: Path) -> None:
    found = {own["__key__"]: own for own in hugging_face(handed, tmp_path)}
    assert {key: own["mp4"]["bytes"] for key, own in found.items()} == handed.clips
    for key, own in found.items():
        assert own["json"] == json.loads(handed.members[f"{key}.json"])
        text = handed.members.get(f"{key}.txt")
        assert own["txt"] == (None if text is None else text.decode())
        assert np.array_equal(own["npy"], np.load(io.BytesIO(handed.members[f"{key}.npy"])))


def test_hugging_face_reads_one_tier_of_one_source(handed: Handed, tmp_path: Path) -> None:
    found = hugging_face(handed, tmp_path, "clean-stock")
    assert [(own["json"]["tier"], own["json"]["source"]) for own in found] == [("clean", "stock")] * 2


CROISSANT = """
import base64, json, sys
import mlcroissant
found = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = found.metadata.ctx.issues
sets = {name: [[row[f"{name}/key"].decode(), base64.b64encode(row[f"{name}/content"]).decode()]
        for row in found.records(name)] for name in ("facts", "clips", "texts")}
print(json.dumps({"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "sets": sets}))
"""


def croissant(folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    # A process of its own: mlcroissant reads the place of its cache when it is imported.
    environment = {**os.environ, "CROISSANT_CACHE": str(cache)}
    words = [sys.executable, "-c", CROISSANT, str(folder / "croissant.json")]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_mlcroissant_finds_no_error_and_reads_every_member(handed: Handed, tmp_path: Path) -> None:
    done = croissant(handed.folder, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["errors"] == []
    # What only the publisher knows.
    assert all("citeAs" in line or "datePublished" in line for line in found["warnings"])
    suffixes = {"facts": "json", "clips": "mp4", "texts": "txt"}
    read = {
        f"{key}.{suffixes[name]}": base64.b64decode(data) for name, rows in found["sets"].items() for key, data in rows
    }
    assert read == {name: data for name, data in handed.members.items() if not name.endswith(".npy")}


def test_mlcroissant_refuses_a_shard_with_other_bytes(handed: Handed, tmp_path: Path) -> None:
    shutil.copytree(handed.run, tmp_path / "run", symlinks=True)
    path = tmp_path / "run" / handed.manifest.shards[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = croissant(tmp_path / "run/handoff", tmp_path / "cache")
    assert done.returncode != 0
    assert "is not identical with the reference" in done.stderr


def test_the_lists_for_v_jepa_lead_to_the_clips_in_the_shards(handed: Handed) -> None:
    config = yaml.safe_load((handed.folder / "vjepa/stage2.yaml").read_bytes())["data"]
    assert sum(config["datasets_weights"]) == pytest.approx(1)
    found = []
    for name in config["datasets"]:
        # As `VideoDataset` of facebookresearch/vjepa2 reads it.
        rows = pd.read_csv(name, header=None, delimiter=" ")
        assert all(type(label) is int for label in rows[1].tolist())
        found += [Path(path).read_bytes() for path in rows[0]]
    assert sorted(found) == sorted(handed.clips.values())


def test_a_config_of_a_launch_names_this_run(handed: Handed) -> None:
    for stage in (1, 2):
        found = load_train_config(handed.folder / f"launch/stage{stage}.yaml")
        assert (found.stage, found.run_address, found.manifest) == (stage, handed.run, 1)


def test_the_card_tells_the_funnel_the_scores_and_the_terms(handed: Handed) -> None:
    text = (handed.folder / "README.md").read_text()
    for expected in (
        "| stock | 8 | 4 | 1 | 3 | 4 | 3 | 1 |",
        "| mined | 2 | 0 | 2 | 0 | 1 | 1 |",
        "| stock | media | record | not_media | 1 |",
        "| stock | clean | 2 | 0.484 |",
        "| noisy | folder | none | silent | 1 | 0.001 |",
        "| stock | CC0-1.0 | own | made for a test | 3 |",
        "| stock | clean | 2 | 40.00% | 1.000 |",
    ):
        assert expected in text


def test_a_second_hand_off_has_the_same_bytes_and_the_run_stays_whole(handed: Handed) -> None:
    counted = counted_digests(handed.run)
    files = {path: path.read_bytes() for path in handed.folder.rglob("*") if path.is_file()}
    hand_off(handed.run, None, 1, Publication(), ONE_AT_A_TIME)
    assert {path: path.read_bytes() for path in handed.folder.rglob("*") if path.is_file()} == files
    assert counted_digests(handed.run) == counted
    assert not any(name.startswith("handoff/") for name in counted)
    # The made-up clips need no media tools, and neither `verify` nor its cleaning looks at the hand-off.
    report, removed = verify_folder(handed.run, clean=True, decode=0)
    assert (report.problems, report.leftovers, removed) == ([], [], 0)
    assert (handed.folder / "handoff.json").is_file()


def test_a_hand_off_may_lie_elsewhere(handed: Handed, tmp_path: Path) -> None:
    hand_off(handed.run, tmp_path / "away" / "out", None, Publication(), ONE_AT_A_TIME)
    links = sorted((tmp_path / "away/out/shards").glob("*.tar"))
    assert [path.resolve() for path in links] == [handed.run / own.path for own in handed.manifest.shards]
    found = load_train_config(tmp_path / "away/out/launch/stage1.yaml")
    assert found.run_address == handed.run


def copied(handed: Handed, folder: Path) -> Path:
    shutil.copytree(handed.run, folder / "run", symlinks=True, ignore=shutil.ignore_patterns("handoff", "tmp"))
    return folder / "run"


def refused(run: Path, version: int | None = None) -> str:
    with pytest.raises(ConfigError) as found:
        hand_off(run, None, version, Publication(), ONE_AT_A_TIME)
    assert not (run / "handoff").exists()
    return str(found.value)


def test_a_missing_shard_is_refused(handed: Handed, tmp_path: Path) -> None:
    run = copied(handed, tmp_path)
    (run / handed.manifest.shards[1].path).unlink()
    assert f"{handed.manifest.shards[1].path} is missing" in refused(run)


def test_a_run_that_was_judged_again_is_refused(handed: Handed, tmp_path: Path) -> None:
    run = copied(handed, tmp_path)
    path = run / "selection/stock-00000.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    assert "selection/stock-00000.parquet is not the file that manifest version 1 stands on" in refused(run)


def test_a_version_that_is_not_there_is_refused(handed: Handed, tmp_path: Path) -> None:
    assert "version 9 is not in this run; allowed: 1" in refused(copied(handed, tmp_path), 9)


def test_the_command_writes_and_prints_the_shares(
    handed: Handed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["handoff", str(handed.run), "--out", str(tmp_path / "out"), "--batch", "1", "--mixture", "stock=1"]
    assert main([*words, "--mixture", "silent=3"]) == 0
    printed = capsys.readouterr().out
    assert "75.00%" in printed
    assert "never drawn: 1 mixture:mined" in printed
    assert f"files for 4 shards of version 1: {tmp_path / 'out'}" in printed


@pytest.mark.parametrize(("loaders", "code"), [("1", 0), ("3", 1)])
def test_planning_fails_where_a_loader_gets_no_shard(
    handed: Handed, capsys: pytest.CaptureFixture[str], loaders: str, code: int
) -> None:
    words = ["plan-training", str(handed.run), "--nodes", "2", "--loaders", loaders, "--batch", "1", "--json"]
    assert main(words) == code
    found = json.loads(capsys.readouterr().out)
    assert found["loaders"]["without_shard"] == (0 if code == 0 else 2)
    assert [own["samples"] for own in found["stages"]] == [2, 5]


def test_planning_without_shards_is_wrong_input(tmp_path: Path) -> None:
    assert main(["plan-training", str(tmp_path), "--nodes", "1", "--loaders", "1", "--batch", "1"]) == 2
