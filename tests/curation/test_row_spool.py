from __future__ import annotations

from pathlib import Path

import pytest

from curation.row_spool import Block, RowsLostError, RowSpool, new_key, portions, rows_told, whole_blocks
from curation.store import LocalStore

KEY = bytes(range(16))
LINES = {0: [b"one line", b"another"], 7: [b"a third"]}
A, B = (Block(origin, f"tmp/{origin}-1", start, 10, 2) for origin, start in (("a", 0), ("b", 30)))


def spool_in(folder: Path, key: bytes = KEY) -> RowSpool:
    return RowSpool(store=LocalStore(folder), folder="tmp/rows", key=key)


def test_blocks_hold_the_lines_of_their_buckets(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    blocks = spool.write("origin", LINES)
    assert {bucket: spool.read(block) for bucket, block in blocks.items()} == LINES
    assert {bucket: block.rows for bucket, block in blocks.items()} == {0: 2, 7: 1}
    assert len(list(spool.store.list("tmp/rows"))) == 1


def test_a_reader_that_is_run_again_writes_the_same_file(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    once = spool.write("origin", LINES)
    content = spool.store.read(once[0].path)
    assert spool.write("origin", dict(reversed(LINES.items()))) == once
    assert spool.store.read(once[0].path) == content
    assert len(list(spool.store.list("tmp/rows"))) == 1


def test_what_came_of_another_reading_has_another_name(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    once, again = spool.write("origin", LINES), spool.write("origin", {**LINES, 7: [b"changed"]})
    assert once[0].path != again[0].path and once[0].origin == again[0].origin
    assert spool.read(once[0]) == LINES[0]
    with pytest.raises(RowsLostError, match="changed while it was read"):
        whole_blocks([once[0], again[0]])


def test_nobody_reads_the_lines_without_the_job_s_key(tmp_path: Path) -> None:
    block = spool_in(tmp_path, new_key()).write("origin", {0: [b"https://host/a.mp4?Signature=canary"]})[0]
    assert b"canary" not in (tmp_path / block.path).read_bytes()
    with pytest.raises(RowsLostError):
        spool_in(tmp_path, new_key()).read(block)


def change_a_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [change_a_byte, lambda content: content[:-1], lambda content: b""])
def test_a_damaged_block_is_noticed(damage, tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    block = spool.write("origin", LINES)[7]
    path = tmp_path / block.path
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RowsLostError, match="does not hold the 1 rows"):
        spool.read(block)


def test_a_lost_file_and_one_that_lies_under_another_name_are_noticed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    block, other = spool.write("origin", LINES)[7], spool.write("other", LINES)[7]
    (tmp_path / other.path).rename(tmp_path / block.path)
    for lost in (block, other):
        with pytest.raises(RowsLostError):
            spool.read(lost)


def test_a_block_that_comes_twice_counts_once_and_no_order_matters() -> None:
    assert whole_blocks([B, A, B]) == whole_blocks([A, B]) == [A, B]
    assert whole_blocks([A, A._replace(start=10)]) == [A, A._replace(start=10)], "two buckets of one file"


# (what readers told, the rows that they found)
TOLD = {
    "nothing": ([], 0),
    "two portions": ([("a", "p/a", 3), ("b", "p/b", 3)], 6),
    "one told twice": ([("a", "p/a", 3), ("a", "p/a", 3)], 3),
}


@pytest.mark.parametrize("case", TOLD)
def test_rows_are_counted_once_for_each_portion(case: str) -> None:
    told, rows = TOLD[case]
    assert rows_told(told) == rows


def test_a_portion_with_two_results_is_refused() -> None:
    with pytest.raises(RowsLostError, match="at rest"):
        rows_told([("a", "p/a-1", 3), ("a", "p/a-2", 3)])


def test_portions_are_bounded_and_have_ids_of_their_own() -> None:
    lines = [b"12345"] * 7
    found = list(portions("piece", lines, max_bytes=15))
    assert [len(held) for _, held in found] == [3, 3, 1]
    assert len({origin for origin, _ in found}) == 3
    assert found == list(portions("piece", lines, max_bytes=15))
    assert [origin for origin, _ in found] != [origin for origin, _ in portions("other", lines, max_bytes=15)]
    assert list(portions("piece", [])) == []
