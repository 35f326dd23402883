from __future__ import annotations

import dataclasses

import pyarrow as pa
import pytest

from schemas.arrow import (
    RECORDS,
    REJECTS,
    SAMPLES,
    SCORES,
    SELECTION,
    TEXTS,
    parquet_bytes,
    plain_row,
    read_rows,
    record_row,
    sample_row,
)
from schemas.reasons import Reason, Stage
from schemas.records import Record, Reject, Sample, SampleText, Score, Selection, Signals, Text, make_reject

SAMPLE = Sample(
    sample_id="s" * 26,
    source="stock",
    clip_id="c" * 26,
    video_sha256="0" * 64,
    start_us=None,
    end_us=2_000_000,
    locator="a.mp4",
    record_ids=("r" * 26,),
    media_sha256="1" * 64,
    media_bytes=10,
    content_sha256="2" * 64,
    duration_us=2_000_000,
    frames=24,
    fps_1e3=12_000,
    width_px=96,
    height_px=96,
    signals=Signals(
        black_share_1e4=0,
        static_share_1e4=1,
        motion_1e4=2,
        brightness_1e4=3,
        flow_1e4=4,
        sharpness_1e2=5,
        cuts_us=(1_000_000,),
        has_audio=True,
        frame_hashes="3" * 64,
        hash_quality="64",
    ),
)
RECORD = Record(
    record_id="r" * 26,
    source="stock",
    locator="a.mp4",
    address="/videos/a.mp4",
    start_us=None,
    end_us=2_000_000,
    texts=(Text(kind="caption", text="a dog"),),
)


def test_a_sample_survives_parquet() -> None:
    rows = read_rows(parquet_bytes([sample_row(SAMPLE)], SAMPLES), SAMPLES)
    assert rows == [sample_row(SAMPLE)]


def test_a_record_row_holds_no_path_of_this_machine() -> None:
    row = record_row(RECORD, "expanded", SAMPLE.sample_id)
    assert "/videos" not in str(read_rows(parquet_bytes([row], RECORDS), RECORDS))
    assert row["state"] == "expanded"


def test_enums_become_their_codes() -> None:
    reject = make_reject(RECORD, Stage.MEDIA, Reason.FILE_EMPTY, "0 bytes")
    row = read_rows(parquet_bytes([plain_row(reject)], REJECTS), REJECTS)[0]
    assert (row["stage"], row["scope"], row["reason"], row["retryable"]) == ("media", "record", "file_empty", False)


@pytest.mark.parametrize(
    ("record", "schema"),
    [(Reject, REJECTS), (SampleText, TEXTS), (Score, SCORES), (Selection, SELECTION)],
)
def test_a_schema_has_the_columns_of_its_record(record: type, schema: pa.Schema) -> None:
    assert schema.names == [field.name for field in dataclasses.fields(record)]


def test_the_sample_schema_has_the_columns_of_its_row() -> None:
    assert set(SAMPLES.names) == set(sample_row(SAMPLE))


def test_equal_rows_give_equal_bytes_and_a_missing_column_is_an_error() -> None:
    assert parquet_bytes([sample_row(SAMPLE)], SAMPLES) == parquet_bytes([sample_row(SAMPLE)], SAMPLES)
    row = sample_row(SAMPLE)
    del row["frames"]
    with pytest.raises(KeyError, match="frames"):
        parquet_bytes([row], SAMPLES)


def test_a_text_area_may_be_missing_or_a_number() -> None:
    measured = dataclasses.replace(SAMPLE, signals=dataclasses.replace(SAMPLE.signals, text_area_1e4=0))
    rows = read_rows(parquet_bytes([sample_row(SAMPLE), sample_row(measured)], SAMPLES), SAMPLES)
    assert [row["text_area_1e4"] for row in rows] == [None, 0]


def test_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="Parquet schema is"):
        read_rows(parquet_bytes([], TEXTS), SAMPLES)
