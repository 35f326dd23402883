from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.judge_world import SCORER, WorldSize, make_run, world_config
from curation.judging.rows import PartOutOfOrder, group_units, read_columns, read_group
from curation.unit_reading import read_part
from pipelines.finished import scored_units
from pipelines.run_folder import Run
from schemas.arrow import REJECTS, SCORES, parquet_bytes, read_rows
from schemas.statistics import LedgerCounts
from schemas.units import PartFacts, UnitCommit


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "in").mkdir()
    size = WorldSize(sources=1, samples=20, unit_samples=10)
    return make_run(size, world_config(size, tmp_path / "in"), tmp_path / "run")


def commit(source: str, name: str, samples: int) -> UnitCommit:
    counts = dict.fromkeys(LedgerCounts.model_fields, 0) | {"samples_kept": samples}
    return UnitCommit(
        unit=name,
        source=source,
        fingerprint="",
        clips="",
        clips_sha256="",
        ledger=LedgerCounts(**counts),
        videos=0,
        parts={},
        dropped_texts={},
    )


def test_groups_hold_every_unit_once_in_order() -> None:
    units = [commit("b", "b-2", 4), commit("b", "b-1", 4), commit("a", "a-1", 99), commit("b", "b-3", 4)]
    groups = group_units(units, max_samples=8)
    assert [(group.name, group.units) for group in groups] == [
        ("a-00000", ("a-1",)),
        ("b-00000", ("b-1", "b-2")),
        ("b-00001", ("b-3",)),
    ]
    assert [group.units for group in group_units(units[:2], max_samples=100, max_units=1)] == [("b-1",), ("b-2",)]
    assert group_units([]) == []


def test_a_group_is_read_as_its_units_tell_it(run: Run) -> None:
    units = scored_units(run)
    commits = [units.read(name) for name in units.names]
    rows = read_group(run.store, commits, with_text=True)
    told = [(row["sample_id"], one.unit) for one in commits for row in read_part(run.store, one, "samples")]
    assert rows.samples.select("sample_id", "unit").rows() == told
    scores = {
        (row["text_id"], row["aggregation"]): row["score_1e4"]
        for one in commits
        for row in read_part(run.store, one, "scores")
    }
    texts = {row["text_id"]: row for one in commits for row in read_part(run.store, one, "texts")}
    for pair in rows.pairs.iter_rows(named=True):
        assert pair["max"] == scores[pair["text_id"], "max"] and pair["top_k"] == scores[pair["text_id"], "top_k"]
        assert pair["words"] == texts[pair["text_id"]]["words"] and pair["text"] == texts[pair["text_id"]]["text"]


def test_samples_that_scoring_lost_are_left_out(run: Run) -> None:
    units = scored_units(run)
    commits = [units.read(name) for name in units.names]
    lost = read_part(run.store, commits[0], "samples")[3]
    reject = {
        "source": lost["source"],
        "stage": "score",
        "scope": "sample",
        "reason": "score_not_finite",
        "detail": "",
        "record_id": None,
        "sample_id": lost["sample_id"],
        "retryable": False,
        "attempts": 1,
        "input": "",
    }
    data = parquet_bytes([reject], REJECTS)
    path = commits[0].parts["score_rejects"].path
    run.store.write(path, data)
    part = PartFacts(path=path, rows=1, bytes=len(data), sha256="")
    commits[0] = commits[0].model_copy(update={"parts": {**commits[0].parts, "score_rejects": part}})
    kept = read_group(run.store, commits).samples["sample_id"].to_list()
    assert lost["sample_id"] not in kept
    assert len(kept) == sum(len(read_part(run.store, one, "samples")) for one in commits) - 1


def test_scores_in_another_order_are_refused(run: Run) -> None:
    units = scored_units(run)
    one = units.read(units.names[0])
    path = one.parts["scores"].path
    rows = read_rows(run.store.read(path), SCORES)
    run.store.write(path, parquet_bytes(rows[1:], SCORES))
    with pytest.raises(PartOutOfOrder, match="ingest again"):
        read_group(run.store, [one])


def test_a_part_of_another_schema_is_refused(run: Run) -> None:
    one = scored_units(run).read(scored_units(run).names[0])
    facts = PartFacts(path=one.parts["scores"].path, rows=0, bytes=0, sha256="")
    wrong = one.model_copy(update={"parts": {**one.parts, "texts": facts}})
    with pytest.raises((ValueError, KeyError)):
        read_columns(run.store, wrong, "texts", ("text_id", "words"))


def test_the_made_run_is_under_its_scorer(run: Run) -> None:
    assert scored_units(run).scoring == SCORER.scoring
