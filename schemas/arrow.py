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

_TEXT = pa.struct(
    [
        ("kind", pa.string()),
        ("text", pa.string()),
        ("start_us", pa.int64()),
        ("end_us", pa.int64()),
        ("raw", pa.string()),
    ]
)
_DROPPED = pa.struct([("kind", pa.string()), ("reason", pa.string()), ("count", pa.int64())])
_SPAN = [("start_us", pa.int64()), ("end_us", pa.int64())]

RECORDS = pa.schema(
    [
        ("record_id", pa.string()),
        ("source", pa.string()),
        ("locator", pa.string()),
        *_SPAN,
        ("texts", pa.list_(_TEXT)),
        ("dropped_texts", pa.list_(_DROPPED)),
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
        ("content_sha256", pa.string()),
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
        ("frame_hashes", pa.binary()),
        ("hash_quality", pa.binary()),
        ("text_area_1e4", pa.int32()),
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
# Of a clip under one scorer: little-endian float16, normalised.
EMBEDDINGS = pa.schema([("media_sha256", pa.string()), ("vector", pa.binary())])
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
        ("offset_us", pa.int64()),
        ("duplicate_group", pa.string()),
        ("keeper", pa.string()),
        ("duplicate_kind", pa.string()),
        ("similarity_1e4", pa.int32()),
        ("near_group", pa.string()),
        ("text_copies", pa.int64()),
        ("rule", pa.string()),
        ("stage1_weight_1e4", pa.int32()),
        ("stage2_weight_1e4", pa.int32()),
        ("shape", pa.string()),
        ("shard_bucket", pa.int32()),
        ("media_sha256", pa.string()),
        ("media_bytes", pa.int64()),
        ("duration_us", pa.int64()),
    ]
)
# Two contents that resemble each other, and the group that the edge is part of: `duplicates/edges/`.
DUPLICATE_EDGES = pa.schema(
    [
        ("group", pa.string()),
        ("a", pa.string()),
        ("b", pa.string()),
        ("kind", pa.string()),
        ("similarity_1e4", pa.int32()),
        ("offset_ms", pa.int32()),
    ]
)
# Contents of a group of units that a duplicate group or a near group holds: `duplicates/members/`.
DUPLICATE_MEMBERS = pa.schema(
    [
        ("node", pa.string()),
        ("duplicate_group", pa.string()),
        ("near_group", pa.string()),
        ("near_size", pa.int64()),
        ("benchmark", pa.string()),
    ]
)
# Samples in the shards of the base that new clips resemble: `duplicates/base/`.
DUPLICATE_BASE = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("node", pa.string()),
        ("duplicate_group", pa.string()),
        ("pixels", pa.int64()),
        ("score_1e4", pa.int32()),
    ]
)
# Texts of a group of units that others of their source are nearly like: `duplicates/texts/`.
DUPLICATE_TEXTS = pa.schema([("text_id", pa.string()), ("text_group", pa.string()), ("text_copies", pa.int64())])
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
YIELDS = pa.schema(
    [
        ("source", pa.string()),
        ("bin", pa.int32()),
        ("low_1e4", pa.int32()),
        ("clips", pa.int64()),
        ("duration_us", pa.int64()),
        ("media_bytes", pa.int64()),
        ("held_rule_clips", pa.int64()),
        ("held_duplicate_clips", pa.int64()),
    ]
)
DISTRIBUTIONS = pa.schema(
    [
        ("source", pa.string()),
        ("signal", pa.string()),
        ("value", pa.string()),
        ("low", pa.int64()),
        ("count", pa.int64()),
        ("sum", pa.int64()),
    ]
)
JOINT = pa.schema(
    [
        ("source", pa.string()),
        ("dimension", pa.string()),
        ("value", pa.string()),
        ("tier", pa.string()),
        ("bin_low_1e4", pa.int32()),
        ("clips", pa.int64()),
        ("clips_sharded", pa.int64()),
        ("duration_us", pa.int64()),
        ("media_bytes", pa.int64()),
    ]
)
EXAMPLES = pa.schema(
    [
        ("source", pa.string()),
        ("place", pa.string()),
        ("bin", pa.int32()),
        ("order", pa.string()),
        ("sample_id", pa.string()),
        ("unit", pa.string()),
        ("media_sha256", pa.string()),
        ("duration_us", pa.int64()),
        ("tier", pa.string()),
        ("text_id", pa.string()),
        ("score_1e4", pa.int32()),
        ("rule", pa.string()),
        ("duplicate_group", pa.string()),
        ("keeper", pa.string()),
    ]
)
REJECT_EXAMPLES = pa.schema(
    [
        ("source", pa.string()),
        ("stage", pa.string()),
        ("scope", pa.string()),
        ("reason", pa.string()),
        ("order", pa.string()),
        ("record_id", pa.string()),
        ("sample_id", pa.string()),
        ("detail", pa.string()),
        ("input", pa.string()),
    ]
)

Row = Mapping[str, Any]


def sample_row(sample: Sample) -> dict[str, Any]:
    """Return the SAMPLES row of a sample: its signals become columns."""
    row = dataclasses.asdict(sample)
    row.update(row.pop("signals"))
    for name in ("record_ids", "cuts_us"):
        row[name] = list(row[name])
    for name in ("frame_hashes", "hash_quality"):
        row[name] = bytes.fromhex(row[name])
    return row


def record_row(record: Record, state: str, sample_id: str | None) -> dict[str, Any]:
    """Return the RECORDS row of a record: all but its address, so that a unit can be made again without its source.

    Args:
        state: what became of it: `expanded`, `merged` or `rejected`.
        sample_id: the sample that it told of, where there is one.
    """
    row = dataclasses.asdict(record)
    del row["address"]
    row["texts"] = [dataclasses.asdict(text) for text in record.texts]
    row["dropped_texts"] = [
        {"kind": kind, "reason": reason, "count": count} for kind, reason, count in record.dropped_texts
    ]
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
    return table_bytes(pa.Table.from_pylist(listed, schema=schema), schema)


def table_bytes(table: pa.Table, schema: pa.Schema) -> bytes:
    """Return a Parquet file of a table's rows, in their order; its columns are cast to the schema.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit its column.
        KeyError: the table lacks a column of the schema.
    """
    sink = io.BytesIO()
    # Fixed codec, no page statistics that depend on the library's defaults, no creation time: the bytes are a
    # function of the rows and the pyarrow version, which the fingerprint holds.
    fitting = table.select(schema.names).cast(schema).combine_chunks()
    pq.write_table(fitting, sink, compression="zstd", row_group_size=65_536, write_statistics=True)
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
