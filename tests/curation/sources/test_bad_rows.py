"""Each kind of bad record between two good ones, in the formats that can hold it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.sources import check_source, read_source
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.fetching import FetchPolicy
from schemas.records import Record, Reject

FIRST, LAST = ("first.mp4", 0, 1_000_000, ["one"]), ("last.mp4", 0, 1_000_000, ["two"])
GOOD = {"video": "a.mp4", "start_s": 0, "end_s": 1, "caption": "a dog"}


def config_for(location: Path, **changes: object) -> CorpusConfig:
    source = {"name": "stock", "origin": "clean", "location": str(location), "media_root": str(location.parent)}
    source |= {"licence": {"name": "CC0-1.0", "basis": "own", "terms": "ours"}, "text_kinds": ["caption"], **changes}
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [source]})


def read(location: Path, **changes: object) -> list[Record | Reject]:
    config = config_for(location, **changes)
    return list(read_source(config.sources[0], config))


def told(item: Record | Reject) -> tuple:
    if isinstance(item, Reject):
        return ("reject", item.reason.value)
    return (item.locator, item.start_us, item.end_us, [text.text for text in item.texts])


def dropped(item: Record | Reject) -> dict[str, int]:
    assert isinstance(item, Record)
    return {reason: count for _, reason, count in item.dropped_texts}


UNREADABLE, MISSING, INVALID = (("reject", reason) for reason in ("row_unreadable", "field_missing", "field_invalid"))
WHOLE = ("a.mp4", 0, 1_000_000, ["a dog"])
BARE = ("a.mp4", 0, 1_000_000, [])
# the row, and what it is read as
CSV = {
    "a column too few": (b"a.mp4,0,1", UNREADABLE),
    "a column too many": (b"a.mp4,0,1,a dog,more", UNREADABLE),
    "a type that is wrong": (b"a.mp4,zero,1,a dog", INVALID),
    "no id": (b",0,1,a dog", MISSING),
    "an empty caption": (b"a.mp4,0,1,", BARE),
    "spaces only": (b"a.mp4,0,1,   ", BARE),
    "a NUL in a caption": (b"a.mp4,0,1,a\x00dog", BARE),
    "a NUL in a name": (b"a\x00.mp4,0,1,a dog", INVALID),
    "a mark in the middle": ("a.mp4,0,1,\ufeffa dog".encode(), WHOLE),
    "Latin-1 bytes": (b"a.mp4,0,1,caf\xe9", BARE),
    "a Latin-1 name": (b"caf\xe9.mp4,0,1,a dog", INVALID),
    "right to left, joiners and emoji": (
        "a.mp4,0,1,שלום 👩‍👩‍👧 مرحبا".encode(),
        ("a.mp4", 0, 1_000_000, ["שלום 👩‍👩‍👧 مرحبا"]),
    ),
    "a line end and quotes": (b'a.mp4,0,1,"a\n""dog"""', ("a.mp4", 0, 1_000_000, ['a "dog"'])),
    "Windows line ends": (b"a.mp4,0,1,a dog\r", WHOLE),
    "a quote that never ends": (b'a.mp4,0,1,"a dog', UNREADABLE),
    "a formula": (b"a.mp4,0,1,=cmd|'/c calc'!A0", ("a.mp4", 0, 1_000_000, ["=cmd|'/c calc'!A0"])),
    "markup": (b"a.mp4,0,1,<script>x</script>", ("a.mp4", 0, 1_000_000, ["<script>x</script>"])),
    "an end before the start": (b"a.mp4,2,1,a dog", ("reject", "span_empty")),
    "an end at the start": (b"a.mp4,1,1,a dog", ("reject", "span_empty")),
    "a negative start": (b"a.mp4,-1,1,a dog", ("reject", "span_negative")),
    "a time that is NaN": (b"a.mp4,NaN,1,a dog", INVALID),
    "a time without end": (b"a.mp4,0,inf,a dog", INVALID),
    "a time as a clock": (b"a.mp4,0:00:00,0:00:01.0,a dog", WHOLE),
    "an address with user info": (b"https://u:pw@h/a.mp4,0,1,a dog", ("https://h/a.mp4", 0, 1_000_000, ["a dog"])),
    "an address with a space": (b"https://h/a b.mp4,0,1,a dog", INVALID),
    "an address with a fragment": (b"https://h/a.mp4#t=1,0,1,a dog", ("https://h/a.mp4", 0, 1_000_000, ["a dog"])),
    "an address in another script": (
        "https://bücher.example/a.mp4,0,1,a dog".encode(),
        ("https://xn--bcher-kva.example/a.mp4", 0, 1_000_000, ["a dog"]),
    ),
    "an address with a NUL": (b"https://h/a%00.mp4,0,1,a dog", INVALID),
    "a file as an address": (b"file:///etc/passwd,0,1,a dog", INVALID),
    "another protocol": (b"gopher://h/a.mp4,0,1,a dog", INVALID),
    "a file outside": (b"../../etc/passwd,0,1,a dog", ("reject", "locator_outside")),
    "a key with dots and slashes": (b"A.b/C.d.mp4,0,1,a dog", ("A.b/C.d.mp4", 0, 1_000_000, ["a dog"])),
}


@pytest.mark.parametrize("case", CSV)
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_bad_row_of_a_delimited_file(kind: str, case: str, tmp_path: Path) -> None:
    row, expected = CSV[case]
    lines = b"video,start_s,end_s,caption\nfirst.mp4,0,1,one\n%s\nlast.mp4,0,1,two\n" % row
    table = tmp_path / f"rows.{kind}"
    table.write_bytes(lines.replace(b",", b"\t") if kind == "tsv" else lines)
    items = read(table, format=kind)
    assert [told(item) for item in items] == [FIRST, expected, LAST]
    if isinstance(items[1], Reject):
        assert items[1].detail.startswith(f"rows.{kind} line 3: ")


JSON_ROWS = {
    "a column too few": ('{"start_s": 0}', MISSING),
    "a column too many": (json.dumps({**GOOD, "more": 1}), WHOLE),
    "a type that is wrong": (json.dumps({**GOOD, "start_s": {"s": 0}}), INVALID),
    "a caption of a wrong type": (json.dumps({**GOOD, "caption": 7}), BARE),
    "no id": (json.dumps({**GOOD, "video": None}), MISSING),
    "an empty caption": (json.dumps({**GOOD, "caption": ""}), BARE),
    "a lone surrogate": (json.dumps({**GOOD, "caption": "a \ud800 dog"}), BARE),
    "NaN": ('{"video": "a.mp4", "start_s": NaN}', INVALID),
    "a number beyond any": ('{"video": "a.mp4", "start_s": 1e999}', INVALID),
    "a key twice": ('{"video": "b.mp4", "video": "a.mp4", "start_s": 0, "end_s": 1, "caption": "a dog"}', WHOLE),
    "depth 100,000": ("[" * 100_000, UNREADABLE),
    "no object": ("[]", UNREADABLE),
    "half a line": ('{"video": "a.m', UNREADABLE),
    "a time as a clock": (json.dumps({**GOOD, "end_s": "0:01"}), WHOLE),
    "a truth as a time": (json.dumps({**GOOD, "end_s": True}), INVALID),
}


@pytest.mark.parametrize("case", JSON_ROWS)
def test_a_bad_row_of_json_lines(case: str, tmp_path: Path) -> None:
    row, expected = JSON_ROWS[case]
    table = tmp_path / "rows.jsonl"
    lines = [json.dumps(GOOD | {"video": "first.mp4", "caption": "one"}), row]
    table.write_text("\n".join([*lines, json.dumps(GOOD | {"video": "last.mp4", "caption": "two"})]))
    items = read(table, format="jsonl")
    assert [told(item) for item in items] == [FIRST, expected, LAST]
    if isinstance(items[1], Reject):
        assert items[1].detail.startswith("rows.jsonl line 2: ")


PARQUET = {
    "no id": ({"video": None}, MISSING),
    "an empty caption": ({"caption": ""}, BARE),
    "no caption": ({"caption": None}, BARE),
    "a time that is NaN": ({"start_s": float("nan")}, INVALID),
    "a time without end": ({"end_s": float("inf")}, INVALID),
    "a negative start": ({"start_s": -1.0}, ("reject", "span_negative")),
}


@pytest.mark.parametrize("case", PARQUET)
def test_a_bad_row_of_parquet(case: str, tmp_path: Path) -> None:
    change, expected = PARQUET[case]
    good = {**GOOD, "start_s": 0.0, "end_s": 1.0}
    rows = [
        good | {"video": "first.mp4", "caption": "one"},
        good | change,
        good | {"video": "last.mp4", "caption": "two"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    items = read(tmp_path / "rows.parquet", format="parquet")
    assert [told(item) for item in items] == [FIRST, expected, LAST]
    if isinstance(items[1], Reject):
        assert items[1].detail.startswith("rows.parquet row 2: ")


FILES = {
    "no Parquet at all": ("rows.parquet", b"PAR1 and no footer", "is no parquet file"),
    "an empty table": ("rows.csv", b"", "has no column 'video'"),
    "no such column": ("rows.csv", b"path,words\n", "has no column 'video'"),
    "a column twice": ("rows.csv", b"video,caption,caption\n", "twice"),
    "a header that never ends": ("rows.csv", b'"video,caption\n', "is no csv file"),
    "a packed file that is none": ("rows.csv.gz", b"video,caption\n", "is no csv file"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_none_of_its_kind_is_said_before_anything_runs(case: str, tmp_path: Path) -> None:
    name, content, message = FILES[case]
    (tmp_path / name).write_bytes(content)
    config = config_for(tmp_path / name, format=name.split(".")[1])
    with pytest.raises(ConfigError, match=message):
        check_source(config.sources[0], FetchPolicy())


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_without_rows_has_none(kind: str, tmp_path: Path) -> None:
    table = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"video": pa.array([], pa.string())}), table)
    else:
        table.write_text("video,caption\n" if kind == "csv" else "")
    assert read(table, format=kind) == []


def test_a_caption_of_a_megabyte_is_dropped_and_counted_and_its_video_stays(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("video,caption\na.mp4," + "x" * (1 << 20) + "\nb.mp4,words\n")
    items = read(table, format="csv")
    assert [item.locator for item in items if isinstance(item, Record)] == ["a.mp4", "b.mp4"]
    assert dropped(items[0]) == {"text_too_long": 1} and dropped(items[1]) == {}


def test_a_cell_beyond_what_the_csv_library_takes_by_itself(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("video,note\na.mp4," + "x" * 200_000 + "\n")
    assert [told(item)[0] for item in read(table, format="csv", text_kinds=[])] == ["a.mp4"]


def test_equal_rows_have_one_id_and_other_texts_another(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("video,caption\na.mp4,one\na.mp4,one\na.mp4,two\n")
    ids = [item.record_id for item in read(table, format="csv")]
    assert ids[0] == ids[1] != ids[2]


def test_ten_thousand_clips_of_one_video_that_overlap(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = "".join(f"a.mp4,{n / 10},{n / 10 + 5},clip {n}\n" for n in range(10_000))
    table.write_text(f"video,start_s,end_s,caption\n{rows}")
    items = read(table, format="csv")
    assert len({item.record_id for item in items}) == 10_000
    assert isinstance(items[-1], Record) and (items[-1].start_us, items[-1].end_us) == (999_900_000, 1_004_900_000)


def test_a_row_of_a_hundred_thousand_columns(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    names = [f"c{n}" for n in range(100_000)]
    table.write_text(",".join(["video", *names]) + "\n" + ",".join(["a.mp4", *("1" for _ in names)]) + "\nshort\n")
    assert [told(item)[0] for item in read(table, format="csv", text_kinds=[])] == ["a.mp4", "reject"]


def test_a_file_without_a_header_row(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("a.mp4,0,1,a dog\nb.mp4,0,1\n")
    names = ["video", "start_s", "end_s", "caption"]
    items = read(table, format="csv", column_names=names)
    assert [told(item) for item in items] == [WHOLE, UNREADABLE]
    assert "rows.csv line 2: 3 cells; the header has 4" in items[1].detail
    with pytest.raises(ConfigError, match="has no column 'video'"):
        check_source(config_for(table, format="csv", column_names=["path"]).sources[0], FetchPolicy())
    with pytest.raises(ValueError, match="column_names is for csv and tsv"):
        config_for(table, format="jsonl", column_names=names)


def test_what_a_row_hides_does_not_stand_in_its_reject(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("video,caption\nhttps://u:pw@h/a.mp4?sig=f00,words,more\n")
    reject = read(table, format="csv")[0]
    assert isinstance(reject, Reject) and "pw" not in reject.detail and "f00" not in reject.detail
