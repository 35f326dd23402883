"""The largest elements that shuffles may meet, made as large as a config's defaults allow."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import polars as pl

from curation.judging import selection, tables
from curation.judging.merging import split_told
from curation.judging.repeats import CHUNK, id_numbers
from curation.judging.rows import UNITS_PER_GROUP, UnitGroup, read_group
from curation.packing import pack_sample
from curation.row_spool import RowSpool, new_key
from curation.sources.rows import RawRow, row_to_record
from curation.store import LocalStore
from curation.unit_plan import UnitInput, plan_unit
from curation.unit_reading import read_whole
from pipelines.combiners import parts
from schemas.corpus import load_corpus
from schemas.ids import stable_id
from schemas.records import Record, Selection, Text
from schemas.units import unit_name
from tests.builders import fake_facts, work_with_fakes, write_corpus

LIMIT_BYTES = 64_000
RNG = np.random.default_rng(1)


def largest_record(folder: Path, texts: int) -> Record:
    config = load_corpus(write_corpus(folder))
    row = RawRow(
        place="line 1",
        cells={"n": 1},
        locator="v/a.mp4",
        start=0,
        end=2,
        texts=tuple(Text(kind="description", text=f"{number:06d} " + "é" * 500) for number in range(texts)),
    )
    record = row_to_record(row, config.sources[0], config)
    assert isinstance(record, Record)
    return record


def test_a_record_with_endless_texts_stays_small(tmp_path: Path) -> None:
    record = largest_record(tmp_path / "in", 20_000)
    assert len(record.texts) > 10 and sum(count for _, _, count in record.dropped_texts) > 19_000
    assert 24_000 < len(pickle.dumps(record)) < LIMIT_BYTES


def test_names_of_spooled_rows_stay_small(tmp_path: Path) -> None:
    spool = RowSpool(store=LocalStore(tmp_path), folder="tmp/ingest-rows/rows", key=new_key())
    blocks = spool.write(stable_id("portion", "p", 1), {0: [b"x" * 1_000_000]})
    # A unit of a source with few videos is all its shards, of every file that was read.
    assert len(pickle.dumps((("s" * 40, 1 << 17), blocks[0]))) < 1_000


def test_whole_and_packed_samples_stay_small(tmp_path: Path) -> None:
    record = largest_record(tmp_path / "in", 20_000)
    config, store = load_corpus(tmp_path / "in" / "corpus.yaml"), LocalStore(tmp_path / "run")
    unit = UnitInput(source="stock", bucket=0, bits=0, items=(record,))
    commit = work_with_fakes(plan_unit(unit, config.sources[0], fake_facts(config)), config, store)
    whole = next(read_whole(store, commit))
    rows = read_group(store, [commit], with_text=True)
    ((_, telling),) = split_told(rows, id_numbers(rows.samples["sample_id"]))[1]
    chosen = Selection(
        sample_id=whole.row["sample_id"],
        source="stock",
        tier="clean",
        text_id=whole.texts[0]["text_id"],
        score_1e4=1,
        duplicate_group=None,
        keeper=whole.row["sample_id"],
        duplicate_kind=None,
        similarity_1e4=None,
        offset_us=None,
        near_group=None,
        text_copies=1,
        rule=None,
        stage1_weight_1e4=1,
        stage2_weight_1e4=1,
        shape="480p_16x9_5s",
        shard_bucket=0,
        media_sha256=whole.row["media_sha256"],
        media_bytes=1,
        duration_us=1,
    )
    for element in (telling, whole, chosen, pack_sample(whole, chosen)):
        assert len(pickle.dumps(element)) < LIMIT_BYTES


def test_a_full_group_of_units_stays_small() -> None:
    names = [unit_name("s" * 40, number, 17, f"{number:064x}"[::-1]) for number in range(UNITS_PER_GROUP)]
    assert len(pickle.dumps(UnitGroup(source="s" * 40, part=0, units=tuple(names)))) < LIMIT_BYTES


def test_numbers_of_ids_stay_small() -> None:
    numbers = RNG.integers(0, 2**60, (CHUNK, 1), dtype=np.uint64)
    assert len(pickle.dumps(("s" * 46, numbers))) < LIMIT_BYTES


def test_the_fullest_histogram_and_the_fullest_block_of_sizes_stay_small() -> None:
    bins = pl.DataFrame({"bin": np.arange(-1, 2_001, dtype=np.int32)}).with_columns(
        source=pl.lit("web"),
        text_kind=pl.lit("caption"),
        aggregation=pl.lit("mean"),
        **{name: pl.Series(RNG.integers(0, 10**7, 2_002)) for name in ("count", "sum_1e4", "truncated")},
        minimum_1e4=pl.lit(-9_999),
        maximum_1e4=pl.lit(9_999),
    )
    samples = pl.DataFrame({"sample_id": [stable_id("s", number) for number in range(50_000)]}).with_columns(
        tier=pl.lit("clean"),
        source=pl.lit("web"),
        shape=pl.lit("1080p_16x9_30s"),
        sharded=pl.lit(True),
        media_bytes=pl.Series(RNG.integers(10**5, 10**7, 50_000)),
    )
    for table, frame in ((tables.HISTOGRAMS, bins), (tables.FINE_SIZES, selection.fine_sizes(samples))):
        for element in parts(table.name, frame):
            assert len(pickle.dumps(element)) < LIMIT_BYTES
