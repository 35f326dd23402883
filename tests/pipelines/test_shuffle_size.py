"""The largest element that a shuffle may meet, made as large as a config's defaults allow."""

from __future__ import annotations

import pickle
from pathlib import Path

from curation.packing import pack_sample
from curation.sources.rows import RawRow, row_to_record
from curation.store import LocalStore
from curation.unit_plan import UnitInput, plan_unit
from curation.unit_reading import read_facts, read_whole
from schemas.corpus import load_corpus
from schemas.records import Record, Selection, Text
from tests.builders import fake_facts, work_with_fakes, write_corpus

LIMIT_BYTES = 64_000


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


def test_facts_and_packed_samples_stay_small(tmp_path: Path) -> None:
    record = largest_record(tmp_path / "in", 20_000)
    config, store = load_corpus(tmp_path / "in" / "corpus.yaml"), LocalStore(tmp_path / "run")
    unit = UnitInput(source="stock", bucket=0, bits=0, items=(record,))
    plan = plan_unit(unit, config.sources[0], fake_facts(config))
    commit = work_with_fakes(plan, config, store)
    facts, whole = next(read_facts(store, commit)), next(read_whole(store, commit))
    row = Selection(
        sample_id=facts.sample_id,
        source="stock",
        tier="clean",
        text_id=facts.texts[0].text_id,
        score_1e4=1,
        duplicate_group=None,
        keeper=facts.sample_id,
        weight_1e4=1,
        shard_bucket=0,
        media_sha256=facts.media_sha256,
        media_bytes=1,
        duration_us=1,
    )
    for element in (facts, whole, row, pack_sample(whole, row)):
        assert len(pickle.dumps(element)) < LIMIT_BYTES
