"""Where videos lie: in tars, on the web, in buckets; what an ingest makes of it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from curation.unit_reading import count_rejects
from pipelines.build import build
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from tests.builders import IN_PROCESS
from tests.curation.media.make import write_test_video

CORPUS = """
corpus: places
sources:
  - {name: tars, origin: clean, format: webdataset, location: "*.tar", text_kinds: [caption], licence: &l
      {name: CC0-1.0, basis: own, terms: made for a test}}
  - {name: web, origin: noisy, format: csv, location: web.csv, text_kinds: [], licence: *l}
  - {name: silent, origin: noisy, format: csv, location: windows.csv, text_kinds: [], licence: *l,
     cutting: {no_span: windows, window_s: 1, stride_s: 1}}
fetch: {retries: {attempts: 1}}
"""
WEB = """video,start_s,end_s
http://127.0.0.1:9/private.mp4,0,1
http://169.254.169.254/latest/meta-data/,0,1
https://user:secret@127.0.0.1/a.mp4?AWSAccessKeyId=k&Expires=9&Signature=canary,0,1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("places")
    write_test_video(folder / "a.mp4")
    write_test_video(folder / "long.mp4", seconds=2.6)
    with tarfile.open(folder / "clips.tar", "w") as tar:
        for name, source in (("one.mp4", "a.mp4"), ("two.mp4", "long.mp4")):
            tar.add(folder / source, name)
            text = folder / "text"
            text.write_text(f"the film {name}")
            tar.add(text, name.replace("mp4", "txt"))
    (folder / "web.csv").write_text(WEB)
    (folder / "windows.csv").write_text("video,start_s,end_s\nlong.mp4,,\n")
    (folder / "corpus.yaml").write_text(CORPUS)
    return build(load_corpus(folder / "corpus.yaml"), folder / "run", IN_PROCESS, watcher=Watcher(quiet=True)).run


def rejects(run, source: str) -> dict:
    units = scored_units(run)
    commits = [units.read(name) for name in units.names]
    found: dict = {}
    for commit in commits:
        if commit.source == source:
            found |= count_rejects(units.store, commit)
    return found


def test_members_of_a_tar_become_clips_with_their_texts(run) -> None:
    units = scored_units(run)
    (commit,) = [units.read(name) for name in units.names if name.startswith("tars-")]
    assert commit.totals().samples_kept == 2 and commit.parts["texts"].rows == 2
    assert rejects(run, "tars") == {}


def test_a_row_cannot_reach_the_machine_s_own_network(run) -> None:
    assert rejects(run, "web") == {("fetch", "record", "address_refused"): 3}


def test_no_secret_reaches_the_disk(run) -> None:
    files = [path for path in Path(run.root).rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        assert b"canary" not in content and b"user:secret" not in content, path


def test_a_video_without_a_span_is_cut_into_windows(run) -> None:
    units = scored_units(run)
    (commit,) = [units.read(name) for name in units.names if name.startswith("silent-")]
    totals = commit.totals()
    assert (totals.records_expanded, totals.samples_planned, totals.samples_kept) == (1, 3, 3)


def test_fetched_files_are_gone_when_the_ingest_is_over(run) -> None:
    assert not list((run.root / "tmp").rglob("*.file"))
    assert not (run.root / "tmp" / "ingest-rows").exists()


def test_a_shard_says_by_what_right_a_clip_is_used(run) -> None:
    path = next(path for path in run.store.list("shards") if path.endswith(".tar"))
    with tarfile.open(run.root / path) as tar:
        member = next(info for info in tar if info.name.endswith(".json"))
        file = tar.extractfile(member)
        assert file is not None
        facts = json.loads(file.read())
    assert facts["rights"]["licence"] == "CC0-1.0" and facts["rights"]["basis"] == "own"
