from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.row_lines import from_line, id_in, place_of, to_line
from schemas.reasons import Reason, Scope, Stage
from schemas.records import Record, Reject, Text
from schemas.units import place_id

RECORD = Record(
    record_id="r" * 26,
    source="stock",
    locator="v/a.mp4",
    address="https://host/v/a.mp4?Signature=secret",
    start_us=None,
    end_us=2_000_000,
    texts=(
        Text(kind="caption", text="two\nlines", raw=" two\r\nlines "),
        Text(kind="asr", text="é 漢", start_us=0, end_us=5),
    ),
    dropped_texts=(("caption", "text_empty", 2),),
)
REJECT = Reject(
    source="stock",
    stage=Stage.READ,
    scope=Scope.RECORD,
    reason=Reason.ROW_UNREADABLE,
    detail="line 7: no JSON",
    record_id="x" * 26,
    sample_id=None,
    retryable=False,
    attempts=1,
    input='{"place": "line 7"}',
)
TEXT = st.text(st.characters())
SPAN = st.none() | st.integers(0, 2**60)
RECORDS = st.builds(
    Record,
    record_id=st.text("abc", min_size=1),
    source=st.just("stock"),
    locator=st.text(),
    address=TEXT,
    start_us=SPAN,
    end_us=SPAN,
    texts=st.lists(st.builds(Text, kind=TEXT, text=TEXT, start_us=SPAN, end_us=SPAN, raw=st.none() | TEXT)).map(tuple),
    dropped_texts=st.lists(st.tuples(TEXT, TEXT, st.integers(1, 9))).map(tuple),
)


@pytest.mark.parametrize("item", [RECORD, REJECT])
def test_an_item_comes_back_as_it_was(item: Record | Reject) -> None:
    assert from_line("stock", to_line(item)) == item


@given(RECORDS)
def test_any_record_comes_back_from_one_line(record: Record) -> None:
    line = to_line(record)
    assert b"\n" not in line
    assert from_line("stock", line) == record


@pytest.mark.parametrize(("item", "place"), [(RECORD, "v/a.mp4"), (REJECT, "x" * 26)])
def test_a_line_begins_with_the_id_of_its_place(item: Record | Reject, place: str) -> None:
    assert place_of(item) == place
    assert id_in(to_line(item)) == place_id("stock", place).encode("ascii")


def test_rows_of_one_video_share_its_strings() -> None:
    one, other = (from_line("stock", to_line(RECORD)) for _ in range(2))
    assert isinstance(one, Record) and isinstance(other, Record)
    assert one.locator is other.locator and one.address is other.address
