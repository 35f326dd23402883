"""Reading a group of units as columns: only those that judging needs, without the samples that scoring lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.scoring import AGGREGATIONS
from curation.store import Store
from curation.unit_parts import PART_SCHEMAS, SCORE_SCHEMAS
from schemas.units import UnitCommit

# Samples of one group, about: its columns take some 50 MB.
SAMPLES_PER_GROUP = 50_000
# Units of one group at most: their names travel together and stay under 64 kB.
UNITS_PER_GROUP = 900

SIGNALS = ("flow_1e4", "static_share_1e4", "black_share_1e4", "text_area_1e4")
TEXT_COLUMNS = ("text_id", "words", "language")
SAMPLE_SCHEMA = pl.Schema(
    {
        "sample_id": pl.String,
        "source": pl.String,
        "unit": pl.String,
        "video_sha256": pl.String,
        "media_sha256": pl.String,
        "media_bytes": pl.Int64,
        "content_sha256": pl.String,
        "width_px": pl.Int32,
        "height_px": pl.Int32,
        "duration_us": pl.Int64,
        **dict.fromkeys(SIGNALS, pl.Int32),
    }
)
PAIR_SCHEMA = pl.Schema(
    {
        "sample_id": pl.String,
        "unit": pl.String,
        "text_id": pl.String,
        "kind": pl.String,
        "offset_us": pl.Int64,
        "tokens_cut": pl.Int32,
        **dict.fromkeys(AGGREGATIONS, pl.Int32),
        "words": pl.Int32,
        "language": pl.String,
        "text": pl.String,
    }
)


class PartOutOfOrder(ValueError):
    """The rows of a part do not lie as ingest writes them."""


@dataclass(frozen=True, kw_only=True)
class UnitGroup:
    """Neighbouring units of one source that are judged together, and written as one part of the selection."""

    source: str
    part: int
    units: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique in a run."""
        return f"{self.source}-{self.part:05d}"


@dataclass(frozen=True, kw_only=True)
class GroupRows:
    """The columns of a group.

    Attributes:
        samples: SAMPLE_SCHEMA, one row per sample and unit that tells of it.
        pairs: PAIR_SCHEMA, one row per scored text, with its score in 1e-4 under each aggregation; `text` is null
            where it was not asked for.
    """

    samples: pl.DataFrame
    pairs: pl.DataFrame


def group_units(
    commits: Iterable[UnitCommit], max_samples: int = SAMPLES_PER_GROUP, max_units: int = UNITS_PER_GROUP
) -> list[UnitGroup]:
    """Return all units in groups, by source and name; a unit that is larger than a group is a group of its own."""
    groups: list[UnitGroup] = []
    names: list[str] = []
    samples = 0
    for commit in sorted(commits, key=lambda commit: (commit.source, commit.unit)):
        size = commit.ledger.samples_kept
        same_source = bool(groups) and groups[-1].source == commit.source
        if not same_source or samples + size > max_samples or len(names) == max_units:
            part = groups[-1].part + 1 if same_source else 0
            groups.append(UnitGroup(source=commit.source, part=part, units=()))
            names, samples = [], 0
        names.append(commit.unit)
        samples += size
        groups[-1] = replace(groups[-1], units=tuple(names))
    return groups


def read_columns(store: Store, commit: UnitCommit, kind: str, columns: Sequence[str]) -> pa.Table:
    """Return columns of one part of a unit; the others are not read.

    Raises:
        ValueError: the part has another schema.
    """
    schema = {**PART_SCHEMAS, **SCORE_SCHEMAS}[kind]
    with store.open(commit.parts[kind].path) as file:
        table = pq.ParquetFile(file).read(columns=list(columns)).select(list(columns))
    wanted = pa.schema([schema.field(name) for name in columns])
    if not table.schema.equals(wanted):
        raise ValueError(f"{commit.parts[kind].path}: its columns are {table.schema}; expected {wanted}; ingest again")
    return table


def _gathered(store: Store, commits: Sequence[UnitCommit], kind: str, columns: Sequence[str]) -> pl.DataFrame:
    """Return columns of one part of all units, with the unit of each row."""
    tables = [read_columns(store, commit, kind, columns) for commit in commits]
    frame = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    units = pl.Series("unit", [commit.unit for commit in commits], dtype=pl.String)
    places = pl.Series([place for place, table in enumerate(tables) for _ in range(table.num_rows)], dtype=pl.UInt32)
    return frame.with_columns(units.gather(places))


def read_samples(store: Store, commits: Sequence[UnitCommit], columns: Sequence[str]) -> pl.DataFrame:
    """Return columns of the samples of units, with `unit`; `sample_id` must be among the columns."""
    samples = _gathered(store, commits, "samples", columns)
    scored = [commit for commit in commits if commit.parts["score_rejects"].rows]
    if not scored:
        return samples
    lost = _gathered(store, scored, "score_rejects", ("sample_id",))
    return samples.join(lost, on=["sample_id", "unit"], how="anti", maintain_order="left")


def read_group(store: Store, commits: Sequence[UnitCommit], *, with_text: bool = False) -> GroupRows:
    """Return the rows of a group of units.

    Args:
        with_text: read the texts themselves, too.
    """
    samples = read_samples(store, commits, [name for name in SAMPLE_SCHEMA if name != "unit"])
    pairs = _read_pairs(store, commits)
    texts = _gathered(store, commits, "texts", (*TEXT_COLUMNS, *(("text",) if with_text else ())))
    joined = pairs.join(texts, on=["text_id", "unit"], how="left", maintain_order="left")
    if not with_text:
        joined = joined.with_columns(text=pl.lit(None, dtype=pl.String))
    return GroupRows(samples=samples.select(list(SAMPLE_SCHEMA)), pairs=joined.select(list(PAIR_SCHEMA)))


def _read_pairs(store: Store, commits: Sequence[UnitCommit]) -> pl.DataFrame:
    """Return one row per scored text, with one score column per aggregation."""
    columns = ("sample_id", "text_id", "kind", "offset_us", "tokens_cut", "aggregation", "score_1e4")
    rows = _gathered(store, commits, "scores", columns)
    wide: pl.DataFrame | None = None
    for name in AGGREGATIONS:
        own = rows.filter(pl.col("aggregation") == name)
        if wide is None:
            wide = own.drop("aggregation", "score_1e4")
        if not wide["text_id"].equals(own["text_id"]):
            raise PartOutOfOrder(f"units {commits[0].unit} …: each text wants one row per aggregation; ingest again")
        wide = wide.with_columns(own["score_1e4"].alias(name))
    assert wide is not None
    return wide
