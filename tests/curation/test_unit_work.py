from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from curation.replay import mark_rejects
from curation.store import LocalStore
from curation.unit_parts import UnitResult, read_commit, read_unit, unit_ledger
from curation.unit_plan import UnitInput, plan_unit
from curation.unit_reading import count_rejects, kept_samples, merge_whole, read_part, read_whole
from schemas.corpus import TextLimits
from schemas.ledger import Ledger, LedgerError
from schemas.records import Record, Text
from tests.builders import (
    FAKE_SCORER,
    counted_digests,
    fake_facts,
    ingest_with_fakes,
    unit_inputs,
    work_with_fakes,
    write_corpus,
)
from tests.fakes import FakeFetcher, FakeScorer


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "in")


def test_every_row_and_sample_is_accounted_for(corpus: Path, tmp_path: Path) -> None:
    _, _, commits = ingest_with_fakes(corpus, tmp_path / "run")
    sums: dict[str, Ledger] = {}
    for commit in commits:
        sums[commit.source] = sums.get(commit.source, Ledger()) + commit.totals()
    told = {
        name: (
            led.records_read,
            led.records_expanded,
            led.records_merged,
            led.records_rejected,
            led.samples_kept,
            led.samples_rejected,
            led.texts_kept,
            led.texts_dropped,
        )
        for name, led in sums.items()
    }
    assert told == {
        "stock": (8, 4, 1, 3, 3, 1, 3, 1),
        "mined": (4, 2, 0, 2, 2, 0, 2, 1),
        "silent": (1, 1, 0, 0, 1, 0, 0, 0),
    }


def test_each_reject_has_its_reason_and_its_input(corpus: Path, tmp_path: Path) -> None:
    _, store, commits = ingest_with_fakes(corpus, tmp_path / "run")
    counts: Counter = Counter()
    for commit in commits:
        counts.update({(commit.source, *key): count for key, count in count_rejects(store, commit).items()})
    assert counts == {
        ("stock", "read", "record", "duplicate_row"): 1,
        ("stock", "read", "record", "span_empty"): 1,
        ("stock", "media", "record", "not_media"): 1,
        ("stock", "cut", "sample", "span_past_end"): 1,
        ("stock", "text", "text", "text_empty"): 1,
        ("mined", "read", "record", "row_unreadable"): 1,
        ("mined", "read", "record", "field_missing"): 1,
        ("mined", "text", "text", "text_broken"): 1,
    }
    rows = [row for commit in commits for row in read_part(store, commit, "rejects")]
    assert all(row["input"] for row in rows)
    assert str(tmp_path) not in str(rows), "a machine's paths have no place in a run"
    assert "0x55d0c0ffee00" not in str(rows), "an address in memory differs from run to run"


def test_a_second_run_writes_the_same_bytes_and_a_committed_unit_is_found(corpus: Path, tmp_path: Path) -> None:
    _, one, commits = ingest_with_fakes(corpus, tmp_path / "one")
    ingest_with_fakes(corpus, tmp_path / "two")
    assert counted_digests(tmp_path / "one") == counted_digests(tmp_path / "two") != {}
    assert all(read_unit(one, commit.unit, FAKE_SCORER.scoring) == commit for commit in commits)
    assert read_unit(one, "stock-00000of00001-00000000", FAKE_SCORER.scoring) is None
    assert not list((tmp_path / "one" / "tmp" / "units").iterdir()), "the scratch folder of a unit is gone"


def test_a_plan_does_not_depend_on_the_order_of_arrival(corpus: Path, tmp_path: Path) -> None:
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "run")
    unit = unit_inputs(config)[0]
    facts = fake_facts(config)
    backwards = replace(unit, items=tuple(reversed(unit.items)))
    assert plan_unit(unit, config.sources[0], facts) == plan_unit(backwards, config.sources[0], facts)


def test_another_setting_or_row_gives_another_fingerprint(corpus: Path, tmp_path: Path) -> None:
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "run")
    unit, facts = unit_inputs(config)[0], fake_facts(config)
    plan = plan_unit(unit, config.sources[0], facts)
    fewer = plan_unit(replace(unit, items=unit.items[1:]), config.sources[0], facts)
    other = plan_unit(unit, config.sources[0], replace(facts, media={**facts.media, "clip": {"crf": 30}}))
    assert len({plan.fingerprint, fewer.fingerprint, other.fingerprint}) == 3
    assert len({plan.name, fewer.name, other.name}) == 3


def record(name: str, text: str, locator: str = "v/a.mp4", folder: Path = Path("/")) -> Record:
    texts = (Text(kind="caption", text=text),)
    return Record(
        record_id=name * 26,
        source="stock",
        locator=locator,
        address=str(folder / locator),
        start_us=0,
        end_us=2_000_000,
        texts=texts,
    )


def work(corpus: Path, root: Path, *records: Record):
    config, _, _ = ingest_with_fakes(corpus, root.parent / "other")
    store = LocalStore(root)
    unit = UnitInput(source="stock", bucket=0, bits=0, items=records)
    return store, work_with_fakes(plan_unit(unit, config.sources[0], fake_facts(config)), config, store)


def test_another_media_root_under_the_same_rows_is_cut_anew(corpus: Path, tmp_path: Path) -> None:
    roots = tmp_path / "one", tmp_path / "two"
    for number, root in enumerate(roots):
        (root / "v").mkdir(parents=True)
        (root / "v" / "a.mp4").write_bytes(b"film %d" % number)
        os.utime(root / "v" / "a.mp4", ns=(1, 1))
    found = []
    for root in roots:
        store, commit = work(corpus, tmp_path / "run", record("a", "words", folder=root))
        found.append((commit.unit, read_part(store, commit, "samples")[0]["video_sha256"]))
    assert found[0][0] == found[1][0], "the rows are the same"
    assert [digest for _, digest in found] == [hashlib.sha256(b"film %d" % number).hexdigest() for number in (0, 1)]


def test_a_nan_score_rejects_the_sample_and_no_other(corpus: Path, tmp_path: Path) -> None:
    folder = corpus.parent
    bad, good = record("a", "nan here", folder=folder), record("b", "fine", "v/b.mp4", folder)
    store, commit = work(corpus, tmp_path / "run", bad, good)
    assert commit.totals().samples_kept == 1
    assert count_rejects(store, commit) == {("score", "sample", "score_not_finite"): 1}
    scores = read_part(store, commit, "scores")
    assert {row["aggregation"] for row in scores} == {"mean", "max", "top_k"} and len(scores) == 3


def test_equal_bytes_under_two_names_are_one_sample_with_both_texts(corpus: Path, tmp_path: Path) -> None:
    folder = corpus.parent
    one, copy = record("a", "first", folder=folder), record("b", "second", "v/copy.mp4", folder)
    store, commit = work(corpus, tmp_path / "run", one, copy)
    totals = commit.totals()
    assert (totals.records_expanded, totals.records_merged, totals.samples_kept) == (1, 1, 1)
    assert sorted(row["text"] for row in read_part(store, commit, "texts")) == ["first", "second"]
    assert read_part(store, commit, "samples")[0]["record_ids"] == ["a" * 26, "b" * 26]


# name -> (locators of the same bytes, which of them the sample is cut from, rejects)
SAME_BYTES = {
    "both are cut": (("v/1.mp4", "v/2.mp4"), "v/1.mp4", {}),
    "the first fails": (("v/1-slow.mp4", "v/2.mp4"), "v/2.mp4", {}),
    "the last fails": (("v/1.mp4", "v/2-slow.mp4"), "v/1.mp4", {}),
    "both fail": (("v/1-slow.mp4", "v/2-slow.mp4"), None, {("cut", "sample", "timeout"): 1}),
    "one of three is cut": (("v/1-slow.mp4", "v/2-slow.mp4", "v/3.mp4"), "v/3.mp4", {}),
}


@pytest.mark.parametrize("case", SAME_BYTES)
def test_a_sample_is_kept_if_any_of_its_files_gives_its_clip(case: str, corpus: Path, tmp_path: Path) -> None:
    locators, cut_from, rejects = SAME_BYTES[case]
    records = []
    for name, locator in zip("abc", locators, strict=False):
        (corpus.parent / locator).write_bytes(b"the same")
        records.append(record(name, f"text {name}", locator, corpus.parent))
    store, commit = work(corpus, tmp_path / "run", *records)
    totals = commit.totals()
    assert (totals.records_expanded, totals.records_merged, totals.records_rejected) == (1, len(records) - 1, 0)
    assert (totals.samples_planned, totals.samples_kept) == (1, 0 if cut_from is None else 1)
    assert count_rejects(store, commit) == rejects
    samples = read_part(store, commit, "samples")
    ids = [one.record_id for one in records]
    assert [(row["locator"], row["record_ids"]) for row in samples] == ([(cut_from, ids)] if cut_from else [])
    told = sorted(row["text"] for row in read_part(store, commit, "texts"))
    assert told == ([f"text {one}" for one in "abc"[: len(records)]] if cut_from else [])


def test_surplus_texts_of_a_sample_go_by_kind_and_nearness_and_are_counted(corpus: Path, tmp_path: Path) -> None:
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "other")
    config = config.model_copy(update={"texts": TextLimits(max_texts=3)})
    spoken = [Text(kind="asr", text=said, start_us=start_us) for said, start_us in (("a far", -9), ("b near", 1))]
    one = replace(record("a", "x", folder=corpus.parent), texts=(*spoken, Text(kind="tags", text="a tag")))
    more = (Text(kind="description", text="a film"), Text(kind="title", text="red"), Text(kind="caption", text="blue"))
    unit = UnitInput(
        source="stock", bucket=0, bits=0, items=(one, replace(record("b", "x", folder=corpus.parent), texts=more))
    )
    store = LocalStore(tmp_path / "run")
    commit = work_with_fakes(plan_unit(unit, config.sources[0], fake_facts(config)), config, store)
    assert sorted(row["text"] for row in read_part(store, commit, "texts")) == ["b near", "blue", "red"]
    assert (commit.totals().texts_kept, commit.totals().texts_dropped) == (3, 3)
    kinds = ("asr", "description", "tags")
    assert {key: count for key, count in commit.dropped_texts.items() if "surplus" in key} == {
        f"{kind}/text_surplus": 1 for kind in kinds
    }


def test_the_same_sample_of_two_units_merges_its_texts(corpus: Path, tmp_path: Path) -> None:
    folder = corpus.parent
    store, one = work(corpus, tmp_path / "run", record("a", "first", folder=folder))
    _, other = work(corpus, tmp_path / "run", record("b", "second", "v/copy.mp4", folder))
    tellings = [*read_whole(store, one), *read_whole(store, other)]
    merged = merge_whole(tellings)
    assert merged == merge_whole(tellings[::-1])
    assert (len(tellings), len(merged.texts)) == (2, 2)


def test_a_lost_sample_breaks_the_ledger_before_anything_is_committed(corpus: Path, tmp_path: Path) -> None:
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "run")
    plan = plan_unit(unit_inputs(config)[0], config.sources[0], fake_facts(config))
    told = {record.record_id: ("expanded", "s" * 26) for record in plan.records}
    result = UnitResult(
        plan=plan, samples=[], texts=[], rejects=list(plan.rejects), told=told, failed=0, dropped_texts={}
    )
    with pytest.raises(LedgerError, match="records expanded, but 0 samples planned"):
        unit_ledger(result)


def test_another_text_scores_only_what_is_new(corpus: Path, tmp_path: Path) -> None:
    folder = corpus.parent
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "other")
    store, scorer = LocalStore(tmp_path / "run"), FakeScorer()
    for texts in (["first"], ["first", "second"]):
        records = [replace(record("a", text, folder=folder), record_id=text[0] * 26) for text in texts]
        unit = UnitInput(source="stock", bucket=0, bits=0, items=tuple(records))
        work_with_fakes(plan_unit(unit, config.sources[0], fake_facts(config)), config, store, scorer)
    assert scorer.asked == [2, "first", "second"], "two frames and a text, then the new text alone"


def test_a_sample_that_one_scorer_loses_is_another_s(corpus: Path, tmp_path: Path) -> None:
    store, commit = work(corpus, tmp_path / "run", record("a", "nan here", folder=corpus.parent))
    assert commit.totals().samples_kept == 0 and not list(kept_samples(store, commit))
    own = read_commit(store, commit.unit)
    assert own is not None and own.totals().samples_kept == 1
    assert read_unit(store, commit.unit, "another scoring") is None


def test_a_span_that_is_made_into_parts_plans_a_sample_for_each(corpus: Path, tmp_path: Path) -> None:
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "other")
    store = LocalStore(tmp_path / "run")
    films = [replace(record("a", "whole", "v/parts.mp4", corpus.parent), start_us=None, end_us=None)]
    (corpus.parent / "v" / "parts.mp4").write_bytes(b"film in parts")
    unit = UnitInput(source="stock", bucket=0, bits=0, items=tuple(films))
    commit = work_with_fakes(plan_unit(unit, config.sources[0], fake_facts(config)), config, store)
    totals = commit.totals()
    assert (totals.records_read, totals.records_expanded, totals.samples_planned, totals.samples_kept) == (1, 1, 3, 2)
    assert count_rejects(store, commit) == {("cut", "sample", "too_short"): 1}
    samples = read_part(store, commit, "samples")
    assert sorted((row["start_us"], row["end_us"]) for row in samples) == [(0, 1_000_000), (1_000_000, 2_000_000)]
    assert len({row["clip_id"] for row in samples}) == 2
    assert all(row["record_ids"] == ["a" * 26] for row in samples)
    assert [row["text"] for row in read_part(store, commit, "texts")] == ["whole", "whole"]


def test_what_a_replay_cured_reaches_rows_and_scores(corpus: Path, tmp_path: Path) -> None:
    folder = corpus.parent
    (folder / "v" / "offline.mp4").write_bytes(b"far away")
    config, _, _ = ingest_with_fakes(corpus, tmp_path / "other")
    store, fetcher = LocalStore(tmp_path / "run"), FakeFetcher()
    records = record("a", "here", folder=folder), record("b", "there", "v/offline.mp4", folder)
    unit = UnitInput(source="stock", bucket=0, bits=0, items=records)
    plan = plan_unit(unit, config.sources[0], fake_facts(config))
    before = work_with_fakes(plan, config, store, fetcher=fetcher)
    assert count_rejects(store, before) == {("fetch", "record", "io_error"): 1}
    fetcher.offline = False
    mark_rejects(store, None)
    after = work_with_fakes(plan, config, store, fetcher=fetcher)
    assert count_rejects(store, after) == {}
    assert after.totals().samples_kept == 2
    assert len({row["sample_id"] for row in read_part(store, after, "scores")}) == 2
