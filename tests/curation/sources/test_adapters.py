"""Adapters as the readers use them, with adapters made up here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.files import SourceFile
from curation.sources.pieces import split_file
from curation.sources.reading import table_rows
from curation.sources.rows import BrokenRow, RawRow, Row, make_texts
from schemas.corpus import SourceConfig
from schemas.fetching import FetchPolicy
from schemas.records import TextKind

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}


def expand(item: Item, source: SourceConfig) -> Iterable[RawRow | BrokenRow]:
    """A row for each clip of an item; some items make it stumble."""
    clips = item.cells["clips"]
    for start, end in json.loads(clips) if isinstance(clips, str) else clips:
        yield RawRow(
            place=item.place,
            cells={"id": item.cells["id"], "start": start},
            locator=locate(ADAPTER, source, item.cells["id"]),
            start=start,
            end=end,
            texts=make_texts([("caption", item.cells.get("words")), ("title", "a title")]),
        )


def walk(document: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """An object per line between brackets, for a document that can break anywhere."""
    for number, line in enumerate(document):
        if line.strip() not in (b"[", b"]"):
            yield f"item {number}", json.loads(line.rstrip(b",\n"))


KINDS = (TextKind.CAPTION, TextKind.TITLE)
ADAPTER = Adapter(name="made_up", title="", container="csv", expand=expand, text_kinds=KINDS, cites="here", seen=True)


def made(**changes: object) -> Adapter:
    fields = {name: getattr(ADAPTER, name) for name in ADAPTER.__dataclass_fields__}
    return Adapter(**{**fields, **changes})


def read(
    path: Path, adapter: Adapter, *, kinds: tuple[str, ...] = ("caption",), piece_bytes: int = 1 << 20
) -> list[Row]:
    # A table's format stands for the adapter's, which no corpus file may name.
    fields = {"name": "stock", "origin": "noisy", "format": "csv", "location": str(path), "licence": LICENCE}
    source = SourceConfig.model_validate({**fields, "text_kinds": kinds})
    pieces = split_file(
        SourceFile(source="stock", url=str(path), name=path.name, fetch=FetchPolicy()), adapter.container, piece_bytes
    )
    return [row for piece in pieces for row in table_rows(piece, source, adapter.container, adapter)]


def told(row: Row) -> tuple:
    if isinstance(row, BrokenRow):
        return (row.place, "broken", row.detail)
    return (row.place, row.locator, row.start, [text.text for text in row.texts])


PAGE = "https://www.youtube.com/watch?v={}".format


def test_an_item_becomes_a_row_for_each_of_its_clips(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text('id,clips,words\nabc,"[[0, 1], [2, 3]]",a dog\n')
    expected = [("rows.csv line 2", PAGE("abc"), start, ["a dog"]) for start in (0, 2)]
    assert [told(row) for row in read(table, ADAPTER)] == expected


@pytest.mark.parametrize("kinds", [(), ("title",), ("title", "caption")])
def test_only_the_kinds_of_text_that_are_asked_for_are_taken(kinds: tuple[str, ...], tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text('id,clips,words\nabc,"[[0, 1]]",a dog\n')
    found = [[text.kind for text in row.texts] for row in read(table, ADAPTER, kinds=kinds) if isinstance(row, RawRow)]
    assert found == [sorted(kinds)]


STUMBLES = {
    "no JSON": ('abc,"[[0",x', "JSONDecodeError"),
    "a clip of three": ('abc,"[[0, 1, 2]]",x', "ValueError"),
    "no list": ("abc,7,x", "TypeError"),
}


@pytest.mark.parametrize("case", STUMBLES)
def test_an_item_that_an_adapter_stumbles_on_costs_one_row(case: str, tmp_path: Path) -> None:
    row, error = STUMBLES[case]
    table = tmp_path / "rows.csv"
    table.write_text(f'id,clips,words\nabc,"[[0, 1]]",x\n{row}\nabc,"[[5, 6]]",x\n')
    found = read(table, ADAPTER)
    assert [getattr(item, "start", None) for item in found] == [0, None, 5]
    assert isinstance(found[1], BrokenRow) and f"not as made_up has it: {error}" in found[1].detail


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
def test_a_file_with_or_without_a_header_row(piece_bytes: int, tmp_path: Path) -> None:
    adapter = made(columns=("id", "clips"), header_marks=frozenset({"id", "videoid", "clips"}))
    rows = {"id": "ab", "clips": "[[0, 1]]"}, {"id": "cd", "clips": "[[2, 3]]"}
    for header, order in (("", "ic"), ("id,clips", "ic"), ("VideoID,Clips", "ic"), ("clips,id", "ci")):
        names = {"i": "id", "c": "clips"}
        lines = [",".join('"' + row[names[sign]] + '"' for sign in order) for row in rows]
        table = tmp_path / "rows.csv"
        table.write_text("\n".join([header, *lines] if header else lines) + "\n")
        found = [told(row)[:3] for row in read(table, adapter, piece_bytes=piece_bytes)]
        line = 2 if header else 1
        assert found == [(f"rows.csv line {line}", PAGE("ab"), 0), (f"rows.csv line {line + 1}", PAGE("cd"), 2)]


def test_json_lines_and_parquet_reach_an_adapter(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": "abc", "clips": [[0, 1]]}\n{\n')
    found = [told(row)[1] for row in read(tmp_path / "rows.jsonl", made(container="jsonl"))]
    assert found == [PAGE("abc"), "broken"]
    pq.write_table(pa.table({"id": ["abc"], "clips": [[[0, 1]]]}), tmp_path / "rows.parquet")
    assert [told(row)[1:3] for row in read(tmp_path / "rows.parquet", made(container="parquet"))] == [(PAGE("abc"), 0)]


def test_a_document_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    document = tmp_path / "all.json"
    document.write_text('[\n{"id": "ab", "clips": [[0, 1]]},\n{"id": "cd", "clips": [[2, 3]]},\n{"id": "e\n')
    found = [told(row)[:2] for row in read(document, made(container="json", walk=walk))]
    assert found == [
        ("all.json item 1", PAGE("ab")),
        ("all.json item 2", PAGE("cd")),
        ("all.json after item 2", "broken"),
    ]


def test_a_source_may_keep_the_videos_elsewhere() -> None:
    fields = {"name": "stock", "origin": "noisy", "format": "csv", "location": "x", "licence": LICENCE}
    source = SourceConfig.model_validate({**fields, "locator": "videos/{id}.mp4"})
    assert [locate(ADAPTER, source, found) for found in ("ab", 7, None, "", True)] == [
        "videos/ab.mp4",
        "videos/7.mp4",
        None,
        "",
        True,
    ]
