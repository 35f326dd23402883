"""Arrow schemas of the Parquet parts, and the two ways between them and the records.

One writer setting for all parts, so that equal rows give equal bytes.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.records import Record, Reject, Sample, SampleText, Score, Selection

_TEXT = pa.struct([("kind", pa.string()), ("text", pa.string()), ("start_us", pa.int64()), ("end_us", pa.int64())])
_SPAN = [("start_us", pa.int64()), ("end_us", pa.int64())]

RECORDS = pa.schema(
    [
        ("record_id", pa.string()),
        ("source", pa.string()),
        ("locator", pa.string()),
        *_SPAN,
        ("texts", pa.list_(_TEXT)),
        ("state", pa.string()),
        ("sample_id", pa.string()),
    ]
)
SAMPLES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("clip_id", pa.string()),
        ("video_sha256", pa.string()),
        *_SPAN,
        ("locator", pa.string()),
        ("record_ids", pa.list_(pa.string())),
        ("media_sha256", pa.string()),
        ("media_bytes", pa.int64()),
        ("duration_us", pa.int64()),
        ("frames", pa.int32()),
        ("fps_1e3", pa.int32()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("black_share_1e4", pa.int32()),
        ("static_share_1e4", pa.int32()),
        ("motion_1e4", pa.int32()),
        ("brightness_1e4", pa.int32()),
        ("flow_1e4", pa.int32()),
        ("sharpness_1e2", pa.int32()),
        ("cuts_us", pa.list_(pa.int64())),
        ("has_audio", pa.bool_()),
        ("phashes", pa.list_(pa.string())),
        ("rights", pa.string()),
    ]
)
TEXTS = pa.schema(
    [
        ("text_id", pa.string()),
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("text", pa.string()),
        ("raw", pa.string()),
        *_SPAN,
        ("chars", pa.int32()),
        ("words", pa.int32()),
        ("language", pa.string()),
        ("margin_1e4", pa.int32()),
        ("nouns", pa.int32()),
        ("verbs", pa.int32()),
    ]
)
SCORES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("text_id", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("media_sha256", pa.string()),
        ("frame_plan", pa.string()),
        ("offset_us", pa.int64()),
        ("aggregation", pa.string()),
        ("score_1e4", pa.int32()),
        ("tokens_cut", pa.int32()),
    ]
)
REJECTS = pa.schema(
    [
        ("source", pa.string()),
        ("stage", pa.string()),
        ("scope", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("record_id", pa.string()),
        ("sample_id", pa.string()),
        ("retryable", pa.bool_()),
        ("attempts", pa.int32()),
        ("input", pa.string()),
    ]
)
SELECTION = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("tier", pa.string()),
        ("text_id", pa.string()),
        ("score_1e4", pa.int32()),
        ("duplicate_group", pa.string()),
        ("keeper", pa.string()),
        ("weight_1e4", pa.int32()),
        ("shard_bucket", pa.int32()),
        ("media_sha256", pa.string()),
        ("media_bytes", pa.int64()),
        ("duration_us", pa.int64()),
    ]
)
HISTOGRAMS = pa.schema(
    [
        ("source", pa.string()),
        ("text_kind", pa.string()),
        ("aggregation", pa.string()),
        ("bin", pa.int32()),
        ("low_1e4", pa.int32()),
        ("high_1e4", pa.int32()),
        ("count", pa.int64()),
    ]
)

Row = Mapping[str, Any]


def sample_row(sample: Sample) -> dict[str, Any]:
    """Return the SAMPLES row of a sample: its signals become columns."""
    row = dataclasses.asdict(sample)
    row.update(row.pop("signals"))
    for name in ("record_ids", "cuts_us", "phashes"):
        row[name] = list(row[name])
    return row


def record_row(record: Record, state: str, sample_id: str | None) -> dict[str, Any]:
    """Return the RECORDS row of a record.

    Args:
        state: what became of it: `expanded`, `merged` or `rejected`.
        sample_id: the sample that it told of, where there is one.
    """
    row = dataclasses.asdict(record)
    del row["address"], row["dropped_texts"]
    row["texts"] = [dataclasses.asdict(text) for text in record.texts]
    return {**row, "state": state, "sample_id": sample_id}


def plain_row(record: SampleText | Score | Reject | Selection) -> dict[str, Any]:
    """Return the row of a record whose fields are the columns."""
    return {name: (str(value) if isinstance(value, str) else value) for name, value in vars(record).items()}


def parquet_bytes(rows: Iterable[Row], schema: pa.Schema) -> bytes:
    """Return a Parquet file of `rows`, in their order; equal rows give equal bytes.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit its column.
        KeyError: a row lacks a column of the schema or has one more.
    """
    listed = list(rows)
    names = set(schema.names)
    for row in listed:
        if set(row) != names:
            raise KeyError(f"columns {sorted(set(row) ^ names)} do not match the schema {schema.names}")
    sink = io.BytesIO()
    # Fixed codec, no page statistics that depend on the library's defaults, no creation time: the bytes are a
    # function of the rows and the pyarrow version, which the fingerprint holds.
    table = pa.Table.from_pylist(listed, schema=schema)
    pq.write_table(table, sink, compression="zstd", row_group_size=65_536, write_statistics=True)
    return sink.getvalue()


def read_rows(data: bytes, schema: pa.Schema, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file made by `parquet_bytes`.

    Raises:
        ValueError: the file's schema is not the one asked for.
    """
    table = pq.read_table(io.BytesIO(data), columns=list(columns) if columns else None)
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    if not table.schema.equals(wanted):
        raise ValueError(f"Parquet schema is {table.schema.names}; expected {wanted.names} with the same types")
    return list(table.to_pylist())
