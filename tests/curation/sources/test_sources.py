from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.sources import check_source, read_source
from curation.sources.mediapack import span_of_part
from curation.sources.rows import RowProblem, parse_span
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.fetching import FetchPolicy
from schemas.records import Record, Reject

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}


def config_for(location: Path, **changes: object) -> CorpusConfig:
    source = {
        "name": "stock",
        "origin": "clean",
        "location": str(location),
        "media_root": str(location if location.is_dir() else location.parent),
        "licence": LICENCE,
        "text_kinds": ["caption"],
        **changes,
    }
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [source]})


def read(config: CorpusConfig) -> list[Record | Reject]:
    return list(read_source(config.sources[0], config))


def told(item: Record | Reject) -> tuple:
    if isinstance(item, Reject):
        return ("reject", item.reason.value)
    return (item.locator, item.start_us, item.end_us, [text.text for text in item.texts])


CSV_ROWS = {
    "a plain row": ("a.mp4,0,2,a dog", ("a.mp4", 0, 2_000_000, ["a dog"])),
    "a stray quote": ('a.mp4,0,2,"a dog', ("reject", "row_unreadable")),
    "no span": ("a.mp4,,,a dog", ("a.mp4", None, None, ["a dog"])),
    "clock times": ("a.mp4,0:01.5,1:00:02,a dog", ("a.mp4", 1_500_000, 3_602_000_000, ["a dog"])),
    "quotes and newlines": ('a.mp4,0,2,"a ""dog""\nruns"', ("a.mp4", 0, 2_000_000, ['a "dog" runs'])),
    "an empty text keeps the row": ("a.mp4,0,2,", ("a.mp4", 0, 2_000_000, [])),
    "zero-length span": ("a.mp4,2,2,a dog", ("reject", "span_empty")),
    "end before start": ("a.mp4,2,1,a dog", ("reject", "span_empty")),
    "negative start": ("a.mp4,-1,1,a dog", ("reject", "span_negative")),
    "time that is none": ("a.mp4,soon,1,a dog", ("reject", "field_invalid")),
    "time that is NaN": ("a.mp4,nan,1,a dog", ("reject", "field_invalid")),
    "infinite time": ("a.mp4,0,1e999,a dog", ("reject", "field_invalid")),
    "no video": (",0,1,a dog", ("reject", "field_missing")),
    "an address": ("https://u:secret@h/a.mp4,0,1,a dog", ("https://h/a.mp4", 0, 1_000_000, ["a dog"])),
    "an address that is not fetched": ("ftp://h/a.mp4,0,1,a dog", ("reject", "field_invalid")),
    "a time beyond any video": ("a.mp4,0,1e15,a dog", ("reject", "field_invalid")),
    "a clock beyond any video": ("a.mp4,0,99999999999:00:00,a dog", ("reject", "field_invalid")),
    "a file beside the folder": ("../secret.mp4,0,1,a dog", ("reject", "locator_outside")),
    "an absolute path elsewhere": ("/etc/passwd,0,1,a dog", ("reject", "locator_outside")),
    "dots that stay inside": ("x/../a.mp4,0,1,a dog", ("x/../a.mp4", 0, 1_000_000, ["a dog"])),
    "a cell too few": ("a.mp4,0,1", ("reject", "row_unreadable")),
    "a cell too many": ("a.mp4,0,1,a,b", ("reject", "row_unreadable")),
}


@pytest.mark.parametrize("case", CSV_ROWS)
def test_one_row_of_a_csv_and_its_neighbours(case: str, tmp_path: Path) -> None:
    row, expected = CSV_ROWS[case]
    table = tmp_path / "rows.csv"
    table.write_text(f"video,start_s,end_s,caption\nfirst.mp4,0,1,one\n{row}\nlast.mp4,0,1,two\n")
    columns = {"start": "start_s", "end": "end_s"}
    found = [told(item) for item in read(config_for(table, format="csv", columns=columns))]
    assert found == [("first.mp4", 0, 1_000_000, ["one"]), expected, ("last.mp4", 0, 1_000_000, ["two"])]


def test_bytes_that_are_no_utf8_lose_their_text_only(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_bytes(b"\xef\xbb\xbfvideo,caption\na.mp4,caf\xe9\nb.mp4,fine\n")
    found = read(config_for(table, format="csv"))
    assert [told(item) for item in found] == [("a.mp4", None, None, []), ("b.mp4", None, None, ["fine"])]
    assert found[0].dropped_texts == (("caption", "text_broken", 1),)


def test_json_lines_with_broken_rows(tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    lines = ['{"video": "a.mp4", "caption": ["one", "two", null]}', "{", "[1]", '{"caption": 1}', '{"video": 7}', ""]
    table.write_text("\n".join(lines) + '{"video": "b.mp4", "caption": NaN}')
    found = [told(item) for item in read(config_for(table, format="jsonl"))]
    unreadable = ("reject", "row_unreadable")
    rejects = [unreadable, unreadable, ("reject", "field_missing"), ("reject", "field_invalid")]
    assert found == [("a.mp4", None, None, ["one", "two"]), *rejects, ("b.mp4", None, None, [])]


ODD_ROWS = {
    "an integer of 400 digits": '{"video": "a.mp4", "start_s": 1' + "0" * 400 + "}",
    "a number beyond a float's range in us": '{"video": "a.mp4", "start_s": 1e305}',
    "a clock of 5,000 digits": '{"video": "a.mp4", "start_s": "' + "9" * 5000 + ':01:01"}',
    "a locator with a surrogate": '{"video": "a\\ud800.mp4"}',
    "a locator that is a list": '{"video": ["a.mp4"]}',
}


@pytest.mark.parametrize("case", ODD_ROWS)
def test_an_odd_row_is_one_reject(case: str, tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    table.write_text(ODD_ROWS[case] + "\n" + '{"video": "b.mp4"}')
    found = [told(item) for item in read(config_for(table, format="jsonl"))]
    assert found == [("reject", "field_invalid"), ("b.mp4", None, None, [])]


@pytest.mark.parametrize("depth", [500, 990, 2_000])
def test_a_row_nested_at_any_depth_never_stops_the_file(depth: int, tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    nested = '{"video": "a.mp4", "x": ' + "[" * depth + "]" * depth + "}"
    table.write_text(nested + "\n" + '{"video": "b.mp4"}')
    found = [told(item) for item in read(config_for(table, format="jsonl"))]
    assert len(found) == 2 and found[1][0] == "b.mp4"


def test_a_stray_quote_costs_one_row_of_a_thousand(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = [f"{number}.mp4,text {number}" for number in range(1_500)]
    rows[3] = '3.mp4,"a quote that never ends'
    table.write_text("\n".join(["video,caption", *rows]) + "\n")
    found = [told(item)[0] for item in read(config_for(table, format="csv"))]
    assert found.count("reject") == 1 and len(found) == 1_500


def test_a_parquet_row_that_python_cannot_hold_is_one_reject(tmp_path: Path) -> None:
    table = tmp_path / "rows.parquet"
    broken = pa.array([b"fine", b"caf\xe9"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"video": ["a.mp4", "b.mp4"], "caption": broken}), table)
    found = [told(item)[0] for item in read(config_for(table, format="parquet"))]
    assert found == ["a.mp4", "reject"]


def test_a_misspelt_or_doubled_column_is_said_before_anything_runs(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("video,caption\na.mp4,x\n")
    wrong = config_for(table, format="csv", columns={"texts": {"caption": "captoin"}})
    with pytest.raises(ConfigError, match="has no column 'captoin'"):
        check_source(wrong.sources[0], FetchPolicy())
    table.write_text("video,caption,caption\na.mp4,x,y\n")
    with pytest.raises(ConfigError, match=r"'caption'. twice"):
        check_source(config_for(table, format="csv").sources[0], FetchPolicy())
    with pytest.raises(ConfigError, match="is no csv"):
        check_source(config_for(tmp_path, format="csv").sources[0], FetchPolicy())


def test_deep_json_is_a_reject_and_no_crash(tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    table.write_text("[" * 100_000 + "\n" + '{"video": "a.mp4"}')
    assert [told(item)[0] for item in read(config_for(table, format="jsonl"))] == ["reject", "a.mp4"]


def test_parquet_with_a_column_mapping(tmp_path: Path) -> None:
    table = tmp_path / "rows.parquet"
    rows = {"path": ["a.mp4", None], "t0": [500, 0], "t1": [1500, 10], "words": [["one", "two"], ["three"]]}
    pq.write_table(pa.table(rows), table)
    columns = {"locator": "path", "start": "t0", "end": "t1", "time_unit": "ms", "texts": {"caption": "words"}}
    found = [told(item) for item in read(config_for(table, format="parquet", columns=columns))]
    assert found == [("a.mp4", 500_000, 1_500_000, ["one", "two"]), ("reject", "field_missing")]


@pytest.mark.parametrize(
    ("name", "content"), [("rows.csv", b"path\na.mp4\n"), ("rows.csv", b""), ("rows.parquet", b"PAR")]
)
def test_a_table_of_another_kind_is_a_config_error(name: str, content: bytes, tmp_path: Path) -> None:
    table = tmp_path / name
    table.write_bytes(content)
    with pytest.raises(ConfigError, match=r"name the columns that hold|is no parquet file"):
        read(config_for(table, format=table.suffix[1:]))


def test_a_folder_with_side_cars(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "sub/c.webm", "d.mp4", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.txt").write_text("a dog\n")
    (tmp_path / "b.json").write_text(json.dumps({"caption": ["one", "two"], "title": "not declared"}))
    (tmp_path / "d.json").write_text("{")
    found = [told(item) for item in read(config_for(tmp_path, format="folder"))]
    expected = [("a.mp4", ["a dog"]), ("b.mp4", ["one", "two"]), ("sub/c.webm", [])]
    assert found == [
        *[(locator, None, None, texts) for locator, texts in expected[:2]],
        ("reject", "row_unreadable"),
        ("sub/c.webm", None, None, []),
    ]


def test_a_pack_in_three_parts(tmp_path: Path) -> None:
    index = tmp_path / "clips.jsonl"
    lines = [{"file": f"{n}.mp4", "caption": f"video {n}", "duration_s": 10 * n} for n in (1, 2, 3)]
    index.write_text("\n".join(json.dumps(line) for line in [*lines, {"file": "x.mp4", "duration_s": None}]))
    parts = {
        part: read(config_for(index, format="mediapack", part=part)) for part in ("captioned", "mispaired", "bare")
    }
    assert told(parts["captioned"][0]) == ("1.mp4", 0, 6_000_000, ["video 1"])
    assert told(parts["captioned"][3]) == ("x.mp4", None, None, [])
    assert [told(item)[:3] for item in parts["mispaired"][:2]] == [
        ("1.mp4", 6_000_000, 10_000_000),
        ("2.mp4", 12_000_000, 20_000_000),
    ]
    own = {f"{n}.mp4": f"video {n}" for n in (1, 2, 3)}
    given = {item.locator: item.texts[0].text for item in parts["mispaired"] if item.texts}
    assert set(given) == set(own) and sorted(given.values()) == sorted(own.values())
    assert all(given[name] != own[name] for name in own)
    assert [told(item)[1:] for item in parts["bare"]] == [(None, None, [])] * 4


def test_spans_of_a_pack_are_bounded() -> None:
    assert span_of_part("captioned", 122.672) == (0.0, 10.0)
    assert span_of_part("mispaired", 122.672) == (73.603, 83.603)


def test_an_unknown_part_is_said(tmp_path: Path) -> None:
    index = tmp_path / "clips.jsonl"
    index.write_text("")
    with pytest.raises(ConfigError, match="allowed: one of captioned, mispaired, bare"):
        read(config_for(index, format="mediapack", part="best"))


def test_a_record_keeps_its_id_when_other_rows_change(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("video,caption\na.mp4,one\nb.mp4,two\n")
    before = {item.record_id for item in read(config_for(table, format="csv"))}
    table.write_text("video,caption\nnew.mp4,zero\nb.mp4,two\na.mp4,one\n")
    after = {item.record_id for item in read(config_for(table, format="csv"))}
    assert before < after


def test_microseconds_are_exact() -> None:
    assert parse_span("0.1", 0.3, 1_000_000) == (100_000, 300_000)
    # 4.015 and 8.2 lie below themselves in binary: cutting off would lose a microsecond.
    assert parse_span(4.015, 8.2, 1_000_000) == (4_015_000, 8_200_000)
    with pytest.raises(RowProblem, match="an end after the start"):
        parse_span(1, 1, 1_000_000)
