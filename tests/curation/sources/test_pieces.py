from __future__ import annotations

import csv
import gzip
import io
import tempfile
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources import list_source, read_piece, read_source, split_source_file
from curation.sources.pieces import Piece
from schemas.corpus import CorpusConfig
from schemas.fetching import FetchPolicy
from schemas.records import Record, Reject

HEADER = {"csv": b"video,caption\n", "tsv": b"video\tcaption\n", "jsonl": b""}
ODD_PARTS = [b"a.mp4,x", b"b.mp4\ty", b'"', b'""', b",", b"\n", b"\n", b"\r\n", b"\r", b"\xff", "é".encode(), b"../"]
JSON_PARTS = [b'{"video": "a.mp4"}', b'{"video": "b.mp4", "caption": "x"}', b"{", b"\n", b"\n", b"\r\n", b"\r", b" "]


def config_for(location: Path | str, **changes: object) -> CorpusConfig:
    source = {
        "name": "stock",
        "origin": "clean",
        "location": str(location),
        "media_root": "/videos",
        "licence": {"name": "CC0-1.0", "basis": "own", "terms": "ours"},
        "text_kinds": ["caption"],
        **changes,
    }
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [source]})


def pieces_of(config: CorpusConfig, piece_bytes: int) -> list[Piece]:
    source = config.sources[0]
    return [
        piece for file in list_source(source, FetchPolicy()) for piece in split_source_file(file, source, piece_bytes)
    ]


def read_in_pieces(config: CorpusConfig, piece_bytes: int) -> list[Record | Reject]:
    """Read the pieces from the last to the first, and put what they gave in the file's order."""
    found = [list(read_piece(piece, config.sources[0], config)) for piece in reversed(pieces_of(config, piece_bytes))]
    return [item for items in reversed(found) for item in items]


@pytest.mark.parametrize("kind", HEADER)
@given(data=st.data())
def test_pieces_of_any_size_give_what_the_whole_file_gives(kind: str, data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from(JSON_PARTS if kind == "jsonl" else ODD_PARTS), max_size=40))
    piece_bytes = data.draw(st.integers(1, 60))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / f"rows.{kind}"
        table.write_bytes(HEADER[kind] + b"".join(parts))
        config = config_for(table, format=kind)
        assert read_in_pieces(config, piece_bytes) == list(read_source(config.sources[0], config))


@given(
    rows=st.lists(st.tuples(st.text(max_size=5), st.text('a"\n,', max_size=8)), min_size=1, max_size=20),
    piece_bytes=st.integers(1, 30),
)
def test_pieces_give_what_the_csv_library_wrote(rows: list[tuple[str, str]], piece_bytes: int) -> None:
    written = [(name.replace("\x00", "") or "x", words) for name, words in rows if name.isascii() and ":" not in name]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rows.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("video", "caption"), *written])
        items = read_in_pieces(config_for(table, format="csv", media_root="/"), piece_bytes)
    assert [item.locator for item in items if isinstance(item, Record)] == [name for name, _ in written]
    kept = [" ".join(item.texts[0].text.split()) if item.texts else "" for item in items if isinstance(item, Record)]
    assert kept == [" ".join(words.split()) for _, words in written]


def test_a_long_table_is_cut_at_rows_and_its_rejects_name_their_lines(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = [f'{number}.mp4,"words\nof {number}"' if number % 3 else f"{number}.mp4,words" for number in range(300)]
    rows[250] = "one cell"
    table.write_text("\n".join(["video,caption", *rows]) + "\n")
    config = config_for(table, format="csv")
    pieces = pieces_of(config, 500)
    assert len(pieces) > 5 and all(earlier.end == later.start for earlier, later in pairwise(pieces))
    items = read_in_pieces(config, 500)
    line = 2 + 250 + sum(1 for number in range(250) if number % 3)
    rejects = [item.detail for item in items if isinstance(item, Reject)]
    assert len(items) == 300 and rejects == [f"rows.csv line {line}: 1 cells; the header has 2: ['one cell']"]
    assert table.read_text().splitlines()[line - 1] == "one cell"


def test_a_quote_that_is_missing_in_one_piece_leaves_the_next_alone(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = [f"{number}.mp4,text {number}" for number in range(1_500)]
    rows[3] = '3.mp4,"a quote that never ends'
    table.write_text("\n".join(["video,caption", *rows]) + "\n")
    items = read_in_pieces(config_for(table, format="csv"), 200)
    assert [isinstance(item, Reject) for item in items].index(True) == 3
    assert sum(isinstance(item, Record) for item in items) == 1_499


def test_parquet_is_cut_between_row_groups_and_counts_rows_through(tmp_path: Path) -> None:
    table = tmp_path / "rows.parquet"
    names = [f"{number}.mp4" for number in range(95)] + [None] * 5
    pq.write_table(pa.table({"video": names, "caption": ["words"] * 100}), table, row_group_size=10)
    config = config_for(table, format="parquet")
    pieces = pieces_of(config, 1)
    assert [(piece.start, piece.end, piece.before) for piece in pieces[:2]] == [(0, 1, 0), (1, 2, 10)]
    items = read_in_pieces(config, 1)
    assert len(pieces) == 10 and items == read_in_pieces(config, 1 << 30)
    assert [item.detail[:20] for item in items[95:97]] == ["rows.parquet row 96:", "rows.parquet row 97:"]


def test_small_row_groups_share_a_piece(tmp_path: Path) -> None:
    table = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"video": ["a.mp4"] * 40, "caption": ["words"] * 40}), table, row_group_size=4)
    sizes = [piece.end - piece.start for piece in pieces_of(config_for(table, format="parquet"), 500) if piece.end]
    assert len(sizes) in range(1, 6) and min(sizes) > 1


def test_a_packed_file_is_one_piece(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv.gz"
    plain = b"video,caption\n" + b"a.mp4,words\n" * 1_000
    table.write_bytes(gzip.compress(plain))
    config = config_for(table, format="csv")
    assert len(pieces_of(config, 10)) == 1 and len(read_in_pieces(config, 10)) == 1_000


def test_a_truncated_packed_file_keeps_its_whole_rows_and_says_where_it_ends(tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl.gz"
    packed = gzip.compress(b"".join(b'{"video": "%d.mp4"}\n' % number for number in range(50_000)))
    table.write_bytes(packed[: len(packed) // 2])
    items = read_in_pieces(config_for(table, format="jsonl"), 10)
    rows = [item.locator for item in items[:-1] if isinstance(item, Record)]
    assert len(rows) > 10_000 and rows == [f"{number}.mp4" for number in range(len(rows))]
    assert isinstance(items[-1], Reject)
    assert items[-1].detail.startswith(f"rows.jsonl.gz line {len(rows) + 1}: the packed file ends early, after ")


def test_a_truncated_packed_table_drops_the_row_that_was_cut(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv.gz"
    plain = io.BytesIO(b"video,caption\n" + b"".join(b"%d.mp4,words of %d\n" % (n, n) for n in range(50_000)))
    table.write_bytes(gzip.compress(plain.getvalue())[:-20_000])
    items = read_in_pieces(config_for(table, format="csv"), 10)
    whole = [item for item in items[:-1] if isinstance(item, Record)]
    assert [item.texts[0].text for item in whole] == [f"words of {number}" for number in range(len(whole))]
    assert isinstance(items[-1], Reject) and f"line {len(whole) + 2}: the packed file ends early" in items[-1].detail


@pytest.mark.parametrize("piece_bytes", [1, 20, 30])
def test_a_stray_quote_is_told_as_in_the_whole_file_though_the_next_quote_lies_in_another_piece(
    piece_bytes: int, tmp_path: Path
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text('video,caption\na.mp4,"stray\nb.mp4,x\nc.mp4,y\nd.mp4,an "other" word\n')
    items = read_in_pieces(config_for(table, format="csv"), piece_bytes)
    assert [item.detail for item in items if isinstance(item, Reject)] == [
        "rows.csv line 2: not a row: ',' expected after '\"'"
    ]
    assert [item.locator for item in items if isinstance(item, Record)] == ["b.mp4", "c.mp4", "d.mp4"]
