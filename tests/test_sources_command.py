from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_runner import main
from curation.displays import NoDisplay
from curation.sources.guess import guess_mapping
from curation.sources.report import OWN_FORMATS, CheckOptions, check_file, list_formats
from schemas.config_file import ConfigError
from schemas.corpus import CORPUS_FORMATS, FORMATS
from schemas.source_check import SourceCheck

TABLE = """path,t0,t1,words
a.mp4,0,2,a [red]dog[/red]
b.mp4,3,2,nothing
../c.mp4,0,1,outside
https://u:pw@h/x.mp4?Policy=f00&Signature=f00&Key-Pair-Id=f00,,,
one cell
"""


def checked(location: Path, format_name: str, **options: object) -> SourceCheck:
    return check_file(str(location), format_name, CheckOptions(**options), lambda title: NoDisplay())


def test_every_format_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sources", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert sorted(facts["name"] for facts in listed) == sorted(FORMATS)
    assert sorted([*OWN_FORMATS, *CORPUS_FORMATS]) == sorted(FORMATS)
    assert all(facts["title"] and facts["container"] for facts in listed)
    assert all(facts.cites for facts in list_formats() if facts.seen is not None)
    assert main(["sources"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in FORMATS)


def test_what_a_table_holds(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(TABLE)
    found = checked(tmp_path / "rows.csv", "csv", columns={"caption": "words"})
    assert (found.files, found.rows, found.records, found.rejects, found.whole) == (1, 5, 2, 3, 1)
    assert found.columns == ("path", "t0", "t1", "words") and found.texts == {"caption": 1}
    assert found.dropped_texts == {"caption: text_empty": 1}
    assert [(row.locator, row.start_us, row.end_us, row.texts) for row in found.first] == [
        ("a.mp4", 0, 2_000_000, (("caption", "a [red]dog[/red]"),)),
        ("https://h/x.mp4", None, None, ()),
    ]
    assert {problem.reason: (problem.rows, problem.first[0][:15]) for problem in found.problems} == {
        "span_empty": (1, "rows.csv line 3"),
        "locator_outside": (1, "rows.csv line 4"),
        "row_unreadable": (1, "rows.csv line 6"),
    }


def test_the_mapping_that_was_used_can_be_copied_into_a_corpus_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("video url,start_ms,end_ms,title\na.mp4,0,2000,x\n")
    found = checked(tmp_path / "rows.csv", "csv")
    assert found.mapping is not None and found.first[0].end_us == 2_000_000
    assert found.mapping.as_yaml() == (
        "columns: {locator: video url, start: start_ms, end: end_ms, time_unit: ms, texts: {title: title}}",
        "text_kinds: [title]",
    )


GUESSES = {
    "plain names": (
        "video start end caption",
        {"locator": "video", "start": "start", "end": "end", "caption": "caption"},
    ),
    "a path and an id": ("videoid contentUrl name", {"locator": "contentUrl", "caption": "name"}),
    "an id alone": ("YoutubeID Text", {"locator": "YoutubeID", "caption": "Text"}),
    "several texts": (
        "url title tags description",
        {"locator": "url", "title": "title", "tags": "tags", "description": "description"},
    ),
}


@pytest.mark.parametrize("case", GUESSES)
def test_columns_are_guessed_by_their_names(case: str) -> None:
    columns, expected = GUESSES[case]
    mapping = guess_mapping(columns.split(), {})
    found = {"locator": mapping.locator, "start": mapping.start, "end": mapping.end, **mapping.texts}
    assert {what: name for what, name in found.items() if name is not None} == expected


def test_keys_of_json_lines_and_columns_of_parquet_are_found(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('not json\n{"file": "a.mp4"}\n{"file": "b.mp4", "text": ["x", "y"]}\n')
    found = checked(tmp_path / "rows.jsonl", "jsonl")
    assert found.columns == ("file", "text") and found.texts == {"caption": 2} and found.rejects == 1
    pq.write_table(pa.table({"file": ["a.mp4"], "text": ["x"]}), tmp_path / "rows.parquet")
    assert checked(tmp_path / "rows.parquet", "parquet").texts == {"caption": 1}


def test_many_files_a_folder_and_a_file_without_a_header(tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv"):
        (tmp_path / name).write_text("a.mp4,words\n")
    found = checked(tmp_path / "*.csv", "csv", column_names=("video", "caption"))
    assert (found.files, found.records) == (2, 2)
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(b"x")
    assert checked(tmp_path / "films", "folder").first[0].locator == "a.mp4"


def test_a_look_may_stop_early_and_memory_does_not_grow_with_problems(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("video,caption\n" + "a.mp4,x\n" * 50 + "one\n" * 5_000)
    found = checked(tmp_path / "rows.csv", "csv", limit=60, first_rows=2)
    assert (found.rows, found.stopped, len(found.first), len(found.problems[0].first)) == (60, True, 2, 3)


def test_a_long_text_is_shortened_and_many_are_counted(tmp_path: Path) -> None:
    row = {"video": "a.mp4", "caption": ["x" * 200, *("more" for _ in range(9))]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    texts = checked(tmp_path / "rows.jsonl", "jsonl").first[0].texts
    assert texts[0] == ("caption", "x" * 97 + "...") and texts[-1] == ("...", "and 6 more texts")


def test_exit_codes_and_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.csv").write_text("video,caption\na.mp4,a [red]dog[/red]\n")
    (tmp_path / "bad.csv").write_text("video,caption\na.mp4\n")
    assert main(["sources", "check", str(tmp_path / "good.csv"), "--format", "csv"]) == 0
    assert "a [red]dog[/red]" in capsys.readouterr().out
    assert main(["sources", "check", str(tmp_path / "bad.csv"), "--format", "csv", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["rejects"] == 1


WRONG = {
    "an unknown format": (["--format", "webvit"], "--format is 'webvit'; allowed: csv, "),
    "the built-in world": (["--format", "synthetic"], "--format is 'synthetic'"),
    "a folder of a file": (["--format", "folder"], "is no folder"),
    "another file": (["--format", "parquet"], "is no parquet file"),
    "a column that is not there": (["--format", "csv", "--column", "caption=words"], "no such column"),
    "an unknown meaning": (["--format", "csv", "--column", "words=caption"], "'words' is unknown"),
    "half a column": (["--format", "csv", "--column", "caption"], "--column is 'caption'"),
    "an unknown unit": (["--format", "csv", "--column", "time_unit=h"], "allowed: us, ms, s"),
    "no rows": (["--format", "csv", "--limit", "0"], "--limit is 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_said_with_exit_code_2(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = WRONG[case]
    (tmp_path / "rows.csv").write_text("video,caption\na.mp4,x\n")
    assert main(["sources", "check", str(tmp_path / "rows.csv"), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_and_a_table_without_a_video_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        checked(tmp_path / "gone.csv", "csv")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="--column locator=NAME"):
        checked(tmp_path / "rows.csv", "csv")
