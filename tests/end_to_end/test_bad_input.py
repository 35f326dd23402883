"""Every kind of bad input in one real build: rejected with a reason of its own, and everything else unaffected."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from bad_input import GOOD_TEXT, write_bad_corpus

from beam_runner import main
from curation.unit_reading import read_part
from curation.verify import verify_run
from pipelines.build import BuildResult, build
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from tests.builders import IN_PROCESS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("bad")
    config = load_corpus(write_bad_corpus(folder / "in"))
    return build(config, folder / "run", IN_PROCESS, watcher=Watcher(quiet=True))


def rows(built: BuildResult, kind: str) -> list[dict]:
    units = scored_units(built.run)
    return [row for name in units.names for row in read_part(units.store, units.read(name), kind)]


EXPECTED = {
    "missing.mp4": "file_missing",
    "empty.mp4": "file_empty",
    "text.mp4": "not_media",
    "playlist.mp4": "playlist",
    "truncated.mp4": "truncated",
    "audio.mp4": "no_video",
    "zero-length span": "span_empty",
    "past the end": "span_past_end",
    "twice": "duplicate_row",
}


def test_each_kind_has_a_reason_of_its_own(built: BuildResult) -> None:
    found = {}
    for row in rows(built, "rejects"):
        told = json.loads(row["input"])
        locator = told.get("locator", "")
        name = {"span_empty": "zero-length span", "span_past_end": "past the end", "duplicate_row": "twice"}
        found[name.get(row["reason"], locator)] = row["reason"]
    assert found == EXPECTED
    assert len(set(EXPECTED.values())) == len(EXPECTED)


def test_good_neighbours_are_unaffected(built: BuildResult) -> None:
    texts = Counter(row["text"] for row in rows(built, "texts"))
    assert texts == {**{f"{GOOD_TEXT} {number}": 1 for number in range(3)}, "a name with a dash": 1}
    kept = {row["locator"] for row in rows(built, "samples")}
    assert kept == {"good.mp4", "no-text.mp4", "broken-text.mp4", "-dash.mp4"}


def test_a_text_is_dropped_and_its_clip_stays(built: BuildResult) -> None:
    assert built.statistics is not None
    dropped = {item.reason: item.count for item in built.statistics.sources[0].rejects if item.scope == "text"}
    assert dropped == {"text_empty": 1, "text_broken": 1}


def test_both_ledgers_add_up_and_the_run_verifies(built: BuildResult) -> None:
    assert built.statistics is not None
    ledger = built.statistics.sources[0].ledger
    assert (ledger.records_read, ledger.records_rejected, ledger.samples_rejected) == (15, 7, 2)
    assert ledger.records_read == ledger.records_expanded + ledger.records_merged + ledger.records_rejected
    assert verify_run(built.run.store, built.run.config).problems == []


def test_a_reject_share_over_the_limit_is_said(built: BuildResult, tmp_path: Path) -> None:
    folder = Path(built.run.config.sources[0].location).parent
    text = (folder / "corpus.yaml").read_text().replace("format: jsonl", "format: jsonl, max_reject_share: 0.1")
    corpus = folder / "strict.yaml"
    corpus.write_text(text)
    shutil.copytree(built.run.root, tmp_path / "run")
    strict = build(load_corpus(corpus), tmp_path / "run", IN_PROCESS, watcher=Watcher(quiet=True))
    assert "7 of 15 records were rejected; allowed is a share of 0.1" in strict.limits_broken[0]
    assert "2 of 8 samples were rejected; allowed is a share of 0.1" in strict.limits_broken[1]


def test_a_stage_over_the_limit_ends_with_1_and_the_table(
    built: BuildResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(built.run.config.sources[0].location).parent
    text = (folder / "corpus.yaml").read_text().replace("format: jsonl", "format: jsonl, max_reject_share: 0.1")
    (folder / "strict_stage.yaml").write_text(text)
    shutil.copytree(built.run.root, tmp_path / "run")
    command = ["ingest", str(folder / "strict_stage.yaml"), "--out", str(tmp_path / "run"), "--", *IN_PROCESS.flags]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "span_past_end" in said.out
    assert "records were rejected" in said.err and "samples were rejected" in said.err


def test_a_file_that_appears_or_changes_is_worked_on_again(built: BuildResult, tmp_path: Path) -> None:
    source = Path(built.run.config.sources[0].location).parent
    shutil.copytree(source, tmp_path / "in")
    config = load_corpus(tmp_path / "in" / "corpus.yaml")
    first = build(config, tmp_path / "run", IN_PROCESS, watcher=Watcher(quiet=True))
    shutil.copy(tmp_path / "in" / "no-text.mp4", tmp_path / "in" / "missing.mp4")
    second = build(config, tmp_path / "run", IN_PROCESS, watcher=Watcher(quiet=True))
    assert first.statistics is not None and second.statistics is not None and second.manifest is not None
    assert (
        second.statistics.sources[0].ledger.records_rejected == first.statistics.sources[0].ledger.records_rejected - 1
    )
    assert second.manifest.version == 2
    assert verify_run(second.run.store, config).problems == []
